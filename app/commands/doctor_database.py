"""The doctor's look into the database, through the same roles that work in it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from app.clock import Clock
from app.domain.errors import Misconfigured
from app.ports import Wire
from app.reference.packs import load_packs
from app.reports import checkup
from app.reports.checkup import Place
from app.reports.findings import Finding, Verdict, ok, wrong
from app.reports.history_check import check_stamps
from app.reports.own_rules_check import check_own_rules
from app.settings import Settings
from app.store import migrate
from app.store.embedded import connect_only
from app.store.invariants import broken
from app.store.jobs import Jobs
from app.store.provider_setups import answering, held_by
from app.store.security import APP_ROLE, ENGINE_ROLE
from app.store.unit import Store, connect
from app.store.vault import Vault
from app.wiring import database_urls
from app.workshop import LenderWorkshop
from connectors import _http

APP: Final = "SALDO_DATABASE_URL"
ENGINE: Final = "SALDO_DATABASE_ENGINE_URL"
_LIMIT_S: Final = 15.0

# What the server or the driver says, and what to do about it.
_MENDS: Final = (
    ("password authentication failed", "Correct the password in the address."),
    ("does not exist", "Create it, or correct the name in the address."),
    ("no pg_hba.conf entry", "Allow this machine in the server's pg_hba.conf."),
    ("refused", "Start the server, or correct host and port in the address."),
    ("translate host name", "Correct the host in the address."),
    ("resolve", "Correct the host in the address."),
    ("too many connections", "Raise max_connections, or run fewer processes."),
)


async def examine_database(settings: Settings, vault: Vault | None) -> list[Finding]:
    """Both roles' connections, then everything that can be seen through the engine's."""
    try:
        app_url, engine_url = database_urls(settings)
    except Misconfigured as error:
        return [wrong("database", f"{error.setting}: {error.problem}", error.mend)]
    through_engine, found = await _arrive(settings, engine_url, ENGINE, ENGINE_ROLE)
    found = await asyncio.to_thread(_ask_owner, settings, found)
    through_app, more = await _arrive(settings, app_url, APP, APP_ROLE)
    found += more
    if through_engine is None or through_app is None:
        return found
    if (through_engine.database, through_engine.started) != (
        through_app.database,
        through_app.started,
    ):
        what = f"{APP} and {ENGINE} lead to two different databases"
        return [*found, wrong("database", what, "Let both name the same one.")]
    if any(one.verdict is Verdict.WRONG for one in found):
        return found
    return found + await _inside(settings, engine_url, vault)


async def _arrive(
    settings: Settings, url: str, setting: str, role: str
) -> tuple[Place | None, list[Finding]]:
    """Where one address leads and as whom; None when it leads nowhere."""
    try:
        async with (
            asyncio.timeout(_LIMIT_S),
            _store(url, None) as store,
            store.engine_unit() as unit,
        ):
            place = await checkup.place_of(unit)
            found = [ok("database", f"{setting} reaches {place.database!r}")]
            found += await checkup.check_role(unit, role, setting)
            if role == ENGINE_ROLE:
                found += await checkup.check_version(unit)
                found += await checkup.check_migration(unit)
    except (SQLAlchemyError, TimeoutError) as error:
        return None, [_unreachable(settings, setting, error)]
    return place, found


def _ask_owner(settings: Settings, found: list[Finding]) -> list[Finding]:
    """Where the engine may not see the revision, ask as the owner, if he is known here."""
    unseen = [one for one in found if one.check == "migration" and one.verdict is Verdict.NOTE]
    url = settings.database_owner_url.get_secret_value()
    if not url and settings.embedded:
        url = connect_only(settings.data_dir).owner
    if not unseen or not url:
        return found
    engine = migrate.owner_engine(url)
    try:
        with engine.connect() as connection:
            revision = migrate.current(connection)
    except SQLAlchemyError as error:
        return [*found, _unreachable(settings, "SALDO_DATABASE_OWNER_URL", error)]
    finally:
        engine.dispose()
    return [one for one in found if one not in unseen] + [checkup.judge_revision(revision)]


async def _inside(settings: Settings, url: str, vault: Vault | None) -> list[Finding]:
    """Everything behind the front door. Each look has a transaction of its own."""
    found: list[Finding] = []
    async with _store(url, vault) as store:
        async with store.engine_unit() as unit:
            found += await checkup.check_fences(unit)
            found += await checkup.check_database_clock(unit, lambda: datetime.now(UTC))
            found += await checkup.check_lenders(unit, demo=settings.demo)
            found += await checkup.check_confirmations(unit)
            found += await check_own_rules(unit, load_packs())
            found += await checkup.check_work(unit)
            found += await checkup.check_providers(unit)
            if not settings.demo:  # where a minute of work may be a day of business
                found += await check_stamps(unit, _business_now(settings))
        if vault is not None:
            found += await _check_keys(store)
            found += await check_own(settings, store)
        async with store.engine_unit() as unit:
            rows = await broken(unit, _business_now(settings))
    for one in rows:
        mend = "This must never be: keep the log, and report it."
        found.append(wrong(f"invariant {one.name}", f"{one.count} rows: {one.why}", mend))
    return found if rows else [*found, ok("invariants", "all hold")]


def _business_now(settings: Settings) -> datetime:
    try:
        return Clock(settings.clock_path).now()
    except Misconfigured:
        # Told already; the invariants are asked all the same.
        return datetime.now(UTC)


async def _check_keys(store: Store) -> list[Finding]:
    """The master keys open every lender's data keys."""
    try:
        async with store.engine_unit() as unit:
            await unit.vault.ready(unit.conn, None)
    except Misconfigured as error:
        return [wrong("keys", f"{error.setting}: {error.problem}", error.mend)]
    return [ok("keys", "they open every lender's data keys")]


async def check_own(settings: Settings, store: Store) -> list[Finding]:
    """What lenders have set up for themselves can be opened and used. Nobody is asked."""

    def now() -> datetime:
        return datetime.now(UTC)

    shop = LenderWorkshop(settings, store, Wire(None, now, now), _http.client)
    async with store.engine_unit() as unit:
        setups = await answering(unit)
        await unit.keys({one.lender_id for one in setups})
        held = await held_by(unit, [one.id for one in setups])
    found: list[Finding] = []
    for one in setups:
        if one.id not in held:
            mend = "Restore the key that sealed it, or have the lender set it up anew."
            found.append(wrong("own providers", f"{one.name} cannot be opened", mend))
            continue
        try:
            await shop.make(one, held[one.id]).close()
        except Misconfigured as error:
            what = f"{one.name} of lender {one.lender_id}: {error.setting}: {error.problem}"
            found.append(wrong("own providers", what, error.mend or "The lender sets it up anew."))
    if setups and not found:
        found.append(ok("own providers", f"{len(setups)} of lenders can be used"))
    return found


@asynccontextmanager
async def _store(url: str, vault: Vault | None) -> AsyncIterator[Store]:
    # Whoever has no keys still wants to know about the database: these open nothing.
    stand_in = Vault({"none": bytes(32)}, bytes(32))
    engine = connect(url, size=1, name="saldo doctor")
    store = Store(engine, engine, vault or stand_in, Jobs())
    try:
        yield store
    finally:
        await store.close()


def _unreachable(settings: Settings, setting: str, error: Exception) -> Finding:
    if isinstance(error, TimeoutError):
        said = f"no answer within {_LIMIT_S:g} s"
    else:
        said = first_line(str(getattr(error, "orig", None) or error))
    mend = next((mend for sign, mend in _MENDS if sign in said), "See the server's log.")
    if settings.embedded:
        return wrong("database", f"the private PostgreSQL: {said}", "Start it: saldo serve")
    return wrong("database", f"{setting}: {said}", mend)


def first_line(text: str) -> str:
    """The first line of a driver's message, without what could be a password."""
    line = next((line for line in text.splitlines() if line.strip()), "no reason given").strip()
    return re.sub(r"password=\S+|://[^@/\s]*@", "…", line)[:200]
