"""Settings -> the running parts. The single place where the parts of the house meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import structlog
from sqlalchemy import text

import connectors
from app.boundary import guard
from app.clock import Clock
from app.domain.errors import Misconfigured
from app.domain.ids import LenderId
from app.flows.house import House
from app.flows.providers.port_book import PortBook
from app.keyring import load_keys
from app.ports import Connector, LenderHookPort, Wire
from app.reference.packs import PackBook, load_packs
from app.settings import Settings
from app.side_ports import HookPort
from app.store import embedded, inbox
from app.store.jobs import Jobs
from app.store.security import APP_ROLE, ENGINE_ROLE
from app.store.unit import Store, connect
from app.store.vault import Vault
from app.workshop import LenderWorkshop
from connectors import _http

log = structlog.get_logger("wiring")


@dataclass(slots=True)
class Parts:
    """Everything a process needs, and how to give it back."""

    house: House
    clock: Clock
    engine_url: str
    """The engine role's URL: for the job engine and the LISTEN connection."""
    http: httpx.AsyncClient

    async def close(self) -> None:
        """Close pools and connections. Safe to call once, at the end of the process."""
        await self.http.aclose()
        if self.house.book is not None:
            await self.house.book.close()
        await self.house.store.close()


async def build(settings: Settings, *, name: str = "saldo") -> Parts:
    """Connect everything for one process. Raises `Misconfigured` when it cannot start like this.

    Uses the private PostgreSQL of the data folder unless a database URL is set; never starts it
    (the supervisor does).
    """
    keys = load_keys(settings)
    masters = {key.id: key.key for key in keys.masters}
    app_url, engine_url = database_urls(settings)
    clock = Clock(settings.clock_path)
    store = Store(
        connect(app_url, size=10, name=f"{name} app"),
        connect(engine_url, size=5, name=f"{name} engine"),
        Vault(masters, keys.hash_key),
        Jobs(),
    )
    try:
        await refuse_dangerous_roles(store)
    except BaseException:
        await store.close()
        raise
    http = _http.client()
    house = make_house(settings, store, clock, load_packs(), http)
    return Parts(house, clock, engine_url, http)


def make_house(
    settings: Settings,
    store: Store,
    clock: Clock,
    packs: PackBook,
    http: httpx.AsyncClient,
    *,
    open_http: Callable[[], httpx.AsyncClient] = _http.client,
) -> House:
    """Fill the ports from the connectors that the settings name. Tests call this too.

    `open_http` makes the connections of a lender's own provider: they are his alone.
    """
    found = connectors.discover()

    async def called(source: str, event_id: str) -> bytes | None:
        async with store.engine_unit() as unit:
            return await inbox.raw_of(unit, source, event_id)

    wire = Wire(http=http, now=clock.now, real_now=clock.real_now, called=called)
    return House(
        store=store,
        settings=settings,
        packs=packs,
        aggregations=_slot(found, settings.aggregation_connector, "aggregation", settings, wire),
        payments=_slot(found, settings.payment_connector, "payments", settings, wire),
        messages={
            name: port
            for named in settings.text_routes.providers
            for name, port in _slot(found, named, "messages", settings, wire).items()
        },
        emails=_slot(found, settings.email_connector, "emails", settings, wire),
        hooks=_hooks(found, settings, wire),
        lender_hooks=_lender_hooks(found, wire),
        real_now=clock.real_now,
        book=PortBook(store, LenderWorkshop(settings, store, wire, open_http), clock.real_now),
    )


def database_urls(settings: Settings) -> tuple[str, str]:
    """The URLs of the app and the engine role."""
    if not settings.embedded:
        return (
            settings.database_url.get_secret_value(),
            settings.database_engine_url.get_secret_value(),
        )
    urls = embedded.connect_only(settings.data_dir)
    return urls.app, urls.engine


async def refuse_dangerous_roles(store: Store) -> None:
    """Row security means nothing to a superuser: refuse to run as one, on either address."""
    nobody = LenderId(UUID(int=0))
    for setting, role, opened in (
        ("SALDO_DATABASE_ENGINE_URL", ENGINE_ROLE, store.engine_unit()),
        ("SALDO_DATABASE_URL", APP_ROLE, store.unit(nobody)),
    ):
        async with opened as unit:
            row = (await unit.conn.execute(_WHO_AM_I)).one()
        if row.rolsuper or row.rolbypassrls:
            raise Misconfigured(
                setting,
                f"the role {row.rolname} is a superuser or bypasses row security",
                f"Use the role {role}, made with NOSUPERUSER NOBYPASSRLS.",
            )


_WHO_AM_I = text(
    "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
)


def _slot(
    found: Mapping[str, Connector], name: str, slot: str, settings: Settings, wire: Wire
) -> dict[str, Any]:
    """The named connector's port for one slot, guarded. Empty when it is not configured.

    Raises `Misconfigured` when it would reach real banks without a stated licence, or begin
    payments that cannot be taken back and nobody has accepted that.
    """
    connector = found.get(name)
    build_port: Callable[[Any, Wire], object] | None = getattr(connector, slot, None)
    if connector is None or build_port is None:
        able = sorted(other.name for other in found.values() if getattr(other, slot))
        raise Misconfigured(
            f"SALDO_{slot.upper().rstrip('S')}_CONNECTOR",
            f"{name!r} is not a connector for {slot}",
            f"Choose one of: {', '.join(able)}.",
        )
    try:
        own = connectors.settings_of(connector)
    except Misconfigured as error:
        return _not_set_up(name, slot, error)
    if slot == "payments":
        connectors.refuse_open_payments(name, own)
    try:
        connectors.refuse_broken_ways(own, wire.real_now())
        port = build_port(own, wire)
        live = connectors.live_addresses(own) if connector.needs_licence else ()
    except Misconfigured as error:
        return _not_set_up(name, slot, error)
    if live and not settings.tpp_basis.strip():
        raise Misconfigured(
            "SALDO_TPP_BASIS",
            f"{name} would reach real banks ({live[0]}) and no authorisation is stated",
            "Name the licence or agent agreement under which you access accounts.",
        )
    return {name: guard(port, name)}


def _not_set_up(name: str, slot: str, error: Misconfigured) -> dict[str, Any]:
    """Reading, deciding and the desk work without it; whoever calls it is told the same."""
    log.warning("connector_not_set_up", connector=name, slot=slot, setting=error.setting)
    return {}


def _hooks(found: Mapping[str, Connector], settings: Settings, wire: Wire) -> dict[str, HookPort]:
    """Whose calls about payments and consents are taken: of those that are in use, and set up."""
    ready: dict[str, HookPort] = {}
    for name in {settings.aggregation_connector, settings.payment_connector}:
        connector = found.get(name)
        if connector is None or connector.hooks is None:
            continue
        try:
            port = connector.hooks(connectors.settings_of(connector), wire)
        except Misconfigured as error:
            # Nothing is lost but time: states are asked for anyway.
            log.info("hooks_not_set_up", connector=name, setting=error.setting)
            continue
        ready[name] = guard(port, name)
    return ready


def _lender_hooks(found: Mapping[str, Connector], wire: Wire) -> LenderHookPort:
    connector = found["lender_webhook"]
    if connector.lender_hooks is None:
        raise Misconfigured("connectors", "lender_webhook fills no slot", "Restore the file.")
    return guard(connector.lender_hooks(connectors.settings_of(connector), wire), connector.name)
