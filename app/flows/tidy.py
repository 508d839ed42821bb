"""Remove what is of no use to anybody any more: old slots, sessions, files, names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from app.flows.house import House
from app.flows.providers.close_providers import close_providers
from app.store.account_names import rename_british
from app.store.tables import (
    bulk_files,
    bulk_rows,
    idempotency_keys,
    inbox,
    link_sessions,
    provider_hours,
    sessions,
    slots,
    undone_acts,
)

# Real time. A lender's retry comes within hours; a week leaves room for a long weekend.
KEEP_ANSWERS = timedelta(days=7)
KEEP_SESSIONS = timedelta(days=30)
KEEP_WEBHOOKS = timedelta(days=30)
KEEP_SLOTS = timedelta(days=30)
# Business time. The page shows a day; a month is for whoever compares.
KEEP_HOURS = timedelta(days=30)
KEEP_UNDONE = timedelta(days=30)
# Business time. As long somebody may still ask what became of a row; then the book itself knows.
KEEP_CELLS = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Tidied:
    """Rows deleted; `cells`: rows of loaded files that say nothing about people any more;
    `providers`: lenders' own whose access data was erased.
    """

    answers: int
    sessions: int
    webhooks: int
    slots: int
    cells: int
    providers: int


async def tidy(house: House, now: datetime) -> Tidied:
    """Delete the engine's own old bookkeeping. Business rows are never deleted here."""
    providers = await close_providers(house, now)
    real = house.real_now()
    async with house.store.engine_unit() as unit:
        await rename_british(unit)
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
        await unit.conn.execute(
            delete(provider_hours).where(provider_hours.c.hour < now - KEEP_HOURS)
        )
        await unit.conn.execute(
            delete(undone_acts).where(undone_acts.c.told_on < (now - KEEP_UNDONE).date())
        )
        loaded = select(bulk_files.c.id).where(bulk_files.c.ended_at < now - KEEP_CELLS)
        cells = await unit.conn.execute(
            update(bulk_rows)
            .where(bulk_rows.c.file_id.in_(loaded), bulk_rows.c.row_enc != b"")
            .values(row_enc=b"", message="")
        )
    return Tidied(
        answers.rowcount,
        ended.rowcount + ended_links.rowcount,
        webhooks.rowcount,
        taken.rowcount,
        cells.rowcount,
        providers,
    )
