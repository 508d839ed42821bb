"""Draw the conclusions from a loan whose money or dates have changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, update

from app.domain.case import CASE, CaseClose
from app.domain.message import CancelReason
from app.flows.actors import ROBOT
from app.flows.approvals.withdraw_waiting import withdraw_waiting
from app.flows.cases.end_placement import end_with_case
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.reads.plan_anew import plan_anew
from app.flows.work.judge_promises import judge_promises
from app.flows.work.stop_pressure import stop_pressure
from app.store import timeline
from app.store.accounts import schedule_reads
from app.store.dues import Due, due_of_loan
from app.store.loans import keep_next_due, lock_loan
from app.store.moves import move
from app.store.strategies import wake_cases
from app.store.tables import cases, loans
from app.store.timeline import Kind, Line
from app.store.unit import Unit

_PAID: Final = (CaseClose.PAID_THROUGH_SALDO, CaseClose.PAID_ELSEWHERE)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """`due` is what the loan has due now; `closed_case` the case this closed, if any."""

    due: Due | None
    closed_case: UUID | None


async def refresh_loan(
    unit: Unit, now: datetime, loan_id: UUID, *, because: CaseClose
) -> Refreshed:
    """Recompute the next due date; close the open case when nothing is due any more.

    While something is, the case's strategy looks at once: its days may count from another date.

    A case that closes takes all pressure off with it, and the borrower's accounts rest unless
    another of his cases is open. Promises are held against what is known now. Cases are opened by
    `open_cases` alone.
    """
    loan = await lock_loan(unit, loan_id)
    await keep_next_due(unit, (loan_id,))
    due = await due_of_loan(unit, loan_id, now)
    closed = None
    if due is None and loan.case_id is not None:
        closed = loan.case_id
        await close_case(unit, now, loan, because)
    elif loan.case_id is not None:
        await wake_cases(unit, now, borrower_id=loan.borrower_id, case_id=loan.case_id)
    if closed is None:
        await judge_promises(unit, now, loan_id)
    await schedule_reads(unit, (loan.borrower_id,), now)
    await plan_anew(unit, now, (loan.borrower_id,))
    return Refreshed(due, closed)


async def close_case(unit: Unit, now: datetime, loan: Row[Any], because: CaseClose) -> None:
    """Close the loan's open case, take all pressure off and end what was promised on it.

    The caller holds the lock on the loan, and knows that there is a case.
    """
    case_id = loan.case_id
    await move(unit, cases, case_id, CASE, "close", closed_at=now, close_reason=because.value)
    await unit.conn.execute(update(loans).where(loans.c.id == loan.id).values(case_id=None))
    await stop_pressure(
        unit,
        now,
        borrower_id=loan.borrower_id,
        case_ids=[case_id],
        why=CancelReason.PAID if because in _PAID else CancelReason.NOTHING_DUE,
        cancel_tasks=True,
        withdraw_links=True,
    )
    await judge_promises(unit, now, loan.id, closed=because)
    await end_with_case(unit, now, case_id, why=because.value)
    if because is not CaseClose.FAILED:
        # A collection that came to nothing leaves the debt, and so the question what becomes of it.
        await withdraw_waiting(unit, now, loan.id, why=because.value)
    details = {"why": because.value, "loan_id": str(loan.id)}
    line = Line(loan.borrower_id, Kind.CASE_CLOSED, ROBOT, details, case_id, loan.lender_id)
    await timeline.write(unit, now, [line])
    await tell_lender(
        unit,
        now,
        event=LenderEvent.CASE_CLOSED,
        subject_id=case_id,
        payload={
            "case_id": str(case_id),
            "loan": loan.external_ref,
            "why": because.value,
            "closed_at": now.isoformat(),
        },
        # A returned payment opens the case again; its next end is news of its own.
        ordinal=int(now.timestamp()),
        lender_id=loan.lender_id,
    )
