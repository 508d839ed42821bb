"""Is what the lender last said about a debt fresh enough to act on? If not, ask him."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from app.flows.tell_lender import LenderEvent, Told, tell_lenders
from app.store.dues import Due
from app.store.tables import lenders
from app.store.unit import Unit


def stale(dues: Iterable[Due], now: datetime, longest: timedelta) -> tuple[Due, ...]:
    """The dues whose amount was last confirmed longer than `longest` ago."""
    return tuple(due for due in dues if now - due.owed_as_of > longest)


async def ask_owed(unit: Unit, now: datetime, lender_id: UUID, dues: Iterable[Due]) -> bool:
    """Ask the lender's system what is owed on these loans, at most once an hour for each.

    False when he has no webhook address: nobody can be asked.
    """
    address = await unit.conn.scalar(select(lenders.c.webhook_url).where(lenders.c.id == lender_id))
    if not address:
        return False
    hour = int(now.timestamp() // 3600)
    await tell_lenders(
        unit,
        now,
        [
            Told(
                event=LenderEvent.BALANCE_REQUESTED,
                subject_id=due.loan_id,
                payload={
                    "loan_id": str(due.loan_id),
                    "loan": due.external_ref,
                    "owed_as_of": due.owed_as_of.isoformat(),
                    "at": now.isoformat(),
                },
                ordinal=hour,
                lender_id=lender_id,
            )
            for due in dues
        ],
    )
    return True
