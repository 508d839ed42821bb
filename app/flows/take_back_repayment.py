"""Undo a payment's money on the loans: the bank returned it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update

from app.domain.case import CASE
from app.flows.actors import ROBOT
from app.flows.apply_money import put_back
from app.flows.tell_lender import LenderEvent, tell_lender
from app.store import timeline
from app.store.accounts import schedule_reads
from app.store.dues import due_of_loan
from app.store.loans import keep_next_due, lock_loan
from app.store.moves import move
from app.store.strategies import wake_cases
from app.store.tables import cases, loans, repayments
from app.store.timeline import Kind, Line
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class TakenBack:
    """`case_id` is the loan's open case now; None when nothing of it is due yet."""

    loan_id: UUID
    case_id: UUID | None


async def take_back_repayment(unit: Unit, now: datetime, payment_id: UUID) -> list[TakenBack]:
    """Put back what the payment took off its loans, whoever had reported it, and reopen cases.

    A loan with something due again goes on with its last case instead of getting a new one.
    Called again it does nothing and returns nothing.
    """
    rows = await unit.conn.execute(
        select(repayments.c.id, repayments.c.loan_id, repayments.c.applied_minor)
        .where(
            repayments.c.payment_id == payment_id,
            repayments.c.counted,
            repayments.c.reversed_at.is_(None),
        )
        .order_by(repayments.c.loan_id)
    )
    taken: dict[UUID, TakenBack] = {}
    for row in rows.all():
        loan = await lock_loan(unit, row.loan_id)
        undone = await unit.conn.execute(
            update(repayments)
            .where(repayments.c.id == row.id, repayments.c.reversed_at.is_(None))
            .values(reversed_at=now)
        )
        if undone.rowcount == 0:
            continue
        await put_back(unit, loan.id, row.applied_minor)
        await keep_next_due(unit, (loan.id,))
        taken[loan.id] = TakenBack(loan.id, await _reopen(unit, now, loan, payment_id))
        await schedule_reads(unit, (loan.borrower_id,), now)
        await wake_cases(unit, now, borrower_id=loan.borrower_id)
    return list(taken.values())


async def _reopen(unit: Unit, now: datetime, loan: Row[Any], payment_id: UUID) -> UUID | None:
    if loan.case_id is not None:
        return UUID(str(loan.case_id))
    if await due_of_loan(unit, loan.id, now) is None:
        return None
    last: UUID | None = await unit.conn.scalar(
        select(cases.c.id)
        .where(cases.c.loan_id == loan.id)
        .order_by(cases.c.opened_at.desc(), cases.c.id.desc())
        .limit(1)
    )
    if last is None:
        # Paid before it was due: the next tick opens its first case.
        return None
    await move(unit, cases, last, CASE, "reopen", closed_at=None, close_reason=None)
    await unit.conn.execute(update(loans).where(loans.c.id == loan.id).values(case_id=last))
    details = {"why": "payment_returned", "payment_id": str(payment_id), "loan_id": str(loan.id)}
    line = Line(loan.borrower_id, Kind.CASE_REOPENED, ROBOT, details, last, loan.lender_id)
    await timeline.write(unit, now, [line])
    await tell_lender(
        unit,
        now,
        event=LenderEvent.CASE_OPENED,
        subject_id=last,
        payload={
            "case_id": str(last),
            "loan": loan.external_ref,
            "reopened": True,
            "opened_at": now.isoformat(),
        },
        ordinal=int(now.timestamp()),
        lender_id=loan.lender_id,
    )
    return last
