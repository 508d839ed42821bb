"""End the live signals of accounts whose money is gone or whose readings may not be used."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from app.domain.message import CancelReason
from app.flows.actors import ROBOT
from app.flows.work.stop_pressure import stop_pressure
from app.store import timeline
from app.store.arrays import among
from app.store.tables import funds_signals
from app.store.timeline import Kind, Line
from app.store.unit import Unit


async def end_signals(
    unit: Unit,
    now: datetime,
    *,
    account_ids: Iterable[UUID],
    why: CancelReason,
    word: str | None = None,
) -> int:
    """End what is live on these accounts; a person left without any signal is left in peace.

    Messages queued because of a signal are cancelled with `why`, unless another account of his
    still shows money. `word` is what the signal itself ends with, where that is not `why`. The
    caller holds the locks on the borrowers. Returns how many ended.
    """
    ended = await unit.conn.execute(
        update(funds_signals)
        .where(among(funds_signals.c.account_id, account_ids), funds_signals.c.ended_at.is_(None))
        .values(ended_at=now, ended_why=word or why.value)
        .returning(funds_signals.c.id, funds_signals.c.borrower_id, funds_signals.c.lender_id)
    )
    gone = ended.all()
    if not gone:
        return 0
    lines = [
        Line(
            row.borrower_id,
            Kind.SIGNAL_ENDED,
            ROBOT,
            {"why": word or why.value, "signal_id": str(row.id)},
            lender_id=row.lender_id,
        )
        for row in gone
    ]
    await timeline.write(unit, now, lines)
    people = sorted({row.borrower_id for row in gone})
    others = await unit.conn.scalars(
        select(funds_signals.c.borrower_id).where(
            among(funds_signals.c.borrower_id, people), funds_signals.c.ended_at.is_(None)
        )
    )
    still_live = set(others)
    for borrower_id in people:
        if borrower_id not in still_live:
            await stop_pressure(unit, now, borrower_id=borrower_id, case_ids=None, why=why)
    return len(gone)
