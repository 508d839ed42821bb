"""Let the money that is in sight count as new: what kept machines from asking for it is over."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import update

from app.flows.actors import ROBOT
from app.store import timeline
from app.store.accounts import rearm
from app.store.tables import funds_signals
from app.store.timeline import Kind, Line
from app.store.unit import Unit


async def start_over(
    unit: Unit, now: datetime, *, borrower_id: UUID, lender_id: UUID, why: str
) -> None:
    """End his live signals and arm his accounts: the next reading speaks anew, or says nothing.

    A live signal on an armed account could not be seen to lose its reason. The caller holds the
    borrower's lock. `why` is the word the signals end with.
    """
    ended = await unit.conn.scalars(
        update(funds_signals)
        .where(funds_signals.c.borrower_id == borrower_id, funds_signals.c.ended_at.is_(None))
        .values(ended_at=now, ended_why=why)
        .returning(funds_signals.c.id)
    )
    await rearm(unit, (borrower_id,))
    await timeline.write(
        unit,
        now,
        [
            Line(
                borrower_id,
                Kind.SIGNAL_ENDED,
                ROBOT,
                {"why": why, "signal_id": str(signal_id)},
                lender_id=lender_id,
            )
            for signal_id in ended
        ],
    )
