"""Promises as people read them: those of one case with a suggestion, and the promise board."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Date, Row, Select, cast, func, literal, select

from app.domain.consent import ConsentState, Purpose
from app.domain.income import IncomeProfile
from app.domain.income_forecast import payday
from app.domain.income_learning import look_ahead
from app.domain.money import Money
from app.domain.promise import PromiseState
from app.domain.promise_terms import (
    Known,
    Part,
    Suggestion,
    has_to_be_vouched_for,
    reminder_days,
    suggest,
    total_of,
)
from app.domain.stages import PromiseTerms
from app.reports.slices import one
from app.store.dues import local_day
from app.store.promises import how_the_last_ended, money_since, parts_of, promise_terms_of
from app.store.tables import (
    accounts,
    borrowers,
    cases,
    consents,
    funds_signals,
    income_profiles,
    instalments,
    lenders,
    loans,
    promise_parts,
    promises,
    repayments,
)
from app.store.unit import Unit
from app.store.vault import SealBroken

AT_MOST: Final = 100
# What money did longer ago says little about when it comes next.
_LOOK_BACK: Final = timedelta(days=190)


class Column(StrEnum):
    """The columns of the promise board, most pressing first."""

    TODAY = "today"
    LATE = "late"
    OPEN = "open"
    BROKEN = "broken"
    PART = "part"
    KEPT = "kept"
    CANCELLED = "cancelled"


_STATES: Final = {
    Column.BROKEN: PromiseState.BROKEN,
    Column.PART: PromiseState.PART,
    Column.KEPT: PromiseState.KEPT,
    Column.CANCELLED: PromiseState.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class PromiseLine:
    """One promise. `paid` is what came since it was made; `reminded_on` are the days, the
    lender's own, on which its parts are reminded of, past ones included.
    """

    id: UUID
    case_id: UUID
    state: PromiseState
    parts: tuple[Part, ...]
    paid: Money
    made_at: datetime
    made_by: str
    note: str
    ended_at: datetime | None
    ended_why: str
    borrower_name: str
    product: str
    reminded_on: tuple[date, ...]

    @property
    def total(self) -> Money:
        """What is promised in all."""
        return total_of(self.parts)

    @property
    def last_due_on(self) -> date:
        """The day of its last part."""
        return self.parts[-1].due_on


@dataclass(frozen=True, slots=True)
class PromiseBoard:
    """At most `AT_MOST` lines of one column, and how many there are in each."""

    lines: tuple[PromiseLine, ...]
    counts: dict[Column, int]


@dataclass(frozen=True, slots=True)
class CasePromises:
    """What the case page needs to take a promise. `suggestion` is None when nothing is due.

    `needs_note`: `has_to_be_vouched_for`, so that the collector has to say why this one holds.
    """

    standing: PromiseLine | None
    past: tuple[PromiseLine, ...]
    terms: PromiseTerms
    suggestion: Suggestion | None
    needs_note: bool


async def promises_of_case(
    unit: Unit, now: datetime, case_id: UUID, *, due: Money | None, zone: ZoneInfo
) -> CasePromises:
    """The promises of one case, newest first, and what to suggest for the next one."""
    rows = await unit.conn.execute(
        _lines()
        .where(promises.c.case_id == case_id)
        .order_by(promises.c.made_at.desc(), promises.c.id.desc())
        .limit(AT_MOST)
    )
    lines = await _told(unit, rows.all(), zone)
    standing = next((line for line in lines if line.state is PromiseState.OPEN), None)
    terms = await promise_terms_of(unit, case_id)
    suggestion = None
    if due is not None:
        known = await _known(unit, now, case_id, due, zone)
        suggestion = suggest(known, now.astimezone(zone).date(), terms)
    return CasePromises(
        standing=standing,
        past=tuple(line for line in lines if line is not standing),
        terms=terms,
        suggestion=suggestion,
        needs_note=has_to_be_vouched_for(await how_the_last_ended(unit, case_id)),
    )


async def promise_board(
    unit: Unit, now: datetime, *, column: Column, zone: ZoneInfo
) -> PromiseBoard:
    """One column of the board. Open ones stand by their next day, ended ones newest first."""
    query = _lines().where(_in_column(column, now))
    order: Sequence[ColumnElement[Any]] = (promises.c.ended_at.desc(), promises.c.id.desc())
    if column not in _STATES:
        order = (_last_day(), promises.c.id)
    rows = await unit.conn.execute(query.order_by(*order).limit(AT_MOST))
    counts = {one_of: await _count(unit, now, one_of) for one_of in Column}
    return PromiseBoard(await _told(unit, rows.all(), zone), counts)


async def _count(unit: Unit, now: datetime, column: Column) -> int:
    query = (
        select(func.count())
        .select_from(promises.join(lenders, lenders.c.id == promises.c.lender_id))
        .where(_in_column(column, now))
    )
    return int(await unit.conn.scalar(query) or 0)


def _in_column(column: Column, now: datetime) -> ColumnElement[bool]:
    """Statements that use it join `lenders`. Late: its last day has passed and its grace runs."""
    if column in _STATES:
        return promises.c.state == _STATES[column].value
    is_open = promises.c.state == PromiseState.OPEN.value
    today = local_day(now)
    if column is Column.TODAY:
        part_today = (
            select(promise_parts.c.promise_id)
            .where(promise_parts.c.promise_id == promises.c.id, promise_parts.c.due_on == today)
            .exists()
        )
        return is_open & part_today
    if column is Column.LATE:
        return is_open & (_last_day() < today)
    return is_open


def _last_day() -> ColumnElement[date]:
    return cast(
        select(func.max(promise_parts.c.due_on))
        .where(promise_parts.c.promise_id == promises.c.id)
        .correlate(promises)
        .scalar_subquery(),
        Date,
    )


def _lines() -> Select[Any]:
    return (
        select(promises, borrowers.c.name_enc, loans.c.product)
        .join(lenders, lenders.c.id == promises.c.lender_id)
        .join(borrowers, borrowers.c.id == promises.c.borrower_id)
        .join(loans, loans.c.id == promises.c.loan_id)
    )


async def _told(unit: Unit, rows: Iterable[Row[Any]], zone: ZoneInfo) -> tuple[PromiseLine, ...]:
    listed = list(rows)
    parts = await parts_of(unit, listed)
    found = []
    for row in listed:
        paid = await money_since(unit, row, zone)
        found.append(
            PromiseLine(
                id=row.id,
                case_id=row.case_id,
                state=PromiseState(row.state),
                parts=parts[row.id],
                paid=sum((came.amount for came in paid), Money.zero(row.currency)),
                made_at=row.made_at,
                made_by=row.made_by,
                note=row.note,
                ended_at=row.ended_at,
                ended_why=row.ended_why,
                borrower_name=unit.open("borrowers.name_enc", row.borrower_id, row.name_enc),
                product=row.product,
                reminded_on=tuple(
                    on
                    for _, on in reminder_days(
                        parts[row.id],
                        made_on=row.made_at.astimezone(zone).date(),
                        days_before=row.remind_days_before,
                    )
                ),
            )
        )
    return tuple(found)


async def _known(unit: Unit, now: datetime, case_id: UUID, due: Money, zone: ZoneInfo) -> Known:
    """The facts a suggestion may rest on; of signals the day alone, never how much was there."""
    case = await one(
        unit,
        select(cases.c.loan_id, cases.c.borrower_id, borrowers.c.country)
        .join(borrowers, borrowers.c.id == cases.c.borrower_id)
        .where(cases.c.id == case_id),
        "case",
    )
    seen = await unit.conn.scalars(
        select(funds_signals.c.raised_at).where(
            funds_signals.c.borrower_id == case.borrower_id,
            funds_signals.c.raised_at > now - _LOOK_BACK,
        )
    )
    regular = await unit.conn.scalar(
        select(instalments.c.amount_minor)
        .where(instalments.c.loan_id == case.loan_id, instalments.c.amount_minor > 0)
        .group_by(instalments.c.amount_minor)
        .order_by(func.count().desc(), instalments.c.amount_minor)
        .limit(1)
    )
    largest = await unit.conn.scalar(
        select(func.max(repayments.c.amount_minor)).where(
            repayments.c.loan_id == case.loan_id,
            repayments.c.counted,
            repayments.c.reversed_at.is_(None),
            repayments.c.source != literal("forgiven"),
            repayments.c.paid_at > now - _LOOK_BACK,
        )
    )
    return Known(
        due=due,
        country=case.country,
        money_came_on=tuple(at.astimezone(zone).date() for at in seen),
        income_on=await _income_on(unit, case.borrower_id, now.astimezone(zone).date()),
        instalment=None if regular is None else Money(int(regular), due.currency),
        largest_paid=None if largest is None else Money(int(largest), due.currency),
    )


async def _income_on(unit: Unit, borrower_id: UUID, today: date) -> date | None:
    """His next payday by the profiles of accounts that he lets be read; the day alone.

    A profile that cannot be read counts as none: the next reading begins another.
    """
    rows = await unit.conn.execute(
        select(accounts.c.id, income_profiles.c.profile_enc)
        .join(income_profiles, income_profiles.c.account_id == accounts.c.id)
        .join(consents, consents.c.id == accounts.c.consent_id)
        .where(
            accounts.c.borrower_id == borrower_id,
            income_profiles.c.profile_enc.is_not(None),
            consents.c.state == ConsentState.ACTIVE.value,
            literal(Purpose.REPAYMENT_MONITORING.value) == func.any(consents.c.purposes),
        )
    )
    found = []
    for row in rows:
        try:
            profile = IncomeProfile.from_json(
                unit.open("income_profiles.profile_enc", row.id, row.profile_enc)
            )
        except (SealBroken, ValueError):
            continue
        found.append(payday(look_ahead(profile, today), today))
    return min((day for day in found if day is not None), default=None)


async def currency_of_case(unit: Unit, case_id: UUID) -> str:
    """What the case's amounts are in. Raises `NotFound`."""
    query = (
        select(loans.c.currency)
        .join(cases, cases.c.loan_id == loans.c.id)
        .where(cases.c.id == case_id)
    )
    return str((await one(unit, query, "case")).currency)
