"""Where the unit's lender is paid, currency by currency, and what waits for a second person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app.domain.account import BankAccount
from app.domain.approval import ApprovalKind
from app.domain.payee import EUR
from app.store.approvals import waiting
from app.store.payees import every_payee, waiting_changes
from app.store.tables import lenders, loans
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class PayeeChange:
    """Another account that somebody proposed. It masks itself; those who decide compare it."""

    account: BankAccount
    made_by: str
    made_at: datetime
    approval_id: UUID | None


@dataclass(frozen=True, slots=True)
class PayeeLine:
    """One currency. `lent`: loans in it are worked; without an `account` nobody can pay them."""

    currency: str
    account: BankAccount | None
    lent: bool
    change: PayeeChange | None


async def payee_lines(unit: Unit) -> tuple[PayeeLine, ...]:
    """Every currency that is lent, paid or proposed, and EUR where there is none yet."""
    lender = (await unit.conn.execute(select(lenders).where(lenders.c.id == unit.lender_id))).one()
    paid = await every_payee(unit, lender)
    lent = set(
        await unit.conn.scalars(
            select(loans.c.currency).where(loans.c.state == "active").distinct()
        )
    )
    changes = {
        currency: PayeeChange(
            account, row.made_by, row.made_at, await waiting(unit, ApprovalKind.PAYEE, row.id)
        )
        for currency, (row, account) in (await waiting_changes(unit)).items()
    }
    named = {*paid, *lent, *changes} or {EUR}
    return tuple(
        PayeeLine(one, paid.get(one), one in lent, changes.get(one)) for one in sorted(named)
    )
