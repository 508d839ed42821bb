"""Carry out an approved reversal: another entry that undoes one, and takes nothing away."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from app.domain.approval import ApprovalKind
from app.domain.case import CaseClose
from app.domain.errors import Conflict
from app.domain.money import Money
from app.domain.task import TaskReason
from app.flows.cases.refresh_loan import refresh_loan
from app.flows.cases.reopen_case import reopen_case
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.money.apply_money import put_back
from app.flows.work.open_task import open_task
from app.store import timeline
from app.store.accounts import schedule_reads
from app.store.approvals import add_adjustment, adjustment
from app.store.loans import keep_next_due, lock_loan
from app.store.tables import loans, repayments
from app.store.timeline import Kind, Line
from app.store.unit import Unit


async def reverse_adjustment(unit: Unit, now: datetime, approval: Row[Any], *, actor: str) -> None:
    """Undo a write-off or a forgiveness in the caller's transaction.

    The loan is as it was, less the money that came meanwhile; its last case is open again when
    something is due, with a task: a person says how it goes on, nothing leaves by itself. Raises
    `Conflict` when the entry was reversed already, or the loan is not in the state it led to.
    """
    loan = await lock_loan(unit, approval.loan_id)
    entry = await adjustment(unit, approval.subject_id)
    if entry.reversed:
        raise Conflict("This entry was reversed already.", code="ReversedAlready")
    kind = ApprovalKind(entry.kind)
    if kind is ApprovalKind.WRITE_OFF:
        await _owed_again(unit, loan)
    else:
        await _unforgive(unit, now, loan, entry)
    amount = Money(entry.amount_minor, entry.currency)
    reversal_id = await add_adjustment(
        unit, now, approval, kind=ApprovalKind.REVERSAL, amount=amount, reverses_id=entry.id
    )
    details = {
        "adjustment_id": str(reversal_id),
        "reverses": str(entry.id),
        "kind": kind.value,
        "amount_minor": amount.minor,
        "currency": amount.currency,
    }
    line = Line(loan.borrower_id, Kind.REVERSED, actor, details, approval.case_id, loan.lender_id)
    await timeline.write(unit, now, [line])
    case_id = await _work_again(unit, now, loan, kind, approval, actor)
    if kind is ApprovalKind.WRITE_OFF:
        await tell_lender(
            unit,
            now,
            event=LenderEvent.REINSTATED,
            subject_id=reversal_id,
            payload={
                "loan": loan.external_ref,
                "adjustment_id": str(reversal_id),
                "reverses": str(entry.id),
                "amount": {"minor": amount.minor, "currency": amount.currency},
                "case_id": str(case_id) if case_id else None,
                "at": now.isoformat(),
            },
            lender_id=loan.lender_id,
        )


async def _owed_again(unit: Unit, loan: Row[Any]) -> None:
    if loan.state != "written_off":
        raise Conflict("This loan is not written off any more.", code="LoanNotWrittenOff")
    await unit.conn.execute(
        update(loans).where(loans.c.id == loan.id).values(state="active", collection_ended_at=None)
    )


async def _unforgive(unit: Unit, now: datetime, loan: Row[Any], entry: Row[Any]) -> None:
    """Put back exactly what the forgiveness took off, as with money that is returned."""
    taken = (
        await unit.conn.execute(
            select(repayments.c.id, repayments.c.applied_minor).where(
                repayments.c.id == entry.repayment_id
            )
        )
    ).one()
    await unit.conn.execute(
        update(repayments).where(repayments.c.id == taken.id).values(reversed_at=now)
    )
    await put_back(unit, loan.id, taken.applied_minor)


async def _work_again(
    unit: Unit,
    now: datetime,
    loan: Row[Any],
    kind: ApprovalKind,
    approval: Row[Any],
    actor: str,
) -> Any:
    await keep_next_due(unit, (loan.id,))
    await refresh_loan(unit, now, loan.id, because=CaseClose.NOT_DUE)
    again = await lock_loan(unit, loan.id)
    because = {"why": f"{kind.value}_reversed", "approval_id": str(approval.id)}
    case_id = await reopen_case(unit, now, again, actor=actor, because=because)
    if case_id is not None and loan.case_id is None:
        await open_task(
            unit,
            now,
            borrower_id=loan.borrower_id,
            case_id=case_id,
            reason=TaskReason.REVIEW_CASE,
            cause=approval.id,
            situation={"because": "What was given up is owed again.", "loan": loan.external_ref},
            lender_id=loan.lender_id,
        )
        await schedule_reads(unit, (loan.borrower_id,), now)
    return case_id
