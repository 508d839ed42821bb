"""What comes when a strategy brought nothing: people decide. A step of its caller's unit."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import update

from app.domain.approval import ApprovalKind
from app.domain.case import CaseClose
from app.domain.ids import derive_key
from app.domain.stage_plan import Step, StepKind
from app.domain.task import TaskReason
from app.flows.actors import ROBOT
from app.flows.approvals.propose_approval import propose
from app.flows.cases.cases_in_hand import InHand
from app.flows.cases.look_at_person import Person
from app.flows.cases.refresh_loan import close_case
from app.flows.work.open_task import open_task
from app.store.loans import lock_loan
from app.store.placements import active_agencies
from app.store.tables import loans
from app.store.unit import Unit


async def end_strategy(
    unit: Unit, now: datetime, person: Person, hand: InHand, step: Step
) -> UUID | None:
    """Carry the end of one case out; returns the task it became, if it did.

    Closing a case as failed ends the collection, not the debt: it stays on the books, and the
    case opens again when its lender or a payment gives a reason. A write-off and a placement with
    an agency are only proposed; where there is no agency a person looks. The caller holds the
    borrower's lock.
    """
    if step.kind is StepKind.CLOSE:
        loan = await lock_loan(unit, hand.due.loan_id)
        await unit.conn.execute(
            update(loans).where(loans.c.id == loan.id).values(collection_ended_at=now)
        )
        await close_case(unit, now, loan, CaseClose.FAILED)
        return None
    if step.kind is StepKind.PROPOSE_WRITE_OFF:
        await _propose(unit, now, hand, ApprovalKind.WRITE_OFF, hand.due.loan_id)
        return None
    if step.kind is StepKind.PROPOSE_PLACEMENT and await active_agencies(unit):
        # Which agency it is, people choose when they put their name to it.
        await _propose(unit, now, hand, ApprovalKind.PLACEMENT, hand.case_id)
        return None
    return await open_task(
        unit,
        now,
        borrower_id=person.id,
        case_id=hand.case_id,
        reason=TaskReason.REVIEW_CASE,
        cause=derive_key(hand.due.loan_id, step.key),
        situation={
            "why": step.kind.value,
            "days_past_due": hand.facts.days_past_due,
            "calls": len(hand.facts.calls),
        },
    )


async def _propose(
    unit: Unit, now: datetime, hand: InHand, kind: ApprovalKind, subject_id: UUID
) -> None:
    await propose(
        unit,
        now,
        kind=kind,
        subject_id=subject_id,
        reason=_reason(hand),
        actor=ROBOT,
        considered={
            "strategy": hand.body.name,
            "days_past_due": hand.facts.days_past_due,
            "calls": [f"{call.on.isoformat()} {call.outcome}" for call in hand.facts.calls],
        },
    )


def _reason(hand: InHand) -> str:
    days = hand.facts.days_past_due
    calls = len(hand.facts.calls)
    return (
        f"The strategy {hand.body.name} came to its end {days} days past due: "
        f"{calls} calls brought no promise."
    )
