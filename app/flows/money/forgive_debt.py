"""Carry out an approved forgiveness: a part of the debt, or all of it, is owed no more."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, insert, select

from app.domain.approval import ApprovalKind
from app.domain.case import CaseClose
from app.domain.errors import Conflict
from app.domain.four_eyes import gives_up, proposing_act
from app.domain.ids import OURS
from app.domain.money import Money
from app.domain.roles import Role, may
from app.flows.cases.refresh_loan import refresh_loan
from app.flows.money.apply_money import apply_money
from app.store import timeline
from app.store.approvals import add_adjustment, forgiven_so_far, unpaid_in_all
from app.store.keys import new_id
from app.store.loans import lock_loan
from app.store.tables import repayments, users
from app.store.timeline import Kind, Line
from app.store.unit import Unit

SOURCE: Final = "forgiven"
"""The source of a row in `repayments` that no money came with. Sums of money leave it out."""


async def forgive_debt(unit: Unit, now: datetime, approval: Row[Any], *, actor: str) -> None:
    """Take the amount off the instalments, oldest due first, in the caller's transaction.

    Raises `Conflict` when the loan is not active, or owes less than that by now: forgiving more
    than is owed would hide that money came. So it does when money came and what was a part of the
    debt is nearly all of it now, unless who proposed it may propose a write-off.
    """
    loan = await lock_loan(unit, approval.loan_id)
    amount = Money(approval.amount_minor, approval.currency)
    if loan.state != "active":
        raise Conflict("This loan is not worked any more.", code="LoanNotActive")
    owed = await unpaid_in_all(unit, loan.id, loan.currency)
    if owed < amount:
        raise Conflict(f"Only {owed} is unpaid by now. Propose the rest anew.", code="OwedLessNow")
    await _check_still_a_part(unit, approval, amount, owed)
    applied = await apply_money(unit, loan, amount, now=now, due_only=False)
    repayment_id = new_id()
    await unit.conn.execute(
        insert(repayments).values(
            id=repayment_id,
            lender_id=loan.lender_id,
            loan_id=loan.id,
            # In the name space of our own rows, where no lender's reference can be.
            external_ref=f"{OURS}forgiven:{approval.id}",
            source=SOURCE,
            amount_minor=amount.minor,
            applied_minor=applied.minor,
            currency=amount.currency,
            paid_at=now,
            recorded_at=now,
        )
    )
    adjustment_id = await add_adjustment(
        unit,
        now,
        approval,
        kind=ApprovalKind.FORGIVENESS,
        amount=amount,
        repayment_id=repayment_id,
    )
    details = {
        "adjustment_id": str(adjustment_id),
        "approval_id": str(approval.id),
        "amount_minor": amount.minor,
        "currency": amount.currency,
    }
    line = Line(loan.borrower_id, Kind.FORGIVEN, actor, details, approval.case_id, loan.lender_id)
    await timeline.write(unit, now, [line])
    await refresh_loan(unit, now, loan.id, because=CaseClose.NOT_DUE)


async def _check_still_a_part(unit: Unit, approval: Row[Any], amount: Money, owed: Money) -> None:
    forgiven = await forgiven_so_far(unit, approval.loan_id, owed.currency)
    if approval.proposer_id is None or not gives_up(amount, owed=owed, forgiven=forgiven):
        return
    role = await unit.conn.scalar(select(users.c.role).where(users.c.id == approval.proposer_id))
    if not may(Role(str(role)), proposing_act(ApprovalKind.FORGIVENESS, whole=True)):
        raise Conflict(
            f"Only {owed} is unpaid by now, and this would leave next to nothing of it: that is "
            "a write-off. Somebody who may propose one proposes it anew.",
            code="OwedLessNow",
        )
