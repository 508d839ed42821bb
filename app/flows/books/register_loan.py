"""Take a loan with its instalments over from the lender's system."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.case import CaseClose
from app.domain.errors import Conflict, Invalid
from app.domain.ids import LenderId, LoanId
from app.domain.money import currency_digits
from app.flows.books.register_borrower import check_ref
from app.flows.cases.refresh_loan import refresh_loan
from app.flows.house import House
from app.flows.money.confirm_owed import check_schedule, take_schedule
from app.store import timeline
from app.store.borrowers import find_borrower
from app.store.keys import new_id
from app.store.loans import Scheduled, lock_loan
from app.store.tables import loans
from app.store.timeline import Kind, Line
from app.store.unit import Unit

_LONGEST_PRODUCT: Final = 80


@dataclass(frozen=True, slots=True)
class LoanWanted:
    """A loan as the lender's ledger holds it at `as_of` (aware). `currency` is ISO 4217."""

    borrower_ref: str
    external_ref: str
    product: str
    currency: str
    as_of: datetime
    schedule: tuple[Scheduled, ...]


@dataclass(frozen=True, slots=True)
class LoanRegistered:
    """`created` is False when the lender had registered it before."""

    id: LoanId
    created: bool


async def register_loan(
    house: House, now: datetime, lender_id: LenderId, wanted: LoanWanted
) -> LoanRegistered:
    """Create the loan that the lender calls `external_ref`, or take a newer state of it.

    The same again, or an older state, changes nothing. Raises `NotFound` for an unknown
    borrower, `Invalid` naming the field, and `Conflict` when the loan belongs to another
    borrower or is in another currency.
    """
    check_ref(wanted.external_ref)
    currency_digits(wanted.currency)
    if not wanted.product.isprintable() or len(wanted.product) > _LONGEST_PRODUCT:
        raise Invalid("product", f"has at most {_LONGEST_PRODUCT} printable characters.")
    check_schedule(wanted.schedule, wanted.as_of, now)
    async with house.store.unit(lender_id) as unit:
        return await put_loan(unit, now, await find_borrower(unit, wanted.borrower_ref), wanted)


async def put_loan(
    unit: Unit, now: datetime, borrower_id: UUID, wanted: LoanWanted, *, update_known: bool = True
) -> LoanRegistered:
    """The same inside the caller's unit, for a schedule that `check_schedule` has passed.

    With `update_known=False` a loan that is there already stays as it is.
    """
    made = await unit.conn.scalar(
        insert(loans)
        .values(
            id=new_id(),
            lender_id=unit.lender_id,
            borrower_id=borrower_id,
            external_ref=wanted.external_ref,
            product=wanted.product,
            currency=wanted.currency,
            owed_as_of=wanted.as_of,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["lender_id", "external_ref"])
        .returning(loans.c.id)
    )
    if made is None:
        return await _known(unit, now, borrower_id, wanted, update_known=update_known)
    loan = await lock_loan(unit, made)
    details = {"loan_id": str(made), "product": wanted.product}
    line = Line(borrower_id, Kind.LOAN_REGISTERED, "lender", details)
    await timeline.write(unit, now, [line])
    await take_schedule(unit, now, loan, wanted.as_of, wanted.schedule)
    await refresh_loan(unit, now, made, because=CaseClose.NOT_DUE)
    return LoanRegistered(LoanId(made), created=True)


async def _known(
    unit: Unit, now: datetime, borrower_id: UUID, wanted: LoanWanted, *, update_known: bool
) -> LoanRegistered:
    loan_id = (
        await unit.conn.execute(
            select(loans.c.id).where(
                loans.c.lender_id == unit.lender_id, loans.c.external_ref == wanted.external_ref
            )
        )
    ).scalar_one()
    loan = await lock_loan(unit, loan_id)
    if loan.borrower_id != borrower_id:
        raise Conflict("This loan was registered for another borrower.")
    if loan.currency != wanted.currency:
        raise Conflict(f"This loan was registered in {loan.currency}.")
    if update_known and wanted.as_of > loan.owed_as_of:
        if loan.product != wanted.product:
            await unit.conn.execute(
                update(loans).where(loans.c.id == loan_id).values(product=wanted.product)
            )
        await take_schedule(unit, now, loan, wanted.as_of, wanted.schedule)
        await refresh_loan(unit, now, loan_id, because=CaseClose.NOT_DUE)
    return LoanRegistered(LoanId(loan_id), created=False)
