"""Take a repayment that reached the lender, however it was made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select

from app.domain.case import CaseClose
from app.domain.errors import Invalid
from app.domain.ids import LenderId, LoanId, check_not_ours
from app.domain.money import Money
from app.flows.books.register_borrower import check_ref
from app.flows.cases.refresh_loan import refresh_loan
from app.flows.house import House
from app.flows.money.ask_for_refund import ask_for_refund
from app.flows.money.book_repayment import book_repayment
from app.flows.payments.settle_reported import settle_reported
from app.store.loans import find_loan, lock_loan
from app.store.payments import find_by_reference
from app.store.tables import payments
from app.store.unit import Unit

_SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class RepaymentWanted:
    """What the lender's ledger says came in. `external_ref` is the lender's name for it.

    `payment_id` or `end_to_end_ref` say that it is the money of a Saldo payment; the lender's
    own reference may also simply be our end-to-end reference.
    """

    external_ref: str
    amount: Money
    paid_at: datetime
    payment_id: UUID | None = None
    end_to_end_ref: str | None = None


@dataclass(frozen=True, slots=True)
class RepaymentReported:
    """`counted` is False when the same money was counted before."""

    loan_id: LoanId
    counted: bool
    overpaid: Money
    remaining_due: Money
    case_closed: bool


async def report_repayment(
    house: House, now: datetime, lender_id: LenderId, loan_ref: str, wanted: RepaymentWanted
) -> RepaymentReported:
    """Book the money and close the case when nothing is due any more.

    A Saldo payment whose whole money was reported has settled, whatever its bank says. What no
    instalment takes is a task for a person: it may be owed back.

    The same report again changes nothing. Raises `NotFound` for an unknown loan, `Invalid`
    naming the field (a payment that is not this borrower's, too), and `Conflict` for a known
    `external_ref` with another amount.
    """
    check_ref(wanted.external_ref)
    check_not_ours(wanted.external_ref)
    if wanted.paid_at.tzinfo is None or wanted.paid_at > now + _SKEW:
        raise Invalid("paid_at", "must be a moment in the past, with its time zone.")
    async with house.store.unit(lender_id) as unit:
        loan = await lock_loan(unit, await find_loan(unit, loan_ref))
        payment_id = await _payment(unit, loan.borrower_id, wanted)
        booked = await book_repayment(
            unit,
            now,
            loan_id=loan.id,
            amount=wanted.amount,
            external_ref=wanted.external_ref,
            source="lender",
            paid_at=wanted.paid_at,
            payment_id=payment_id,
        )
        ours = payment_id is not None
        because = CaseClose.PAID_THROUGH_SALDO if ours else CaseClose.PAID_ELSEWHERE
        after = await refresh_loan(unit, now, loan.id, because=because)
        if payment_id is not None:
            await settle_reported(unit, now, payment_id)
        await ask_for_refund(
            unit,
            now,
            loan,
            paid=wanted.amount,
            overpaid=booked.overpaid,
            external_ref=wanted.external_ref,
            told_by="api",
        )
        return RepaymentReported(
            LoanId(loan.id),
            booked.counted,
            booked.overpaid,
            booked.remaining_due,
            after.closed_case is not None,
        )


async def _payment(unit: Unit, borrower_id: UUID, wanted: RepaymentWanted) -> UUID | None:
    """The Saldo payment that the report speaks of; None when it speaks of none."""
    named = wanted.payment_id is not None or wanted.end_to_end_ref is not None
    if not named:
        return await find_by_reference(unit, borrower_id, wanted.external_ref)
    query = select(payments.c.id).where(payments.c.borrower_id == borrower_id)
    if wanted.payment_id is not None:
        query = query.where(payments.c.id == wanted.payment_id)
    if wanted.end_to_end_ref is not None:
        query = query.where(payments.c.end_to_end_ref == wanted.end_to_end_ref)
    found: UUID | None = await unit.conn.scalar(query)
    if found is None:
        field = "payment_id" if wanted.payment_id is not None else "end_to_end_ref"
        raise Invalid(
            field,
            "is not a payment of this borrower.",
            mend="Use an id from this borrower's payments.",
        )
    return found
