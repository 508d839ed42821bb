"""Is what the lender last said about a debt fresh enough to act on? Ask him; in the end, people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from app.domain.task import TaskReason
from app.flows.messages.tell_lender import LenderEvent, Told, tell_lenders
from app.flows.work.open_task import open_task
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


async def give_up_asking(
    unit: Unit, now: datetime, *, borrower_id: UUID, dues: Iterable[Due], message_id: UUID
) -> None:
    """Nobody said what is owed: a task for each case, once until it is confirmed anew.

    `message_id` is what could not be sent for it. A loan without a case asks nobody for anything
    yet, and gets none.
    """
    for due in dues:
        if due.case_id is None:
            continue
        await open_task(
            unit,
            now,
            borrower_id=borrower_id,
            case_id=due.case_id,
            reason=TaskReason.OWED_AMOUNT_STALE,
            # However many notices, letters and asks fail for the same want of an answer.
            cause=f"{due.case_id}|{due.owed_as_of.isoformat()}",
            situation={"message_id": str(message_id), "owed_as_of": due.owed_as_of.isoformat()},
        )
