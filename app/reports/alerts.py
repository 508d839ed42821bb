"""Live "funds available" alerts: what collectors may know about money that was just seen.

An alert says whether the money reaches for all or for part of what is due, never how much there
is. It lives exactly as long as its signal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, literal, select, true

from app.domain.money import Money
from app.store.dues import last_due_day
from app.store.experiments import asked_for
from app.store.tables import (
    borrowers,
    cases,
    funds_signals,
    instalments,
    lenders,
    loans,
    messages,
    signal_cases,
)
from app.store.unit import Unit

AT_MOST: Final = 50
"""Alerts shown at once, newest first; the board says when there are more."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One live signal of the unit's lender, in the words of the desk. Times are business time."""

    id: UUID
    raised_at: datetime
    covers: str
    borrower_name: str
    case_id: UUID
    product: str
    due: Money
    oldest_due_on: date
    more_cases: int
    message_state: str
    """Where the text to the borrower stands; empty when none was made."""


async def live_alerts(unit: Unit, now: datetime, *, limit: int = AT_MOST) -> tuple[Alert, ...]:
    """The live signals of the unit's lender, newest first.

    Money for cases that an experiment leaves alone calls nobody to the telephone.
    """
    due = (
        select(
            func.sum(instalments.c.amount_minor - instalments.c.paid_minor).label("minor"),
            func.min(instalments.c.due_on).label("oldest"),
        )
        .where(
            instalments.c.loan_id == cases.c.loan_id,
            instalments.c.due_on <= last_due_day(now),
            instalments.c.paid_minor < instalments.c.amount_minor,
        )
        .lateral("due")
    )
    first_case = (
        select(
            cases.c.id.label("case_id"),
            loans.c.product,
            loans.c.currency,
            due.c.minor,
            due.c.oldest,
            (func.count().over() - 1).label("more"),
        )
        .select_from(signal_cases)
        .join(cases, cases.c.id == signal_cases.c.case_id)
        .join(loans, loans.c.id == cases.c.loan_id)
        .join(lenders, lenders.c.id == cases.c.lender_id)
        .join(due, true())
        .where(
            signal_cases.c.signal_id == funds_signals.c.id,
            due.c.minor.is_not(None),
            asked_for(now),
        )
        .order_by(due.c.oldest, cases.c.id)
        .limit(1)
        .lateral("first_case")
    )
    last_message = (
        select(messages.c.state)
        .where(messages.c.signal_id == funds_signals.c.id)
        .order_by(messages.c.created_at.desc())
        .limit(1)
        .lateral("last_message")
    )
    query = (
        select(
            funds_signals.c.id,
            funds_signals.c.raised_at,
            funds_signals.c.covers,
            funds_signals.c.borrower_id,
            borrowers.c.name_enc,
            first_case,
            func.coalesce(last_message.c.state, literal("")).label("message_state"),
        )
        .join(borrowers, borrowers.c.id == funds_signals.c.borrower_id)
        .join(first_case, true())
        .outerjoin(last_message, true())
        .where(funds_signals.c.ended_at.is_(None))
        .order_by(funds_signals.c.raised_at.desc(), funds_signals.c.id.desc())
        .limit(limit)
    )
    return tuple(_alert(unit, row) for row in await unit.conn.execute(query))


def _alert(unit: Unit, row: Row[Any]) -> Alert:
    return Alert(
        id=row.id,
        raised_at=row.raised_at,
        covers=row.covers,
        borrower_name=unit.open("borrowers.name_enc", row.borrower_id, row.name_enc),
        case_id=row.case_id,
        product=row.product,
        due=Money(int(row.minor), row.currency),
        oldest_due_on=row.oldest,
        more_cases=row.more,
        message_state=row.message_state,
    )


async def count_live(unit: Unit, now: datetime) -> int:
    """How many signals of the unit's lender are live and speak of a case that may be asked for."""
    about = (
        select(signal_cases.c.signal_id)
        .join(cases, cases.c.id == signal_cases.c.case_id)
        .where(signal_cases.c.signal_id == funds_signals.c.id, asked_for(now))
        .exists()
    )
    counted = await unit.conn.scalar(
        select(func.count())
        .select_from(funds_signals)
        .where(funds_signals.c.ended_at.is_(None), about)
    )
    return int(counted or 0)
