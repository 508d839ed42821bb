"""Loans, their instalments and what was paid on them, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, case, column, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from app.domain.errors import NotFound
from app.domain.money import Money
from app.store.arrays import among
from app.store.dues import local_day
from app.store.keys import new_id
from app.store.locks import lock_borrower
from app.store.tables import cases, instalments, lenders, loans
from app.store.unit import Unit

# As a loan's next day for reminders: nobody has looked at its date yet.
LOOK_AHEAD: Final = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Open:
    """One instalment with something left to pay. Amounts in minor units of the loan."""

    id: UUID
    due_on: date
    amount_minor: int
    paid_minor: int

    @property
    def left_minor(self) -> int:
        """What is still unpaid, above zero."""
        return self.amount_minor - self.paid_minor


async def lock_loan(unit: Unit, loan_id: UUID) -> Row[Any]:
    """Lock the loan's borrower, then the loan, and return the loan. Raises `NotFound`."""
    owner = await unit.conn.scalar(select(loans.c.borrower_id).where(loans.c.id == loan_id))
    if owner is None:
        raise NotFound("There is no such loan.")
    await lock_borrower(unit, owner)
    return (
        await unit.conn.execute(
            select(loans).where(loans.c.id == loan_id).with_for_update(key_share=True)
        )
    ).one()


async def find_loan(unit: Unit, external_ref: str) -> UUID:
    """The loan that the unit's lender calls so. Raises `NotFound`."""
    found = await unit.conn.scalar(
        select(loans.c.id).where(
            loans.c.lender_id == unit.lender_id, loans.c.external_ref == external_ref
        )
    )
    if found is None:
        raise NotFound("There is no such loan.")
    return UUID(str(found))


async def last_case(unit: Unit, loan_id: UUID) -> UUID | None:
    """The loan's youngest case, open or closed; None before its first."""
    found: UUID | None = await unit.conn.scalar(
        select(cases.c.id)
        .where(cases.c.loan_id == loan_id)
        .order_by(cases.c.opened_at.desc(), cases.c.id.desc())
        .limit(1)
    )
    return found


async def today_of(unit: Unit, lender_id: UUID, now: datetime) -> date:
    """The calendar day of `now` where the lender is."""
    found: date = (
        await unit.conn.execute(select(local_day(now)).where(lenders.c.id == lender_id))
    ).scalar_one()
    return found


async def unpaid(unit: Unit, loan_id: UUID) -> list[Open]:
    """The loan's instalments with something left, oldest due first."""
    rows = await unit.conn.execute(
        select(
            instalments.c.id,
            instalments.c.due_on,
            instalments.c.amount_minor,
            instalments.c.paid_minor,
        )
        .where(
            instalments.c.loan_id == loan_id,
            instalments.c.paid_minor < instalments.c.amount_minor,
        )
        .order_by(instalments.c.due_on, instalments.c.number)
    )
    return [Open(*row) for row in rows]


async def paid(unit: Unit, loan_id: UUID) -> list[Open]:
    """The loan's instalments on which something was paid, youngest due first."""
    rows = await unit.conn.execute(
        select(
            instalments.c.id,
            instalments.c.due_on,
            instalments.c.amount_minor,
            instalments.c.paid_minor,
        )
        .where(instalments.c.loan_id == loan_id, instalments.c.paid_minor > 0)
        .order_by(instalments.c.due_on.desc(), instalments.c.number.desc())
    )
    return [Open(*row) for row in rows]


async def add_paid(unit: Unit, minor: Mapping[UUID, int]) -> None:
    """Add to what is paid on instalments (negative: take back), in minor units."""
    for instalment_id, amount in minor.items():
        await unit.conn.execute(
            update(instalments)
            .where(instalments.c.id == instalment_id)
            .values(paid_minor=instalments.c.paid_minor + amount)
        )


async def keep_next_due(unit: Unit, loan_ids: Iterable[UUID]) -> None:
    """Bring `loans.next_due_on` up to date with the instalments.

    Another date has reminders of its own: the strategy looks at such a loan anew.
    """
    earliest = (
        select(func.min(instalments.c.due_on))
        .where(
            instalments.c.loan_id == loans.c.id,
            instalments.c.paid_minor < instalments.c.amount_minor,
        )
        .scalar_subquery()
    )
    await unit.conn.execute(
        update(loans)
        .where(among(loans.c.id, loan_ids))
        .values(
            next_due_on=earliest,
            remind_on=case(
                (loans.c.next_due_on.is_not_distinct_from(earliest), loans.c.remind_on),
                else_=LOOK_AHEAD,
            ),
        )
    )


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One instalment as the lender states it. Amounts in minor units of the loan's currency."""

    number: int
    due_on: date
    amount_minor: int
    paid_minor: int = 0


async def write_schedule(
    unit: Unit, lender_id: UUID, loan_id: UUID, schedule: Sequence[Scheduled]
) -> None:
    """Make these the loan's instalments. One that is not listed any more counts for nothing."""
    await unit.conn.execute(
        update(instalments)
        .where(
            instalments.c.loan_id == loan_id,
            ~among(instalments.c.number, [one.number for one in schedule]),
        )
        .values(amount_minor=0, paid_minor=0)
    )
    if not schedule:
        return
    rows = [
        {
            "id": new_id(),
            "lender_id": lender_id,
            "loan_id": loan_id,
            "number": one.number,
            "due_on": one.due_on,
            "amount_minor": one.amount_minor,
            "paid_minor": one.paid_minor,
        }
        for one in schedule
    ]
    fresh = insert(instalments)
    await unit.conn.execute(
        fresh.values(rows).on_conflict_do_update(
            index_elements=["loan_id", "number"],
            set_={name: fresh.excluded[name] for name in ("due_on", "amount_minor", "paid_minor")},
        )
    )


async def coming_amounts(unit: Unit, loan_ids: Iterable[UUID]) -> dict[UUID, Money]:
    """What each loan has unpaid on its next due date; a loan without one is absent."""
    rows = await unit.conn.execute(
        select(
            loans.c.id,
            loans.c.currency,
            func.sum(instalments.c.amount_minor - instalments.c.paid_minor).label("minor"),
        )
        .join(instalments, instalments.c.loan_id == loans.c.id)
        .where(
            among(loans.c.id, loan_ids),
            instalments.c.due_on == loans.c.next_due_on,
            instalments.c.paid_minor < instalments.c.amount_minor,
        )
        .group_by(loans.c.id)
    )
    return {row.id: Money(int(row.minor), row.currency) for row in rows}


async def set_remind_days(unit: Unit, days: Mapping[UUID, date]) -> None:
    """When the strategy looks at each loan again before anything is due.

    A loan that somebody else holds this moment is left as it is: it is looked at once more.
    """
    free = set(
        await unit.conn.scalars(
            select(loans.c.id)
            .where(among(loans.c.id, days))
            .order_by(loans.c.id)
            .with_for_update(skip_locked=True, key_share=True)
        )
    )
    days = {loan_id: day for loan_id, day in days.items() if loan_id in free}
    if not days:
        return
    rows = (
        func.unnest(
            literal(list(days), ARRAY(loans.c.id.type)),
            literal(list(days.values()), ARRAY(loans.c.remind_on.type)),
        )
        .table_valued(column("loan_id", loans.c.id.type), column("on_day", loans.c.remind_on.type))
        .render_derived()
    )
    await unit.conn.execute(
        update(loans).where(loans.c.id == rows.c.loan_id).values(remind_on=rows.c.on_day)
    )
