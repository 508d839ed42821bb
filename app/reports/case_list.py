"""The list of cases and the search for a person or a loan."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, TextualSelect, and_, func, or_, select, true, tuple_

from app.domain.case import CaseState
from app.domain.errors import Invalid
from app.domain.ids import Phone
from app.domain.money import Money
from app.domain.placement import PlacementState
from app.reports.case_columns import calls_made, promised_on
from app.store.borrowers import phone_hash
from app.store.brakes import in_force
from app.store.dues import last_due_day
from app.store.tables import (
    agencies,
    borrowers,
    cases,
    funds_signals,
    holds,
    instalments,
    lenders,
    loans,
    placements,
    tasks,
)
from app.store.unit import Unit

AT_MOST: Final = 50
# Names are sealed and cannot be searched by the database; this many are opened to compare.
NAMES_AT_MOST: Final = 2000


@dataclass(frozen=True, slots=True)
class CaseLine:
    """One case in the list."""

    id: UUID
    state: CaseState
    opened_at: datetime
    closed_at: datetime | None
    borrower_name: str
    borrower_ref: str
    loan_ref: str
    product: str
    due: Money | None
    oldest_due_on: date | None
    signal_covers: str
    tasks: int
    held: bool
    calls: int
    """Calls to the borrower since the case was opened."""
    promised_on: date | None
    """The next day of its open promise."""
    agency: str
    """Who has it while it is placed; empty while it is with us."""


@dataclass(frozen=True, slots=True)
class CaseList:
    """At most `AT_MOST` lines; `after` is the key of what follows, empty at the end.

    `names_cut` says that not all names could be compared.
    """

    lines: tuple[CaseLine, ...]
    after: str
    names_cut: bool = False


async def find_cases(
    unit: Unit, now: datetime, *, wanted: str = "", closed: bool = False, after: str | None = None
) -> CaseList:
    """Open (or closed) cases, newest first, of whom `wanted` names.

    `wanted` is a reference of a borrower or a loan, a telephone number, or a part of a name.
    """
    query = _lines(now).where(
        cases.c.state == CaseState.CLOSED.value if closed else cases.c.state != "closed"
    )
    names_cut = False
    if wanted:
        people, names_cut = await _people(unit, wanted)
        query = query.where(or_(loans.c.external_ref == wanted, cases.c.borrower_id.in_(people)))
    return await _listed(unit, _older(query, after), names_cut)


async def cases_among(
    unit: Unit, now: datetime, ids: TextualSelect, *, after: str | None = None
) -> CaseList:
    """The cases whose ids a report's query gives, open and closed ones, newest first."""
    # Chosen first: what a line says of a case is looked up for one page of them alone.
    page = (await unit.conn.scalars(page_of(ids, after))).all()
    return await _listed(unit, _lines(now).where(cases.c.id.in_(page)))


def page_of(ids: TextualSelect, after: str | None = None) -> Select[Any]:
    """The ids of one page of them, and one more where others follow."""
    return _page(_older(select(cases.c.id).where(cases.c.id.in_(ids)), after))


def _older(query: Select[Any], after: str | None) -> Select[Any]:
    key = _read_key(after or "")
    if key is None:
        return query
    return query.where(tuple_(cases.c.opened_at, cases.c.id) < tuple_(*key))


def _page(query: Select[Any]) -> Select[Any]:
    return query.order_by(cases.c.opened_at.desc(), cases.c.id.desc()).limit(AT_MOST + 1)


async def _listed(unit: Unit, query: Select[Any], names_cut: bool = False) -> CaseList:
    rows = (await unit.conn.execute(_page(query))).all()
    shown = rows[:AT_MOST]
    follows = ""
    if len(rows) > AT_MOST:
        follows = f"{shown[-1].opened_at.isoformat()}~{shown[-1].id}"
    return CaseList(tuple(_line(unit, row) for row in shown), follows, names_cut)


async def _people(unit: Unit, wanted: str) -> tuple[list[UUID], bool]:
    """Whom the search means: by reference or number exactly, else by a part of the name."""
    means = [borrowers.c.external_ref == wanted]
    with suppress(Invalid):
        means.append(borrowers.c.phone_hash == phone_hash(unit.vault, Phone.parse(wanted)))
    exact = (await unit.conn.scalars(select(borrowers.c.id).where(or_(*means)))).all()
    if exact or len(wanted) < 3:
        return list(exact), False
    return await _by_name(unit, wanted)


async def _by_name(unit: Unit, wanted: str) -> tuple[list[UUID], bool]:
    rows = (
        await unit.conn.execute(
            select(borrowers.c.id, borrowers.c.name_enc)
            .where(select(cases.c.id).where(cases.c.borrower_id == borrowers.c.id).exists())
            .order_by(borrowers.c.id.desc())
            .limit(NAMES_AT_MOST + 1)
        )
    ).all()
    part = wanted.casefold()
    found = [
        row.id
        for row in rows[:NAMES_AT_MOST]
        if part in unit.open("borrowers.name_enc", row.id, row.name_enc).casefold()
    ]
    return found, len(rows) > NAMES_AT_MOST


def _lines(now: datetime) -> Any:
    due = (
        select(
            func.sum(instalments.c.amount_minor - instalments.c.paid_minor).label("minor"),
            func.min(instalments.c.due_on).label("oldest"),
        )
        .where(
            instalments.c.loan_id == loans.c.id,
            instalments.c.due_on <= last_due_day(now),
            instalments.c.paid_minor < instalments.c.amount_minor,
        )
        .lateral("due")
    )
    seen = (
        select(funds_signals.c.covers)
        .where(
            funds_signals.c.borrower_id == cases.c.borrower_id, funds_signals.c.ended_at.is_(None)
        )
        .limit(1)
        .scalar_subquery()
    )
    waiting = (
        select(func.count())
        .select_from(tasks)
        .where(
            # As on the case itself: a task about the person is about each of his open cases.
            or_(
                tasks.c.case_id == cases.c.id,
                and_(
                    tasks.c.case_id.is_(None),
                    tasks.c.borrower_id == cases.c.borrower_id,
                    cases.c.state != CaseState.CLOSED.value,
                ),
            ),
            tasks.c.state.in_(("open", "taken")),
        )
        .scalar_subquery()
    )
    held = (
        select(holds.c.id)
        .where(
            holds.c.borrower_id == cases.c.borrower_id,
            or_(holds.c.case_id.is_(None), holds.c.case_id == cases.c.id),
            in_force(now),
        )
        .exists()
    )
    return (
        select(
            cases,
            borrowers.c.name_enc,
            borrowers.c.external_ref.label("borrower_ref"),
            loans.c.external_ref.label("loan_ref"),
            loans.c.product,
            loans.c.currency,
            due.c.minor.label("due_minor"),
            due.c.oldest,
            seen.label("signal_covers"),
            waiting.label("tasks"),
            held.label("held"),
            calls_made().label("calls"),
            promised_on(now).label("promised_on"),
            agencies.c.name.label("agency"),
        )
        .join(borrowers, borrowers.c.id == cases.c.borrower_id)
        .join(loans, loans.c.id == cases.c.loan_id)
        .join(lenders, lenders.c.id == cases.c.lender_id)
        .join(due, true())
        .outerjoin(
            placements,
            and_(
                placements.c.case_id == cases.c.id,
                placements.c.state == PlacementState.PLACED.value,
            ),
        )
        .outerjoin(agencies, agencies.c.id == placements.c.agency_id)
    )


def _line(unit: Unit, row: Row[Any]) -> CaseLine:
    return CaseLine(
        id=row.id,
        state=CaseState(row.state),
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        borrower_name=unit.open("borrowers.name_enc", row.borrower_id, row.name_enc),
        borrower_ref=row.borrower_ref,
        loan_ref=row.loan_ref,
        product=row.product,
        due=None if row.due_minor is None else Money(int(row.due_minor), row.currency),
        oldest_due_on=row.oldest,
        signal_covers=row.signal_covers or "",
        tasks=row.tasks,
        held=row.held,
        calls=row.calls,
        promised_on=row.promised_on,
        agency=row.agency or "",
    )


def _read_key(text: str) -> tuple[datetime, UUID] | None:
    at, _, row_id = text.partition("~")
    try:
        return datetime.fromisoformat(at), UUID(row_id)
    except ValueError:
        return None
