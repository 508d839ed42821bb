"""Put money on a loan, once, whoever reports it first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, func, insert, select

from app.domain.errors import Conflict, Invalid
from app.domain.ids import OURS
from app.domain.money import Money
from app.flows.money.apply_money import apply_money
from app.store import timeline
from app.store.dues import due_of_loan
from app.store.keys import new_id
from app.store.loans import lock_loan
from app.store.tables import payments, repayments
from app.store.timeline import Kind, Line
from app.store.unit import Unit

Source = Literal["lender", "saldo"]


@dataclass(frozen=True, slots=True)
class Booked:
    """What a report of money did. `counted` is False when the same money was counted before.

    `overpaid` is what no instalment took; `remaining_due` what is due and unpaid now.
    """

    counted: bool
    overpaid: Money
    remaining_due: Money


async def book_repayment(
    unit: Unit,
    now: datetime,
    *,
    loan_id: UUID,
    amount: Money,
    external_ref: str,
    source: Source,
    paid_at: datetime,
    payment_id: UUID | None = None,
) -> Booked:
    """Spread `amount` over the loan's instalments, oldest due first. The caller refreshes the loan.

    The lender's money serves every instalment, as his ledger would. Money that came through us
    serves what is due today and nothing later: nobody who was asked for what is due has chosen to
    pay in advance, so the rest is `overpaid` and a person's decision.

    `payment_id` names the Saldo payment that this money is. A lender's report and our own
    settlement of one payment are the same money: whichever comes second changes nothing. The same
    `external_ref` again is harmless; with another amount it is a `Conflict`. Raises `Invalid` for
    another currency than the loan's, or for an amount that is not above zero.
    """
    loan = await lock_loan(unit, loan_id)
    if amount.currency != loan.currency:
        raise Invalid(
            "currency",
            f"the loan is in {loan.currency}.",
            mend=f"Give the amount in {loan.currency}.",
        )
    if amount.minor <= 0:
        raise Invalid("amount", "must be above zero.")
    # Our own rows live in a name space of their own, so that a lender may use our end-to-end
    # reference as his.
    stored_ref = external_ref if source == "lender" else OURS + external_ref
    nothing = Money.zero(amount.currency)
    if await _known(unit, loan_id, stored_ref, amount):
        return Booked(False, nothing, await _remaining(unit, loan, now))

    fresh = await _not_counted_yet(unit, loan, amount, source, payment_id)
    applied = await apply_money(unit, loan, fresh, now=now, due_only=source == "saldo")
    repayment_id = new_id()
    await unit.conn.execute(
        insert(repayments).values(
            id=repayment_id,
            lender_id=loan.lender_id,
            loan_id=loan_id,
            external_ref=stored_ref,
            source=source,
            amount_minor=amount.minor,
            applied_minor=applied.minor,
            currency=amount.currency,
            paid_at=paid_at,
            recorded_at=now,
            payment_id=payment_id,
            counted=bool(fresh),
        )
    )
    details = {
        "repayment_id": str(repayment_id),
        "payment_id": str(payment_id) if payment_id else None,
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "paid_at": paid_at.isoformat(),
        "counted": bool(fresh),
    }
    line = Line(
        loan.borrower_id, Kind.REPAYMENT_RECORDED, source, details, loan.case_id, loan.lender_id
    )
    await timeline.write(unit, now, [line])
    return Booked(bool(fresh), fresh - applied, await _remaining(unit, loan, now))


async def _known(unit: Unit, loan_id: UUID, stored_ref: str, amount: Money) -> bool:
    """Was this very report booked before? Raises `Conflict` when it said something else then."""
    before = await unit.conn.scalar(
        select(repayments.c.amount_minor).where(
            repayments.c.loan_id == loan_id, repayments.c.external_ref == stored_ref
        )
    )
    if before is not None and before != amount.minor:
        raise Conflict("This reference was reported before with another amount.")
    return before is not None


async def _not_counted_yet(
    unit: Unit, loan: Row[Any], amount: Money, source: Source, payment_id: UUID | None
) -> Money:
    """The part of `amount` that no other report of the same payment has counted.

    Once we have booked a settlement, every report of it by the lender is a repeat. Before that,
    the lender's reports count, and our settlement adds what they left out: he may put the whole
    of a payment for two loans on one of them. Never more than the payment is counted.
    """
    if payment_id is None:
        return amount
    rows = await unit.conn.execute(
        select(repayments.c.source, repayments.c.loan_id, func.sum(repayments.c.amount_minor))
        .where(repayments.c.payment_id == payment_id, repayments.c.counted)
        .group_by(repayments.c.source, repayments.c.loan_id)
    )
    counted = {(row[0], row[1]): int(row[2]) for row in rows}
    settled = any(whose == "saldo" for whose, _ in counted)
    if settled if source == "lender" else ("lender", loan.id) in counted:
        return Money.zero(amount.currency)
    reported = sum(total for (whose, _), total in counted.items() if whose == "lender")
    if not reported:
        return amount
    whole = await unit.conn.scalar(
        select(payments.c.amount_minor).where(payments.c.id == payment_id)
    )
    left = max(0, int(whole or 0) - reported)
    return min(amount, Money(left, amount.currency))


async def _remaining(unit: Unit, loan: Row[Any], now: datetime) -> Money:
    due = await due_of_loan(unit, loan.id, now)
    return due.amount if due else Money.zero(loan.currency)
