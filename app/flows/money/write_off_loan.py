"""Carry out an approved write-off: nobody is asked for the debt any more."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, select, update

from app.domain.approval import ApprovalKind, ApprovalState
from app.domain.case import CaseClose, CaseState
from app.domain.errors import Conflict
from app.domain.money import Money
from app.domain.task import TaskReason
from app.flows.cases.refresh_loan import refresh_loan
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.work.open_task import open_task
from app.store import timeline
from app.store.approvals import add_adjustment, unpaid_in_all
from app.store.loans import lock_loan
from app.store.tables import approvals, cases, loans
from app.store.timeline import Kind, Line
from app.store.unit import Unit

_NAMES: Final = {
    ApprovalKind.WRITE_OFF.value: "write-off",
    ApprovalKind.PLACEMENT.value: "placement with an agency",
}


async def write_off_loan(unit: Unit, now: datetime, approval: Row[Any], *, actor: str) -> None:
    """Write the loan off in the caller's transaction; `approval` was approved in it just now.

    The instalments stay as they are: the debt is recorded, and money that comes is still booked on
    it. What is unpaid now is the amount, never more than was proposed. Raises `Conflict` when the
    loan changed in a way that nobody has decided about: it is not active, the debt has grown, or a
    payment is on its way.
    """
    loan = await lock_loan(unit, approval.loan_id)
    if loan.state != "active":
        raise Conflict("This loan is not worked any more.", code="LoanNotActive")
    owed = await unpaid_in_all(unit, loan.id, loan.currency)
    if not owed:
        raise Conflict("Nothing is unpaid on this loan any more.", code="NothingOwed")
    if owed > Money(approval.amount_minor, approval.currency):
        raise Conflict(
            f"The debt has grown to {owed} since this was proposed. Propose it anew.",
            code="DebtGrew",
        )
    if await _in_flight(unit, loan):
        raise Conflict("A payment is on its way. Wait for its end.", code="PaymentOnItsWay")
    await unit.conn.execute(
        update(loans)
        .where(loans.c.id == loan.id)
        .values(state="written_off", collection_ended_at=now)
    )
    # Closes the case, ends its promises and takes all pressure off: nothing is due on such a loan.
    await refresh_loan(unit, now, loan.id, because=CaseClose.WRITTEN_OFF)
    adjustment_id = await add_adjustment(
        unit, now, approval, kind=ApprovalKind.WRITE_OFF, amount=owed
    )
    details = {
        "adjustment_id": str(adjustment_id),
        "approval_id": str(approval.id),
        "amount_minor": owed.minor,
        "currency": owed.currency,
    }
    line = Line(
        loan.borrower_id, Kind.WRITTEN_OFF, actor, details, approval.case_id, loan.lender_id
    )
    await timeline.write(unit, now, [line])
    await tell_lender(
        unit,
        now,
        event=LenderEvent.WRITTEN_OFF,
        subject_id=adjustment_id,
        payload={
            "loan": loan.external_ref,
            "adjustment_id": str(adjustment_id),
            "amount": {"minor": owed.minor, "currency": owed.currency},
            "case_id": str(approval.case_id) if approval.case_id else None,
            "at": now.isoformat(),
        },
        lender_id=loan.lender_id,
    )


async def review_instead(unit: Unit, now: datetime, approval: Row[Any], *, actor: str) -> None:
    """What would have ended our work came to nothing: a person says how the case goes on."""
    loan = await lock_loan(unit, approval.loan_id)
    if loan.state != "active":
        return
    # The row in hand is from before the decision.
    ended = (
        await unit.conn.execute(
            select(approvals.c.state, approvals.c.decision_note).where(
                approvals.c.id == approval.id
            )
        )
    ).one()
    did = "did not agree to" if ended.state == ApprovalState.REFUSED.value else "withdrew"
    await open_task(
        unit,
        now,
        borrower_id=loan.borrower_id,
        case_id=approval.case_id,
        reason=TaskReason.REVIEW_CASE,
        cause=approval.id,
        situation={
            "because": f"{actor} {did} the {_NAMES[approval.kind]}"
            + (f": “{ended.decision_note}”" if ended.decision_note else ""),
            "loan": loan.external_ref,
        },
        lender_id=loan.lender_id,
    )


async def _in_flight(unit: Unit, loan: Row[Any]) -> bool:
    if loan.case_id is None:
        return False
    state = await unit.conn.scalar(select(cases.c.state).where(cases.c.id == loan.case_id))
    return state == CaseState.IN_FLIGHT.value
