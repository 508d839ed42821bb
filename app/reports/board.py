"""The collector's board: whose turn it is and why now, and four figures about today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Row,
    Select,
    and_,
    func,
    literal_column,
    or_,
    select,
    true,
)

from app.domain.money import Money
from app.domain.payment import PaymentState
from app.domain.task import TaskReason, TaskState
from app.reports.alerts import count_live
from app.reports.texts import last_words
from app.store.arrays import among
from app.store.dues import last_due_day
from app.store.shown_case import shown_case
from app.store.tables import (
    borrowers,
    cases,
    funds_signals,
    instalments,
    lenders,
    loans,
    payments,
    tasks,
    users,
)
from app.store.unit import Unit

AT_MOST: Final = 60


class Pile(StrEnum):
    """Which tasks are shown."""

    AVAILABLE = "available"
    MINE = "mine"
    LATER = "later"
    WITH_OTHERS = "others"


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One task with what a collector needs to choose it. `due` is None when nothing is due."""

    id: UUID
    reason: TaskReason
    state: TaskState
    priority: int
    created_at: datetime
    situation: Mapping[str, Any]
    borrower_name: str
    case_id: UUID | None
    product: str
    due: Money | None
    oldest_due_on: date | None
    signal_covers: str
    """`enough` or `part` while money is seen, else empty."""
    signal_at: datetime | None
    taken_by: str
    taken_by_id: UUID | None
    borrower_id: UUID
    about_case: UUID | None
    """The task's own case; `case_id` is the one shown, also for a task about the person."""
    not_before: datetime | None
    kept_for_id: UUID | None
    kept_for: str
    because: Mapping[str, Any] | None
    """Why the lender's rules gave it to him; None for whatever a person meant for him."""
    wrote: str = field(default="", repr=False)
    """His own words, when the task is about a text that he sent."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of this moment and of the lender's day so far. `paid` has one sum per currency."""

    available: int
    mine: int
    later: int
    others: int
    alerts: int
    paid: tuple[Money, ...]
    payments: int


@dataclass(frozen=True, slots=True)
class Board:
    figures: Figures
    tasks: tuple[TaskLine, ...]


async def board_of(
    unit: Unit, now: datetime, *, user_id: UUID, pile: Pile, zone: ZoneInfo
) -> Board:
    """The board of one person: at most `AT_MOST` tasks of a pile, most pressing first."""
    # Chosen first and dressed afterwards: the joins are for what is shown, not for the whole board.
    chosen = await unit.conn.scalars(
        select(tasks.c.id)
        .where(_on_the_board(), _pile(pile, now, user_id))
        .order_by(*_order(pile))
        .limit(AT_MOST)
    )
    rows = await unit.conn.execute(
        _task_lines(now).where(among(tasks.c.id, list(chosen))).order_by(*_order(pile))
    )
    lines = await _lines(unit, rows.all())
    return Board(await _figures(unit, now, user_id, zone), lines)


async def tasks_of_case(
    unit: Unit, now: datetime, *, borrower_id: UUID, case_id: UUID
) -> tuple[TaskLine, ...]:
    """The tasks that wait on one case, those about the person as a whole included."""
    rows = await unit.conn.execute(
        _task_lines(now)
        .where(
            tasks.c.borrower_id == borrower_id,
            or_(tasks.c.case_id == case_id, tasks.c.case_id.is_(None)),
            _waiting(),
        )
        .order_by(tasks.c.priority, tasks.c.created_at)
        .limit(AT_MOST)
    )
    return await _lines(unit, rows.all())


async def _lines(unit: Unit, rows: Sequence[Row[Any]]) -> tuple[TaskLine, ...]:
    wrote = await last_words(unit, {row.borrower_id for row in rows if "wrote" in row.situation})
    return tuple(
        _line(unit, row, wrote.get(row.borrower_id, "") if "wrote" in row.situation else "")
        for row in rows
    )


def _waiting() -> ColumnElement[bool]:
    return tasks.c.state.in_((TaskState.OPEN.value, TaskState.TAKEN.value))


def _on_the_board() -> ColumnElement[bool]:
    # Written out: only then is it sure that the partial index of the board serves it.
    return literal_column("tasks.state IN ('open', 'taken')", Boolean)


def _order(pile: Pile) -> tuple[ColumnElement[Any], ...]:
    by = (tasks.c.priority, tasks.c.created_at, tasks.c.id)
    return (tasks.c.not_before, *by) if pile is Pile.LATER else by


def _pile(pile: Pile, now: datetime, user_id: UUID) -> ColumnElement[bool]:
    """By state: a task whose taker was not heard of again is put back by the timetable.

    What is kept for one person stands on his board alone, and on nobody's before its time.
    """
    taken = tasks.c.state == TaskState.TAKEN.value
    if pile is Pile.MINE:
        return and_(taken, tasks.c.taken_by == user_id)
    if pile is Pile.WITH_OTHERS:
        kept = and_(tasks.c.state == TaskState.OPEN.value, tasks.c.given_to != user_id)
        # One that the lender's own system has is with somebody, too.
        return or_(and_(taken, tasks.c.taken_by.is_distinct_from(user_id)), kept)
    waits = tasks.c.not_before > now
    return and_(
        tasks.c.state == TaskState.OPEN.value,
        or_(tasks.c.given_to.is_(None), tasks.c.given_to == user_id),
        waits if pile is Pile.LATER else or_(tasks.c.not_before.is_(None), ~waits),
    )


def _task_lines(now: datetime) -> Select[Any]:
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
    keeper = users.alias("keeper")
    seen = (
        select(funds_signals.c.covers, funds_signals.c.raised_at)
        .where(
            funds_signals.c.borrower_id == tasks.c.borrower_id, funds_signals.c.ended_at.is_(None)
        )
        .order_by(funds_signals.c.raised_at.desc())
        .limit(1)
        .lateral("seen")
    )
    return (
        select(
            tasks,
            borrowers.c.name_enc,
            tasks.c.case_id.label("about_case"),
            cases.c.id.label("shown_case"),
            loans.c.product,
            loans.c.currency,
            due.c.minor.label("due_minor"),
            due.c.oldest,
            seen.c.covers,
            seen.c.raised_at,
            users.c.name.label("taken_by_name"),
            keeper.c.name.label("kept_for_name"),
        )
        .join(borrowers, borrowers.c.id == tasks.c.borrower_id)
        .join(lenders, lenders.c.id == tasks.c.lender_id)
        .outerjoin(cases, cases.c.id == shown_case())
        .outerjoin(loans, loans.c.id == cases.c.loan_id)
        .outerjoin(due, true())
        .outerjoin(seen, true())
        .outerjoin(users, users.c.id == tasks.c.taken_by)
        .outerjoin(keeper, keeper.c.id == tasks.c.given_to)
    )


def _line(unit: Unit, row: Row[Any], wrote: str) -> TaskLine:
    return TaskLine(
        id=row.id,
        reason=TaskReason(row.reason),
        state=TaskState(row.state),
        priority=row.priority,
        created_at=row.created_at,
        situation=row.situation,
        borrower_name=unit.open("borrowers.name_enc", row.borrower_id, row.name_enc),
        case_id=row.shown_case,
        product=row.product or "",
        due=None if row.due_minor is None else Money(int(row.due_minor), row.currency),
        oldest_due_on=row.oldest,
        signal_covers=row.covers or "",
        signal_at=row.raised_at,
        taken_by=row.taken_by_name or "",
        taken_by_id=row.taken_by,
        borrower_id=row.borrower_id,
        about_case=row.about_case,
        not_before=row.not_before,
        kept_for_id=row.given_to,
        kept_for=row.kept_for_name or "",
        because=row.assigned_because,
        wrote=wrote,
    )


async def _figures(unit: Unit, now: datetime, user_id: UUID, zone: ZoneInfo) -> Figures:
    counted = (
        await unit.conn.execute(
            select(
                *(func.count().filter(_pile(pile, now, user_id)).label(pile.value) for pile in Pile)
            )
            .select_from(tasks)
            .where(_on_the_board())
        )
    ).one()
    counts = {pile: int(getattr(counted, pile.value)) for pile in Pile}
    midnight = start_of_day(now, zone)
    paid = await unit.conn.execute(
        select(payments.c.currency, func.sum(payments.c.amount_minor), func.count())
        .where(
            payments.c.settled_at >= midnight,
            payments.c.state == PaymentState.SETTLED.value,
        )
        .group_by(payments.c.currency)
        .order_by(func.count().desc())
    )
    sums = paid.all()
    return Figures(
        available=counts[Pile.AVAILABLE],
        mine=counts[Pile.MINE],
        later=counts[Pile.LATER],
        others=counts[Pile.WITH_OTHERS],
        alerts=await count_live(unit, now),
        paid=tuple(Money(int(row[1]), row[0]) for row in sums),
        payments=sum(row[2] for row in sums),
    )


def start_of_day(now: datetime, zone: ZoneInfo) -> datetime:
    """The first instant of the calendar day that `now` lies in, in that zone."""
    local = now.astimezone(zone)
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)
