"""Take money off a loan's instalments, and put it back: the arithmetic both ways."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from app.domain.allocation import OpenDue, spread
from app.domain.money import Money
from app.store.loans import add_paid, paid, today_of, unpaid
from app.store.unit import Unit


async def apply_money(
    unit: Unit, loan: Row[Any], amount: Money, *, now: datetime, due_only: bool
) -> Money:
    """Spread `amount` over the unpaid instalments, oldest due first; returns what they took.

    `due_only` leaves instalments alone whose day has not come where the lender is. A loan that
    is closed takes nothing; one that is written off does, for the debt is still owed. The caller
    holds the lock on the loan.
    """
    if loan.state == "closed":
        return Money.zero(amount.currency)
    waiting = await unpaid(unit, loan.id)
    if due_only:
        today = await today_of(unit, loan.lender_id, now)
        waiting = [one for one in waiting if one.due_on <= today]
    result = spread(
        amount,
        [OpenDue(one.id, one.due_on, Money(one.left_minor, amount.currency)) for one in waiting],
    )
    await add_paid(unit, {part.ref: part.amount.minor for part in result.parts})
    return amount - result.left_over


async def put_back(unit: Unit, loan_id: UUID, amount_minor: int) -> None:
    """Make `amount_minor` unpaid again, youngest due first: the way it came, backwards."""
    left = amount_minor
    changes: dict[UUID, int] = {}
    for one in await paid(unit, loan_id):
        if left == 0:
            break
        taken = min(left, one.paid_minor)
        changes[one.id] = -taken
        left -= taken
    await add_paid(unit, changes)
