"""Take the lender's word on what is owed: his ledger is the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, select, update

from app.domain.case import CaseClose
from app.domain.errors import Conflict, Invalid
from app.domain.ids import LenderId, LoanId
from app.domain.money import Money
from app.domain.task import TaskReason
from app.flows.cases.refresh_loan import refresh_loan
from app.flows.house import House
from app.flows.money.apply_money import apply_money, put_back
from app.flows.signals.start_over import start_over
from app.flows.work.cancel_tasks import cancel_tasks
from app.store import timeline
from app.store.loans import Scheduled, find_loan, lock_loan, write_schedule
from app.store.owed_words import keep_word
from app.store.past_schedules import keep_past
from app.store.tables import loans, repayments
from app.store.timeline import Kind, Line
from app.store.unit import Unit

MOST_INSTALMENTS: Final = 600
_EARLIEST: Final = date(1990, 1, 1)
_LATEST: Final = date(2100, 1, 1)
# Clocks of two companies differ a little.
_SKEW: Final = timedelta(minutes=5)
_LARGEST_MINOR: Final = 10**13


@dataclass(frozen=True, slots=True)
class OwedConfirmed:
    """`due` is what the loan has due after it; `case_closed` when nothing is."""

    loan_id: LoanId
    due: Money
    case_closed: bool


async def confirm_owed(
    house: House,
    now: datetime,
    lender_id: LenderId,
    loan_ref: str,
    *,
    as_of: datetime,
    schedule: Sequence[Scheduled],
    closed: bool = False,
) -> OwedConfirmed:
    """Replace the loan's instalments by what the lender's ledger held at `as_of`.

    Money that was booked here and is newer than `as_of` is not in that ledger yet: it is taken
    off again, and a payment that was returned since is put back. What fell and no known payment
    explains counts towards a promise (app/domain/owed_words.py). `closed` ends the loan: written
    off, sold or settled in the lender's own system. Raises `NotFound`, `Invalid`, and `Conflict`
    when a later word is known already; the same word again only confirms it.
    """
    check_schedule(schedule, as_of, now)
    async with house.store.unit(lender_id) as unit:
        loan = await lock_loan(unit, await find_loan(unit, loan_ref))
        if as_of < loan.owed_as_of:
            raise Conflict("A later state of this loan is known already.")
        await take_schedule(unit, now, loan, as_of, schedule, closed=closed)
        because = CaseClose.LOAN_CLOSED if closed else CaseClose.NOT_DUE
        after = await refresh_loan(unit, now, loan.id, because=because)
        due = after.due.amount if after.due else Money.zero(loan.currency)
        return OwedConfirmed(LoanId(loan.id), due, after.closed_case is not None)


async def take_schedule(
    unit: Unit,
    now: datetime,
    loan: Row[Any],
    as_of: datetime,
    schedule: Sequence[Scheduled],
    *,
    closed: bool = False,
) -> None:
    """Write the schedule and bring the money up to `now`. The caller holds the lock on the loan.

    A loan that is written off here stays so, whatever the ledger says: only a second person takes
    that back (app/flows/money/reverse_adjustment.py).
    """
    if not closed:
        await keep_word(unit, now, loan, as_of, schedule)
    await keep_past(unit, now, loan, as_of, schedule)
    await write_schedule(unit, loan.lender_id, loan.id, schedule)
    state = "closed" if closed else "active"
    if loan.state == "written_off":
        state = loan.state
    await unit.conn.execute(
        update(loans).where(loans.c.id == loan.id).values(owed_as_of=as_of, state=state)
    )
    if not closed:
        await _catch_up(unit, now, loan, as_of)
    details = {"loan_id": str(loan.id), "as_of": as_of.isoformat(), "closed": closed}
    line = Line(
        loan.borrower_id, Kind.OWED_CONFIRMED, "lender", details, loan.case_id, loan.lender_id
    )
    await timeline.write(unit, now, [line])
    if loan.case_id is None:
        return
    # Nobody need find out what is owed any more; money that was in sight counts as new.
    waited = await cancel_tasks(
        unit,
        now,
        borrower_id=loan.borrower_id,
        reasons=(TaskReason.OWED_AMOUNT_STALE,),
        why="confirmed",
        case_id=loan.case_id,
    )
    if waited:
        await start_over(
            unit, now, borrower_id=loan.borrower_id, lender_id=loan.lender_id, why="replaced"
        )


async def _catch_up(unit: Unit, now: datetime, loan: Row[Any], as_of: datetime) -> None:
    rows = await unit.conn.execute(
        select(repayments)
        .where(repayments.c.loan_id == loan.id, repayments.c.counted)
        .order_by(repayments.c.paid_at, repayments.c.id)
    )
    for row in rows.all():
        if row.paid_at <= as_of:
            if row.reversed_at is not None and row.reversed_at > as_of:
                await put_back(unit, loan.id, row.applied_minor)
        elif row.reversed_at is None:
            await _apply_again(unit, now, loan, row)


async def _apply_again(unit: Unit, now: datetime, loan: Row[Any], row: Row[Any]) -> None:
    amount = Money(row.amount_minor, row.currency)
    applied = await apply_money(unit, loan, amount, now=now, due_only=row.source == "saldo")
    await unit.conn.execute(
        update(repayments).where(repayments.c.id == row.id).values(applied_minor=applied.minor)
    )


def check_schedule(schedule: Sequence[Scheduled], as_of: datetime, now: datetime) -> None:
    """Raises `Invalid` for a schedule that nobody can have meant."""
    if as_of.tzinfo is None:
        raise Invalid("as_of", "has no time zone.", mend='Write it like "2026-11-02T09:00:00Z".')
    if as_of > now + _SKEW:
        raise Invalid("as_of", "is in the future.", mend="Give the moment at which this was owed.")
    if not 1 <= len(schedule) <= MOST_INSTALMENTS:
        raise Invalid("instalments", f"must be 1 to {MOST_INSTALMENTS} of them.")
    numbers = [one.number for one in schedule]
    if len(set(numbers)) != len(numbers):
        raise Invalid("instalments", "have a number twice.", mend="Number each instalment once.")
    for one in schedule:
        field = f"instalments[{one.number}]"
        if one.number < 1:
            raise Invalid(field, "has a number below 1.", mend="Count instalments from 1.")
        if one.amount_minor <= 0:
            raise Invalid(field, "has no amount above zero.", mend="Leave out what was never owed.")
        if one.amount_minor > _LARGEST_MINOR:
            raise Invalid(
                field,
                "has an amount larger than any loan.",
                mend="Check its unit: amounts are in whole units of the currency.",
            )
        if not 0 <= one.paid_minor <= one.amount_minor:
            raise Invalid(
                field,
                "has more paid than its amount, or less than nothing.",
                mend="Give what was paid of it, from 0 up to its amount.",
            )
        if not _EARLIEST <= one.due_on <= _LATEST:
            raise Invalid(field, "is due on a day that cannot be meant.", mend="Check the year.")
