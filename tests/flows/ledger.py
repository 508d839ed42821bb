"""A lender's ledger in a test's hand: loans, reports of money, and payments of ours."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import insert

from app.domain.ids import LoanId
from app.domain.money import Money
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.books.register_loan import LoanRegistered, LoanWanted, register_loan
from app.flows.money.book_repayment import Booked, book_repayment
from app.flows.money.report_repayment import RepaymentReported, RepaymentWanted, report_repayment
from app.store.keys import new_id
from app.store.loans import Scheduled
from app.store.tables import payments
from tests.flows.street import Street


def euros(minor: int) -> Money:
    """So many cents."""
    return Money(minor, "EUR")


async def registered(street: Street, *schedule: Scheduled, ref: str = "L1") -> LoanRegistered:
    """A borrower `B` with one loan, known as of now; opens no case."""
    await register_borrower(
        street.house,
        street.now,
        street.lender_id,
        BorrowerWanted(external_ref="B", name="Eva", country="ES", language="es"),
    )
    wanted = LoanWanted("B", ref, "Loan", "EUR", street.now, schedule)
    return await register_loan(street.house, street.now, street.lender_id, wanted)


def days(street: Street, count: int) -> date:
    """So many days from today where the lender is."""
    return (street.now + timedelta(days=count)).date()


async def paid(street: Street, loan_id: LoanId) -> list[tuple[int, int]]:
    """(amount, paid) of the instalments in order."""
    rows = await street.rows(
        "SELECT amount_minor, paid_minor FROM instalments WHERE loan_id = :id ORDER BY number",
        id=loan_id,
    )
    return [(row.amount_minor, row.paid_minor) for row in rows]


async def report(
    street: Street, ref: str, minor: int, *, loan: str = "L1", **named: object
) -> RepaymentReported:
    """The lender reports money."""
    wanted = RepaymentWanted(ref, euros(minor), street.now, **named)  # type: ignore[arg-type]
    return await report_repayment(street.house, street.now, street.lender_id, loan, wanted)


async def settled(street: Street, loan_id: LoanId, minor: int, payment_id: UUID) -> Booked:
    """Our own settlement of a payment reaches the loan."""
    async with street.store.unit(street.lender_id) as unit:
        return await book_repayment(
            unit,
            street.now,
            loan_id=loan_id,
            amount=euros(minor),
            external_ref=str(payment_id),
            source="saldo",
            paid_at=street.now,
            payment_id=payment_id,
        )


async def payment_of(street: Street, borrower_id: UUID, minor: int) -> UUID:
    """A Saldo payment of this amount, on its way."""
    payment_id = new_id()
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(
            insert(payments).values(
                id=payment_id,
                lender_id=street.lender_id,
                borrower_id=borrower_id,
                key=new_id(),
                connector="berlin_group",
                bank_id="caja",
                amount_minor=minor,
                currency="EUR",
                state="authorised",
                end_to_end_ref=payment_id.hex,
                return_hash=payment_id.bytes,
                return_enc=b"-",
                payer_enc=b"-",
                created_at=street.now,
                authorised_at=street.now,
            )
        )
    return payment_id
