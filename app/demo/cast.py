"""Who is in the demo before it starts: one lender, the people at its desks, its API key."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from app import wiring
from app.domain.errors import Conflict, Misconfigured
from app.domain.ids import LenderId
from app.domain.message import Channel
from app.domain.roles import Role
from app.domain.stages import Notice, StrategyBody
from app.flows.house import House
from app.flows.lenders.make_key import make_key
from app.flows.lenders.make_lender import LenderWanted, make_lender, set_lender
from app.flows.lenders.manage_users import add_user
from app.flows.strategies.choose_strategy import ChoiceScope, choose_strategy
from app.flows.strategies.install_strategies import install_strategy
from app.reference.strategies import DEFAULT, shipped_strategies
from app.settings import Settings
from app.store.embedded_setup import write_private
from app.web.passwords import Passwords

# The creditor's account, at a bank that does not exist.
CREDITOR_IBAN = "ES7921000813610123456789"
_APP_PATIENCE_MINUTES = 180
_DESKS = (
    (Role.COLLECTOR, "carla@sol.example", "Carla Collector"),
    (Role.COLLECTION_MANAGER, "manuel@sol.example", "Manuel Manager"),
    (Role.SUPERVISOR, "sofia@sol.example", "Sofía Supervisor"),
    (Role.APPROVER, "april@sol.example", "April Approver"),
    (Role.COMPLIANCE, "coral@sol.example", "Coral Compliance"),
    (Role.ADMIN, "ada@sol.example", "Ada Admin"),
)


@dataclass(frozen=True, slots=True)
class Cast:
    """What the lender's own system and the person at the demo need to know."""

    lender_id: str
    api_key: str
    webhook_secret: str
    password: str
    sign_ins: tuple[tuple[str, str], ...]


def cast_file(folder: Path) -> Path:
    """Where the cast is written, readable by its owner alone."""
    return folder / "cast.json"


def read_cast(folder: Path) -> Cast | None:
    """The cast of an earlier start; None on the first."""
    try:
        content = json.loads(cast_file(folder).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    content["sign_ins"] = tuple((role, email) for role, email in content["sign_ins"])
    return Cast(**content)


def ensure_cast(settings: Settings, folder: Path, webhook_url: str) -> Cast:
    """Create lender, users and key on the first start; afterwards read them back."""
    found = read_cast(folder)
    if found is not None:
        return found
    cast = asyncio.run(_make(settings, webhook_url))
    write_private(cast_file(folder), json.dumps(asdict(cast), indent=2))
    return cast


async def _make(settings: Settings, webhook_url: str) -> Cast:
    parts = await wiring.build(settings, name="demo cast")
    try:
        return await _create(parts.house, parts.clock.now(), webhook_url)
    except Conflict as error:
        raise Misconfigured(
            "SALDO_DEMO_DIR",
            "an earlier start was interrupted while it set the demo up",
            "Begin anew with `make demo FRESH=1`.",
        ) from error
    finally:
        await parts.close()


async def _create(house: House, now: datetime, webhook_url: str) -> Cast:
    password = secrets.token_urlsafe(9)
    made = await make_lender(
        house,
        now,
        LenderWanted(
            slug=f"sol-{secrets.token_hex(3)}",
            name="Préstamos Sol",
            jurisdiction="ES",
            time_zone="Europe/Madrid",
            language="es",
            creditor_name="Préstamos Sol SL",
            creditor_iban=CREDITOR_IBAN,
            contact_phone="+34910000000",
            contact_url="https://sol.example/pagos",
            webhook_url=webhook_url,
            observe_only=False,
        ),
        actor="demo",
    )
    hashed = await Passwords().make(password)
    for role, email, name in _DESKS:
        await add_user(
            house,
            now,
            lender_id=made.id,
            email=email,
            name=name,
            role=role,
            password_hash=hashed,
            actor="demo",
        )
    await set_lender(house, now, made.id, {"reads_bills": True}, actor="demo")
    await _use_the_app(house, now, made.id)
    key = await make_key(house, now, made.id, "the lender's own system", actor="demo")
    return Cast(
        lender_id=str(made.id),
        api_key=key.token,
        webhook_secret=made.webhook_secret,
        password=password,
        sign_ins=tuple((role.value, email) for role, email, _ in _DESKS),
    )


async def _use_the_app(house: House, now: datetime, lender_id: LenderId) -> None:
    """The demo's lender has an app: what the soft strategy says by text goes there first.

    Whoever has not the app gets the text at once.
    """
    soft = shipped_strategies()[DEFAULT]
    async with house.store.unit(lender_id) as unit:
        strategy_id = await install_strategy(unit, now, lender_id, by_app_first(soft))
    # On the demo's fast clock half an hour is two real seconds.
    patience = {"push_fallback_minutes": _APP_PATIENCE_MINUTES}
    await set_lender(house, now, lender_id, patience, actor="demo")
    await choose_strategy(
        house,
        now,
        lender_id=lender_id,
        scope=ChoiceScope.LENDER,
        target="",
        strategy_id=strategy_id,
        reason="Our borrowers have our app.",
        actor="demo",
    )


def by_app_first(body: StrategyBody) -> StrategyBody:
    """The same strategy with its texts as messages in the lender's app."""

    def by_app(notices: tuple[Notice, ...]) -> tuple[Notice, ...]:
        return tuple(
            replace(one, channel=Channel.PUSH) if one.channel is Channel.SMS else one
            for one in notices
        )

    return replace(
        body,
        name=f"{body.name}_app",
        remind=by_app(body.remind),
        stages=tuple(replace(stage, notices=by_app(stage.notices)) for stage in body.stages),
    )
