"""Remove what is of no use to anybody any more: old slots, answered keys, ended sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete

from app.flows.house import House
from app.store.tables import idempotency_keys, inbox, link_sessions, sessions, slots

# Real time. A lender's retry comes within hours; a week leaves room for a long weekend.
KEEP_ANSWERS = timedelta(days=7)
KEEP_SESSIONS = timedelta(days=30)
KEEP_WEBHOOKS = timedelta(days=30)
KEEP_SLOTS = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Tidied:
    """Rows deleted."""

    answers: int
    sessions: int
    webhooks: int
    slots: int


async def tidy(house: House, now: datetime) -> Tidied:
    """Delete the engine's own old bookkeeping. Business rows are never deleted here."""
    real = house.real_now()
    async with house.store.engine_unit() as unit:
        answers = await unit.conn.execute(
            delete(idempotency_keys).where(idempotency_keys.c.created_at < real - KEEP_ANSWERS)
        )
        ended = await unit.conn.execute(
            delete(sessions).where(sessions.c.expires_at < real - KEEP_SESSIONS)
        )
        ended_links = await unit.conn.execute(
            delete(link_sessions).where(link_sessions.c.expires_at < real - KEEP_SESSIONS)
        )
        webhooks = await unit.conn.execute(
            delete(inbox).where(
                inbox.c.handled_at.is_not(None), inbox.c.received_at < real - KEEP_WEBHOOKS
            )
        )
        taken = await unit.conn.execute(delete(slots).where(slots.c.taken_at < now - KEEP_SLOTS))
    return Tidied(
        answers.rowcount, ended.rowcount + ended_links.rowcount, webhooks.rowcount, taken.rowcount
    )
