"""Undo a payment's money on the loans: the bank returned it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from app.flows.actors import ROBOT
from app.flows.cases.reopen_case import reopen_case
from app.flows.money.apply_money import put_back
from app.flows.work.judge_promises import judge_after_return
from app.store.accounts import schedule_reads
from app.store.loans import keep_next_due, lock_loan
from app.store.strategies import wake_cases
from app.store.tables import repayments
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
        because = {"why": "payment_returned", "payment_id": str(payment_id)}
        case_id = await reopen_case(unit, now, loan, actor=ROBOT, because=because)
        taken[loan.id] = TakenBack(loan.id, case_id)
        await judge_after_return(unit, now, loan.id)
        await schedule_reads(unit, (loan.borrower_id,), now)
        await wake_cases(unit, now, borrower_id=loan.borrower_id)
    return list(taken.values())
