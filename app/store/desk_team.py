"""Who works tasks by rule: skills, hours and leave as rows, and how much is with each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, select, text, update

from app.domain.assignment import Member, Rules, Skills, WorkKind, next_shift
from app.domain.desk_profile import Profile, read_hours
from app.domain.money import Money
from app.domain.roles import RIGHTS, Act, Role
from app.store.dues import local_day
from app.store.tables import absences, assignment_rules, desk_profiles, lenders, tasks, users
from app.store.unit import Unit

# Days around today whose absences matter for the next shift, in whatever zone it is.
_AROUND: Final = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class RuleBook:
    """A lender's rules. `active` False: nothing is given by itself, whoever can do what."""

    active: bool
    rules: Rules
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Teammate:
    """One person with a profile who may work tasks and sign in."""

    member: Member
    name: str
    role: Role
    profile: Profile
    away_until: date | None


async def rule_book(unit: Unit, *, free_only: bool = False, lock: bool = False) -> RuleBook | None:
    """The rules of the unit's lender; None while nobody has written any.

    `lock` keeps every other reader with `lock` waiting until the unit ends. With `free_only` it is
    None, too, when another one has them: two who give out tasks at once would not see each other's.
    """
    query = select(assignment_rules)
    if lock or free_only:
        query = query.with_for_update(skip_locked=free_only)
    row = (await unit.conn.execute(query)).one_or_none()
    return None if row is None else RuleBook(row.active, _rules(row), row.changed_at)


async def rules_in_force(unit: Unit) -> Rules | None:
    """The rules while tasks are given by them; None otherwise."""
    book = await rule_book(unit)
    return book.rules if book is not None and book.active else None


def _rules(row: Row[Any]) -> Rules:
    bounds = tuple(Money(minor, currency) for currency, minor in sorted(row.large_from.items()))
    return Rules(frozenset(row.languages), frozenset(row.products), _kinds(row.kinds), bounds)


def profile_of(row: Row[Any]) -> Profile:
    """The profile in a row."""
    skills = Skills(frozenset(row.languages), frozenset(row.products), _kinds(row.kinds), row.large)
    return Profile(skills, row.time_zone, read_hours(row.hours), row.cap)


def _kinds(words: Iterable[str]) -> frozenset[WorkKind]:
    return frozenset(WorkKind(one) for one in words)


def works_tasks() -> ColumnElement[bool]:
    """Users who may sign in, in a role that works tasks."""
    return and_(
        users.c.disabled_at.is_(None),
        users.c.role.in_([role.value for role in RIGHTS[Act.WORK_TASK]]),
    )


def away_until(now: datetime) -> ColumnElement[Any]:
    """The last day of an absence that covers today; NULL for whoever is there.

    For statements over `users` that join `lenders`.
    """
    today = local_day(now)
    noted = (
        select(func.max(absences.c.until_on))
        .where(
            absences.c.user_id == users.c.id,
            absences.c.called_off_at.is_(None),
            absences.c.starts_on <= today,
            absences.c.until_on >= today,
        )
        .correlate(users, lenders)
        .scalar_subquery()
    )
    own = func.nullif(func.greatest(users.c.away_until, today - 1), today - 1)
    # GREATEST minds no NULL: whichever of the two lasts longer, if there is any.
    return func.greatest(own, noted)


async def gone_until(unit: Unit, now: datetime, user_id: UUID) -> date | None:
    """The last day of somebody's absence; None while he is there."""
    found: date | None = await unit.conn.scalar(
        select(away_until(now))
        .select_from(users)
        .join(lenders, lenders.c.id == users.c.lender_id)
        .where(users.c.id == user_id)
    )
    return found


async def call_off_absences(unit: Unit, now: datetime, user_id: UUID) -> None:
    """Whoever is back has no absence today any more; one that lies ahead stays."""
    today = (
        select(local_day(now))
        .where(lenders.c.id == absences.c.lender_id)
        .correlate(absences)
        .scalar_subquery()
    )
    await unit.conn.execute(
        update(absences)
        .where(
            absences.c.user_id == user_id,
            absences.c.called_off_at.is_(None),
            absences.c.starts_on <= today,
            absences.c.until_on >= today,
        )
        .values(called_off_at=now)
    )


async def team_of(unit: Unit, now: datetime) -> tuple[Teammate, ...]:
    """Everybody of the unit's lender with a profile who may work tasks, by name."""
    rows = (
        await unit.conn.execute(
            select(
                users.c.id,
                users.c.name,
                users.c.role,
                desk_profiles,
                away_until(now).label("gone_until"),
                local_day(now).label("today"),
            )
            .join(desk_profiles, desk_profiles.c.user_id == users.c.id)
            .join(lenders, lenders.c.id == users.c.lender_id)
            .where(works_tasks())
            .order_by(users.c.name, users.c.id)
        )
    ).all()
    loads = await _loads(unit)
    leaves = await _leaves(unit, rows[0].today) if rows else {}
    return tuple(_teammate(row, loads, leaves, now) for row in rows)


def _teammate(
    row: Row[Any], loads: Mapping[UUID, int], leaves: Mapping[UUID, frozenset[date]], now: datetime
) -> Teammate:
    profile, away = profile_of(row), row.gone_until is not None
    off = leaves.get(row.id, frozenset())
    if row.gone_until is not None:
        off |= _days(row.today, min(row.gone_until, row.today + _AROUND))
    shift = None if away else next_shift(profile.time_zone, profile.hours, off, now)
    member = Member(row.id, profile.skills, loads.get(row.id, 0), profile.cap, away, shift)
    return Teammate(member, row.name, Role(row.role), profile, row.gone_until)


async def _loads(unit: Unit) -> dict[UUID, int]:
    """How many tasks are with each: taken by him, or kept for him."""
    found: dict[UUID, int] = {}
    for owner, state in (
        # Written out: the partial indexes of what is given and what is taken serve them.
        (tasks.c.given_to, text("state = 'open' AND given_to IS NOT NULL")),
        (tasks.c.taken_by, text("state = 'taken' AND taken_by IS NOT NULL")),
    ):
        rows = await unit.conn.execute(
            select(owner.label("owner"), func.count().label("held")).where(state).group_by(owner)
        )
        for row in rows:
            found[row.owner] = found.get(row.owner, 0) + row.held
    return found


async def _leaves(unit: Unit, today: date) -> dict[UUID, frozenset[date]]:
    first, last = today - _AROUND, today + _AROUND
    rows = await unit.conn.execute(
        select(absences).where(
            absences.c.called_off_at.is_(None),
            absences.c.starts_on <= last,
            absences.c.until_on >= first,
        )
    )
    found: dict[UUID, frozenset[date]] = {}
    for row in rows:
        days = _days(max(row.starts_on, first), min(row.until_on, last))
        found[row.user_id] = found.get(row.user_id, frozenset()) | days
    return found


def _days(first: date, last: date) -> frozenset[date]:
    return frozenset(
        date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1)
    )
