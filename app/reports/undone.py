"""What was ordered and not done, as it was told on the last working day: by person, act, reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from app.domain.undone import Ordered
from app.store.dues import local_day
from app.store.tables import borrowers, cases, lenders, loans, undone_acts, users
from app.store.unit import Unit

AT_MOST: Final = 200
# Told on a Friday it stands over a long weekend; what is older is no news.
_STANDS: Final = timedelta(days=5)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, and of how many cases."""

    why: str
    cases: int


@dataclass(frozen=True, slots=True)
class Summary:
    """One order of one person, and of how many of his cases it was not done.

    `user_id` None: nobody has them.
    """

    told_on: date
    user_id: UUID | None
    name: str
    act: Ordered
    cases: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class UndoneLine:
    """One act that was not done, with the case it was ordered for."""

    case_id: UUID
    borrower_name: str
    product: str
    act: Ordered
    why: str
    name: str


async def undone_summaries(
    unit: Unit, now: datetime, *, of: UUID | None = None
) -> tuple[Summary, ...]:
    """The summaries of the last day on which anything was told; `of`: of this person alone."""
    told_on = await _told_on(unit, now)
    if told_on is None:
        return ()
    # Counted apart: a case with two reasons counts once in its order.
    whole = await _counted(unit, told_on, of)
    parts = await _counted(unit, told_on, of, undone_acts.c.why)
    found = []
    for row in whole:
        mine = [one for one in parts if (one.user_id, one.act) == (row.user_id, row.act)]
        reasons = tuple(
            Reason(one.why, one.cases)
            for one in sorted(mine, key=lambda one: (-one.cases, one.why))
        )
        found.append(
            Summary(told_on, row.user_id, row.name or "", Ordered(row.act), row.cases, reasons)
        )
    return tuple(found)


async def _counted(
    unit: Unit, told_on: date, of: UUID | None, *by: ColumnElement[Any]
) -> Sequence[Any]:
    columns = (undone_acts.c.user_id, users.c.name, undone_acts.c.act, *by)
    query = (
        select(*columns, func.count(undone_acts.c.case_id.distinct()).label("cases"))
        .outerjoin(users, users.c.id == undone_acts.c.user_id)
        .where(undone_acts.c.told_on == told_on)
        .group_by(*columns)
        .order_by(users.c.name.nulls_last(), undone_acts.c.user_id, undone_acts.c.act)
    )
    if of is not None:
        query = query.where(undone_acts.c.user_id == of)
    return (await unit.conn.execute(query)).all()


async def undone_lines(
    unit: Unit, now: datetime, *, of: UUID | None, act: Ordered, why: str
) -> tuple[UndoneLine, ...]:
    """The cases behind one number, at most `AT_MOST`. `of` None: what nobody has."""
    told_on = await _told_on(unit, now)
    if told_on is None:
        return ()
    whose = undone_acts.c.user_id.is_(None) if of is None else undone_acts.c.user_id == of
    rows = await unit.conn.execute(
        select(
            undone_acts.c.case_id,
            undone_acts.c.act,
            undone_acts.c.why,
            undone_acts.c.borrower_id,
            borrowers.c.name_enc,
            loans.c.product,
            users.c.name,
        )
        .join(borrowers, borrowers.c.id == undone_acts.c.borrower_id)
        .join(cases, cases.c.id == undone_acts.c.case_id)
        .join(loans, loans.c.id == cases.c.loan_id)
        .outerjoin(users, users.c.id == undone_acts.c.user_id)
        .where(
            undone_acts.c.told_on == told_on,
            whose,
            undone_acts.c.act == act.value,
            *(() if not why else (undone_acts.c.why == why,)),
        )
        .order_by(undone_acts.c.why, undone_acts.c.case_id, undone_acts.c.step_id)
        .limit(AT_MOST)
    )
    return tuple(
        UndoneLine(
            row.case_id,
            unit.open("borrowers.name_enc", row.borrower_id, row.name_enc),
            row.product,
            Ordered(row.act),
            row.why,
            row.name or "",
        )
        for row in rows
    )


async def _told_on(unit: Unit, now: datetime) -> date | None:
    found: date | None = await unit.conn.scalar(
        select(func.max(undone_acts.c.told_on))
        .select_from(undone_acts)
        .join(lenders, lenders.c.id == undone_acts.c.lender_id)
        .where(undone_acts.c.told_on > local_day(now) - _STANDS.days)
    )
    return found
