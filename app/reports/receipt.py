"""What a borrower may keep of one payment: amount, to whom, when, reference, what is left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Select, select

from app.domain.money import Money
from app.domain.payment import PaymentState
from app.store.dues import dues_of
from app.store.payments import RETURN_HASH
from app.store.tables import borrowers, lenders, payments
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class Receipt:
    """One payment. `left` holds what is still due, one sum per currency; empty: nothing.

    `at` is when it arrived, or as far as it got; `link_id` the link through which it was begun.
    """

    state: PaymentState
    amount: Money
    creditor: str
    at: datetime
    reference: str
    left: tuple[Money, ...]
    zone: ZoneInfo
    link_id: UUID | None


async def receipt_of_return(unit: Unit, now: datetime, return_token: str) -> Receipt | None:
    """The payment that this return address belongs to."""
    digest = unit.vault.digest(RETURN_HASH, return_token)
    return await _receipt(unit, now, _payment().where(payments.c.return_hash == digest))


async def receipt_of_link(unit: Unit, now: datetime, link_id: UUID) -> Receipt | None:
    """The newest payment begun through a link."""
    query = _payment().where(payments.c.link_id == link_id)
    return await _receipt(unit, now, query)


def _payment() -> Select[Any]:
    return (
        select(
            payments,
            lenders.c.creditor_name,
            lenders.c.time_zone.label("lender_zone"),
            borrowers.c.time_zone,
        )
        .join(lenders, lenders.c.id == payments.c.lender_id)
        .join(borrowers, borrowers.c.id == payments.c.borrower_id)
        .order_by(payments.c.created_at.desc(), payments.c.id.desc())
        .limit(1)
    )


async def _receipt(unit: Unit, now: datetime, query: Select[Any]) -> Receipt | None:
    row: Row[Any] | None = (await unit.conn.execute(query)).one_or_none()
    if row is None:
        return None
    left: dict[str, Money] = {}
    for due in (await dues_of(unit, (row.borrower_id,), now)).get(row.borrower_id, ()):
        left[due.currency] = left.get(due.currency, Money.zero(due.currency)) + due.amount
    return Receipt(
        state=PaymentState(row.state),
        amount=Money(row.amount_minor, row.currency),
        creditor=row.creditor_name,
        at=row.settled_at or row.authorised_at or row.created_at,
        reference=row.end_to_end_ref,
        left=tuple(left.values()),
        zone=ZoneInfo(row.time_zone or row.lender_zone),
        link_id=row.link_id,
    )
