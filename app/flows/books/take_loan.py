"""Take over a loan of a released book with its schedule, and the money that came in before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select

from app.domain.book_rows import RepaymentRow
from app.domain.bulk_file import RowVerdict
from app.domain.case import CaseClose
from app.domain.errors import Conflict, NotFound
from app.flows.books.check_book import IN_THE_BOOK
from app.flows.books.read_book import BookRow, Reading, read_row, schedule_of
from app.flows.books.register_loan import LoanWanted, put_loan
from app.flows.cases.refresh_loan import refresh_loan
from app.flows.money.ask_for_refund import ask_for_refund
from app.flows.money.book_repayment import book_repayment
from app.flows.payments.settle_reported import settle_reported
from app.store.keys import new_id
from app.store.loans import lock_loan, paid
from app.store.payments import find_by_reference
from app.store.tables import loans, repayments
from app.store.unit import Unit


async def take_loan(
    unit: Unit,
    now: datetime,
    borrower_id: UUID,
    reading: Reading,
    row: BookRow,
    instalments: Sequence[BookRow],
) -> None:
    """Register a loan with its instalments; one that is in the book by now stays as it is."""
    record = read_row(row, reading, "")
    of_this = [one for one in instalments if one.cells["loan_ref"] == record.ref]
    parts = [read_row(one, reading, record.currency) for one in of_this]
    made = await put_loan(
        unit,
        now,
        borrower_id,
        LoanWanted(
            borrower_ref=record.borrower_ref,
            external_ref=record.ref,
            product=record.product,
            currency=record.currency,
            as_of=record.as_of,
            schedule=schedule_of(record, parts, now),
        ),
        update_known=False,
    )
    if not made.created:
        for one in (row, *of_this):
            one.refuse(RowVerdict.DUPLICATE, IN_THE_BOOK)


async def find_his_loan(unit: Unit, borrower_id: UUID, ref: str) -> UUID:
    """A loan of this borrower. Raises `NotFound`, and `Conflict` when it is somebody else's."""
    found = (
        await unit.conn.execute(
            select(loans.c.id, loans.c.borrower_id).where(
                loans.c.lender_id == unit.lender_id, loans.c.external_ref == ref
            )
        )
    ).one_or_none()
    if found is None:
        raise NotFound(f"There is no loan {ref!r}.")
    if found.borrower_id != borrower_id:
        raise Conflict(f"The loan {ref!r} is another borrower's.")
    return UUID(str(found.id))


async def take_repayments(
    unit: Unit, now: datetime, borrower_id: UUID, reading: Reading, rows: Sequence[BookRow]
) -> None:
    """Book what came in. Money by the day of the loan's schedule stands in it already.

    Of such money only the record is made: the ledger it comes from has taken it off. It counts as
    known since it came, and as taken off as far as the instalments show it, the newest first, so
    that a payment that bounces later is put back exactly.
    """
    for ref in dict.fromkeys(row.cells["loan_ref"] for row in rows):
        loan = await lock_loan(unit, await find_his_loan(unit, borrower_id, ref))
        records = [
            read_row(row, reading, loan.currency) for row in rows if row.cells["loan_ref"] == ref
        ]
        left = sum(one.paid_minor for one in await paid(unit, loan.id))
        for record in sorted(records, key=lambda one: one.paid_at, reverse=True):
            if record.paid_at <= loan.owed_as_of:
                applied = min(record.amount.minor, left)
                left -= applied
                await _history(unit, loan, record, applied)
        for record in sorted(records, key=lambda one: one.paid_at):
            if record.paid_at > loan.owed_as_of:
                await _newer(unit, now, loan, record)
        await refresh_loan(unit, now, loan.id, because=CaseClose.PAID_ELSEWHERE)
        for record in records:
            payment_id = await find_by_reference(unit, borrower_id, record.ref)
            if payment_id is not None:
                await settle_reported(unit, now, payment_id)


async def _newer(unit: Unit, now: datetime, loan: Row[Any], record: RepaymentRow) -> None:
    """Money that the schedule does not know yet; what no instalment takes is a person's task."""
    booked = await book_repayment(
        unit,
        now,
        loan_id=loan.id,
        amount=record.amount,
        external_ref=record.ref,
        source="lender",
        paid_at=record.paid_at,
        payment_id=await find_by_reference(unit, loan.borrower_id, record.ref),
    )
    await ask_for_refund(
        unit,
        now,
        loan,
        paid=record.amount,
        overpaid=booked.overpaid,
        external_ref=record.ref,
        told_by="import",
    )


async def _history(unit: Unit, loan: Row[Any], record: RepaymentRow, applied: int) -> None:
    known = await unit.conn.scalar(
        select(repayments.c.id).where(
            repayments.c.loan_id == loan.id, repayments.c.external_ref == record.ref
        )
    )
    if known is not None:
        return
    await unit.conn.execute(
        insert(repayments).values(
            id=new_id(),
            lender_id=unit.lender_id,
            loan_id=loan.id,
            external_ref=record.ref,
            payment_id=await find_by_reference(unit, loan.borrower_id, record.ref),
            source="lender",
            amount_minor=record.amount.minor,
            applied_minor=applied,
            currency=record.amount.currency,
            paid_at=record.paid_at,
            recorded_at=record.paid_at,
            counted=True,
        )
    )
