"""What borrowers have due and unpaid: the one definition that every decision uses.

An instalment is *due* once its date plus the lender's days of grace (`lenders.case_after_days`)
has come, in the lender's own time zone. What is not due yet is owed, but never asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Date, DateTime, cast, func, literal, select

from app.domain.case import CaseState
from app.domain.money import Money
from app.store import driver
from app.store.tables import instalments, lenders, loans
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


# The same rule as `last_due_day`, written for the driver: this is asked in every batch of reads.
_DUES = """
    SELECT l.borrower_id, l.id, l.external_ref, l.product, l.case_id, k.state, l.currency,
        sum(i.amount_minor - i.paid_minor)::bigint, min(i.due_on) AS oldest, l.owed_as_of
    FROM loans l
    JOIN lenders d ON d.id = l.lender_id
    JOIN instalments i ON i.loan_id = l.id
    LEFT JOIN cases k ON k.id = l.case_id
    WHERE l.borrower_id = ANY(%(borrowers)b::uuid[]) AND l.state = 'active'
        AND i.paid_minor < i.amount_minor
        AND i.due_on <= timezone(d.time_zone, %(now)b::timestamptz)::date - d.case_after_days
    GROUP BY l.id, k.state
    ORDER BY oldest, l.id
"""


async def dues_of(
    unit: Unit, borrower_ids: Iterable[UUID], now: datetime
) -> dict[UUID, tuple[Due, ...]]:
    """What each borrower has due at `now`, oldest due first; borrowers without are absent."""
    found: dict[UUID, tuple[Due, ...]] = {}
    params = {"borrowers": list(borrower_ids), "now": now}
    for row in await driver.rows(unit, _DUES, params):
        borrower_id, loan_id, ref, product, case_id, state, currency, minor, oldest, as_of = row
        due = Due(
            loan_id,
            ref,
            product,
            case_id,
            None if state is None else CaseState(state),
            Money(minor, currency),
            oldest,
            as_of,
        )
        found[borrower_id] = (*found.get(borrower_id, ()), due)
    return found


async def coming_of(unit: Unit, borrower_id: UUID) -> tuple[Due, ...]:
    """What falls due next on each of his loans in good order, the nearest first.

    `oldest_due_on` is the day on which it does. A loan with a case has something due already, and
    one that is not collected any more has nothing to come.
    """
    rows = await unit.conn.execute(
        select(
            loans.c.id,
            loans.c.external_ref,
            loans.c.product,
            loans.c.currency,
            loans.c.owed_as_of,
            loans.c.next_due_on,
            func.sum(instalments.c.amount_minor - instalments.c.paid_minor).label("minor"),
        )
        .join(instalments, instalments.c.loan_id == loans.c.id)
        .where(
            loans.c.borrower_id == borrower_id,
            loans.c.state == "active",
            loans.c.case_id.is_(None),
            loans.c.collection_ended_at.is_(None),
            instalments.c.due_on == loans.c.next_due_on,
            instalments.c.paid_minor < instalments.c.amount_minor,
        )
        .group_by(loans.c.id)
        .order_by(loans.c.next_due_on, loans.c.id)
    )
    return tuple(
        Due(
            row.id,
            row.external_ref,
            row.product,
            None,
            None,
            Money(int(row.minor), row.currency),
            row.next_due_on,
            row.owed_as_of,
        )
        for row in rows
    )


async def due_of_loan(unit: Unit, loan_id: UUID, now: datetime) -> Due | None:
    """The same for one loan; None when nothing of it is due."""
    owner = await unit.conn.scalar(select(loans.c.borrower_id).where(loans.c.id == loan_id))
    if owner is None:
        return None
    dues = (await dues_of(unit, (owner,), now)).get(owner, ())
    return next((due for due in dues if due.loan_id == loan_id), None)
