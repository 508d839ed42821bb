"""Who can do what and when, who is away, and why a task of the board is nobody's yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select

from app.domain.assignment import Given, Member, Need, Waiting, Why, share_out
from app.domain.desk_profile import Profile
from app.reports.workload import Workload, workloads
from app.store.desk_team import rules_in_force, team_of
from app.store.dues import local_day
from app.store.tables import absences, lenders, loans, users
from app.store.task_needs import needs_of
from app.store.unit import Unit

AT_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class DeskPerson:
    """One person who works tasks. `profile` None: nothing is noted, so the rules give him none.

    `on_shift_at`: now or earlier on shift, later when he comes; None: not within reach, or away.
    """

    work: Workload
    profile: Profile | None
    on_shift_at: datetime | None


@dataclass(frozen=True, slots=True)
class Leave:
    """Days on which somebody does not work, today's or ahead."""

    id: UUID
    user_id: UUID
    name: str
    starts_on: date
    until_on: date
    entered_by: str


@dataclass(frozen=True, slots=True)
class Unassigned:
    """What a task of the board needs, and why nobody has it. None: somebody may get it soon."""

    need: Need
    why: Why | None


async def desk_people(unit: Unit, now: datetime) -> tuple[DeskPerson, ...]:
    """Everybody who may work tasks and sign in, by name."""
    team = {one.member.id: one for one in await team_of(unit, now)}
    found = []
    for work in await workloads(unit, now):
        mate = team.get(work.id)
        found.append(
            DeskPerson(
                work,
                None if mate is None else mate.profile,
                None if mate is None else mate.member.on_shift_at,
            )
        )
    return tuple(found)


async def leaves(unit: Unit, now: datetime) -> tuple[Leave, ...]:
    """Every absence that is not over, the next one first."""
    rows = await unit.conn.execute(
        select(absences, users.c.name)
        .join(users, users.c.id == absences.c.user_id)
        .join(lenders, lenders.c.id == absences.c.lender_id)
        .where(absences.c.called_off_at.is_(None), absences.c.until_on >= local_day(now))
        .order_by(absences.c.starts_on, users.c.name, absences.c.id)
        .limit(AT_MOST)
    )
    return tuple(
        Leave(row.id, row.user_id, row.name, row.starts_on, row.until_on, row.entered_by)
        for row in rows
    )


async def currencies_of(unit: Unit) -> tuple[str, ...]:
    """The currencies that the lender's loans are in."""
    rows = await unit.conn.scalars(
        select(loans.c.currency).distinct().order_by(loans.c.currency).limit(AT_MOST)
    )
    return tuple(rows)


async def why_unassigned(
    unit: Unit, now: datetime, task_ids: Iterable[UUID]
) -> Mapping[UUID, Unassigned]:
    """Asked of tasks that are on the board; empty while the rules give nothing by themselves."""
    rules = await rules_in_force(unit)
    wanted = list(task_ids)
    if rules is None or not wanted:
        return {}
    team = [one.member for one in await team_of(unit, now)]
    found = {}
    for one in await needs_of(unit, rules, wanted):
        waits = Waiting(one.id, one.borrower_id, one.reason, one.need, one.priority, one.created_at)
        found[one.id] = Unassigned(one.need, _why(waits, team, now))
    return found


def _why(waits: Waiting, team: Iterable[Member], now: datetime) -> Why | None:
    """Each by itself: with room for one, it may be any of several."""
    (answer,) = share_out([waits], team, now)
    return None if isinstance(answer, Given) else answer.why
