"""How a lender's own systems answer: what his webhook and his app took, and what waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import Row, case, func, select

from app.flows.messages.tell_lender import LenderEvent
from app.store.outbox import OutboxKind, OutboxState
from app.store.tables import lenders, outbox
from app.store.unit import Unit

DAYS: Final = 7
_FOR_THE_APP: Final = outbox.c.event == LenderEvent.PUSH_REQUESTED.value


class OwnSystem(StrEnum):
    """events: the webhook. app: the gateway of his app, which may be the same address."""

    EVENTS = "events"
    APP = "app"


@dataclass(frozen=True, slots=True)
class SystemHealth:
    """One address. Instants are business time; `taken` and `given_up` count the last seven days.

    `failing_since`: the oldest event that was tried, and did not arrive; None: nothing waits so.
    """

    system: OwnSystem
    host: str
    last_ok_at: datetime | None
    failing_since: datetime | None
    last_error: str
    waiting: int
    taken: int
    given_up: int


async def own_systems(unit: Unit, now: datetime) -> tuple[SystemHealth, ...]:
    """Those that the unit's lender has named; without a webhook there is none."""
    query = select(lenders.c.webhook_url, lenders.c.push_url)
    named = (await unit.conn.execute(query.where(lenders.c.id == unit.lender_id))).one()
    if not named.webhook_url:
        return ()
    waits, ended = await _waiting(unit), await _ended(unit, now)
    found = [_health(OwnSystem.EVENTS, named.webhook_url, waits.get(False), ended.get(False))]
    if named.push_url or True in waits or True in ended:
        address = named.push_url or named.webhook_url
        found.append(_health(OwnSystem.APP, address, waits.get(True), ended.get(True)))
    return tuple(found)


def _health(
    system: OwnSystem, address: str, waits: Row[Any] | None, ended: Row[Any] | None
) -> SystemHealth:
    return SystemHealth(
        system,
        urlsplit(address).hostname or "",
        last_ok_at=ended.last_ok_at if ended else None,
        failing_since=waits.failing_since if waits else None,
        last_error=(waits.last_error or "") if waits else "",
        waiting=waits.waiting if waits else 0,
        taken=ended.taken if ended else 0,
        given_up=ended.given_up if ended else 0,
    )


async def _waiting(unit: Unit) -> dict[bool, Row[Any]]:
    tried = outbox.c.last_error != ""
    rows = await unit.conn.execute(
        select(
            _FOR_THE_APP.label("for_app"),
            func.count().label("waiting"),
            func.min(outbox.c.created_at).filter(tried).label("failing_since"),
            func.max(outbox.c.last_error).filter(tried).label("last_error"),
        )
        .where(
            outbox.c.lender_id == unit.lender_id,
            outbox.c.kind == OutboxKind.LENDER_WEBHOOK.value,
            outbox.c.state == OutboxState.DUE.value,
        )
        .group_by("for_app")
    )
    return {row.for_app: row for row in rows}


async def _ended(unit: Unit, now: datetime) -> dict[bool, Row[Any]]:
    done = outbox.c.state == OutboxState.DONE.value
    rows = await unit.conn.execute(
        select(
            _FOR_THE_APP.label("for_app"),
            func.max(case((done, outbox.c.done_at))).label("last_ok_at"),
            func.count().filter(done).label("taken"),
            func.count().filter(outbox.c.state == OutboxState.DEAD.value).label("given_up"),
        )
        .where(
            outbox.c.lender_id == unit.lender_id,
            outbox.c.kind == OutboxKind.LENDER_WEBHOOK.value,
            outbox.c.done_at > now - timedelta(days=DAYS),
        )
        .group_by("for_app")
    )
    return {row.for_app: row for row in rows}
