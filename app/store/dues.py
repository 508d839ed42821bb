"""What borrowers have due and unpaid: the one definition that every decision uses.

An instalment is *due* once its date plus the lender's days of grace (`lenders.case_after_days`)
has come, in the lender's own time zone. What is not due yet is owed, but never asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Date, DateTime, Select, cast, func, literal, select

from app.domain.case import CaseState
from app.domain.money import Money
from app.store.arrays import among
from app.store.tables import cases, instalments, lenders, loans
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class Due:
    """What one loan has due. `case_id` and `case_state` are None while no case is open for it."""

    loan_id: UUID
    external_ref: str
    product: str
    case_id: UUID | None
    case_state: CaseState | None
    amount: Money
    oldest_due_on: date
    owed_as_of: datetime

    @property
    def currency(self) -> str:
        """ISO 4217 code."""
        return self.amount.currency

    @property
    def due_minor(self) -> int:
        """Minor units of `currency`, above zero."""
        return self.amount.minor


def last_due_day(now: datetime) -> ColumnElement[date]:
    """The latest due date that counts as due at `now`; for statements that join `lenders`."""
    return local_day(now) - lenders.c.case_after_days


def local_day(now: datetime) -> ColumnElement[date]:
    """The calendar day of `now` in the lender's zone; for statements that join `lenders`."""
    moment = literal(now, DateTime(timezone=True))
    return cast(func.timezone(lenders.c.time_zone, moment), Date)


async def dues_of(
    unit: Unit, borrower_ids: Iterable[UUID], now: datetime
) -> dict[UUID, tuple[Due, ...]]:
    """What each borrower has due at `now`, oldest due first; borrowers without are absent."""
    found: dict[UUID, list[Due]] = {}
    for row in await unit.conn.execute(_due(now).where(among(loans.c.borrower_id, borrower_ids))):
        borrower_id, state = row[0], row[5]
        due = Due(
            row[1],
            row[2],
            row[3],
            row[4],
            None if state is None else CaseState(state),
            Money(row[7], row[6]),
            row[8],
            row[9],
        )
        found.setdefault(borrower_id, []).append(due)
    return {borrower_id: tuple(dues) for borrower_id, dues in found.items()}


async def due_of_loan(unit: Unit, loan_id: UUID, now: datetime) -> Due | None:
    """The same for one loan; None when nothing of it is due."""
    borrower_id = select(loans.c.borrower_id).where(loans.c.id == loan_id).scalar_subquery()
    row = await unit.conn.execute(select(borrower_id))
    owner = row.scalar_one_or_none()
    if owner is None:
        return None
    for due in (await dues_of(unit, (owner,), now)).get(owner, ()):
        if due.loan_id == loan_id:
            return due
    return None


def _due(
    now: datetime,
) -> Select[UUID, UUID, str, str, UUID | None, str | None, str, int, date, datetime]:
    oldest = func.min(instalments.c.due_on)
    unpaid = func.sum(instalments.c.amount_minor - instalments.c.paid_minor)
    return (
        select(
            loans.c.borrower_id,
            loans.c.id,
            loans.c.external_ref,
            loans.c.product,
            loans.c.case_id,
            cases.c.state,
            loans.c.currency,
            # A sum of bigints is numeric; amounts are bigints again.
            cast(unpaid, instalments.c.amount_minor.type),
            oldest,
            loans.c.owed_as_of,
        )
        .join(lenders, lenders.c.id == loans.c.lender_id)
        .join(instalments, instalments.c.loan_id == loans.c.id)
        .outerjoin(cases, cases.c.id == loans.c.case_id)
        .where(
            loans.c.state == "active",
            instalments.c.paid_minor < instalments.c.amount_minor,
            instalments.c.due_on <= last_due_day(now),
        )
        .group_by(loans.c.id, cases.c.state)
        .order_by(oldest, loans.c.id)
    )
