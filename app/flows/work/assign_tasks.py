"""Give tasks of the board to people by the lender's rules, where he has switched that on.

Whoever assigns holds the lender's rules, so that two never see the same free place; then, without
waiting, the borrowers of the tasks, as everybody does who changes a task. A task that somebody
takes at the same moment is his.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, text, update

from app.domain.assignment import (
    LEADS_DECIDE,
    Given,
    Member,
    Rules,
    Waiting,
    share_out,
    still_fits,
)
from app.domain.ids import LenderId
from app.domain.task import TaskState
from app.flows.actors import ROBOT
from app.flows.house import House
from app.flows.side_by_side import side_by_side
from app.flows.work.back_to_board import ON_THE_BOARD, Back, back_line
from app.store import timeline
from app.store.arrays import among
from app.store.desk_team import Teammate, rule_book, team_of
from app.store.locks import lock_free_borrowers
from app.store.tables import assignment_rules, desk_profiles, tasks
from app.store.task_needs import Facts, needs_of, somebody_can
from app.store.timeline import Kind, Line
from app.store.unit import Unit

_BATCH: Final = 200
"""Tasks of one lender in one tick."""


@dataclass(frozen=True, slots=True)
class TasksAssigned:
    """What one look did: given to somebody, taken back because its owner cannot do it any more."""

    given: int
    taken_back: int


async def assign_tasks(house: House, now: datetime) -> TasksAssigned:
    """Give what waits to those who can and are there, for every lender who wants that."""
    async with house.store.engine_unit() as unit:
        wanting = (
            await unit.conn.scalars(
                select(assignment_rules.c.lender_id)
                .where(assignment_rules.c.active)
                .order_by(assignment_rules.c.lender_id)
            )
        ).all()

    async def of_one(lender_id: UUID) -> TasksAssigned:
        return await _assign(house, now, LenderId(lender_id))

    done = await side_by_side(wanting, of_one, limit=1)
    return TasksAssigned(sum(one.given for one in done), sum(one.taken_back for one in done))


async def _assign(house: House, now: datetime, lender_id: LenderId) -> TasksAssigned:
    async with house.store.unit(lender_id) as unit:
        book = await rule_book(unit, free_only=True)
        if book is None or not book.active:
            return TasksAssigned(0, 0)
        team = await team_of(unit, now)
        taken_back = await _take_back(unit, now, book.rules, team)
        return TasksAssigned(await _give(unit, now, book.rules, team), taken_back)


# ------------------------------------------------------------------ what somebody may get


async def _give(unit: Unit, now: datetime, rules: Rules, team: Sequence[Teammate]) -> int:
    people = [one.member for one in team]
    free = {one.skills for one in people if one.on_shift_at is not None and one.load < one.cap}
    if not free:
        return 0
    # What nobody of them can do is not even read: however much of it there is, it keeps nothing
    # behind it waiting, and whatever comes free goes to the most urgent one.
    suits = and_(_may_be_given(now), somebody_can(rules, free))
    due = (
        await unit.conn.execute(
            select(tasks.c.id, tasks.c.borrower_id)
            # Written out: the partial index of the board serves it.
            .where(text("tasks.state IN ('open', 'taken')"), suits)
            .order_by(tasks.c.priority, tasks.c.created_at, tasks.c.id)
            .limit(_BATCH)
        )
    ).all()
    found = await _locked(unit, due, suits)
    facts = await needs_of(unit, rules, found)
    held = await _holders(unit, {one.borrower_id for one in facts}, people)
    shared = share_out([_waiting(one, held) for one in facts], people, now)
    given = [one for one in shared if isinstance(one, Given)]
    names = {one.member.id: one.name for one in team}
    about = {one.id: one for one in facts}
    for one in given:
        await _hand(unit, now, one)
    await timeline.write(
        unit, now, [_given_line(about[one.task_id], one, names[one.to]) for one in given]
    )
    return len(given)


def _may_be_given(now: datetime) -> ColumnElement[bool]:
    """Open, nobody's, its time has come, and not to be left on the board for now."""
    return and_(
        tasks.c.state == TaskState.OPEN.value,
        tasks.c.given_to.is_(None),
        or_(tasks.c.not_before.is_(None), tasks.c.not_before <= now),
        or_(tasks.c.assign_after.is_(None), tasks.c.assign_after <= now),
        tasks.c.reason.not_in(sorted(one.value for one in LEADS_DECIDE)),
    )


async def _locked(unit: Unit, rows: Sequence[Any], still: ColumnElement[bool]) -> list[UUID]:
    """Those that nobody else has in hand at this moment and of which the condition still holds."""
    free = await lock_free_borrowers(unit, {row.borrower_id for row in rows})
    ids = [row.id for row in rows if row.borrower_id in free]
    found = await unit.conn.scalars(
        select(tasks.c.id)
        .where(among(tasks.c.id, ids), still)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return list(found)


async def _holders(
    unit: Unit, borrower_ids: Collection[UUID], people: Sequence[Member]
) -> dict[UUID, UUID]:
    """Who has another task of these borrowers, where somebody of the team has."""
    owner = func.coalesce(tasks.c.taken_by, tasks.c.given_to)
    rows = await unit.conn.execute(
        select(tasks.c.borrower_id, owner.label("owner"))
        .where(
            among(tasks.c.borrower_id, borrower_ids),
            tasks.c.state.in_((TaskState.OPEN.value, TaskState.TAKEN.value)),
            among(owner, [one.id for one in people]),
        )
        .order_by(tasks.c.state, tasks.c.created_at.desc(), tasks.c.id.desc())
    )
    # The last row of a borrower stands: what is taken, else what waits longest.
    return {row.borrower_id: row.owner for row in rows}


def _waiting(one: Facts, held: Mapping[UUID, UUID]) -> Waiting:
    return Waiting(
        one.id,
        one.borrower_id,
        one.reason,
        one.need,
        one.priority,
        one.created_at,
        held.get(one.borrower_id),
    )


async def _hand(unit: Unit, now: datetime, one: Given) -> None:
    await unit.conn.execute(
        update(tasks)
        .where(tasks.c.id == one.task_id)
        .values(given_to=one.to, assigned_at=now, assigned_because=because(one))
    )


def because(one: Given) -> dict[str, Any]:
    """Why it is his, as plain JSON; the pages put it into words."""
    need = {name: value for name, value in asdict(one.need).items() if value}
    later = {"on_shift_at": one.on_shift_at.isoformat()} if one.on_shift_at else {}
    same = {"same_borrower": True} if one.same_borrower else {}
    return {**need, "load": one.load, "cap": one.cap, **later, **same}


def _given_line(about: Facts, one: Given, name: str) -> Line:
    details = {
        "task_id": str(about.id),
        "reason": about.reason.value,
        "state": TaskState.OPEN.value,
        "handed_to": str(one.to),
        "name": name,
        "because": because(one),
    }
    return Line(about.borrower_id, Kind.TASK_CHANGED, ROBOT, details, about.case_id)


# ------------------------------------------------------------------ what an owner cannot do


async def _take_back(unit: Unit, now: datetime, rules: Rules, team: Sequence[Teammate]) -> int:
    """Look again at what was given before the rules or its owner's profile changed.

    Whoever is away or gone is looked after by `free_what_is_kept_for_the_absent`.
    """
    owners = {one.member.id: one.member for one in team}
    changed = func.greatest(
        select(assignment_rules.c.changed_at).scalar_subquery(),
        select(desk_profiles.c.changed_at)
        .where(desk_profiles.c.user_id == tasks.c.given_to)
        .scalar_subquery(),
    )
    old = and_(
        tasks.c.state == TaskState.OPEN.value,
        tasks.c.given_to.is_not(None),
        tasks.c.assigned_at <= changed,
        tasks.c.assigned_at < now,
    )
    due = (
        await unit.conn.execute(
            select(tasks.c.id, tasks.c.borrower_id)
            # Written out: the partial index of what is given serves it.
            .where(text("tasks.state = 'open' AND tasks.given_to IS NOT NULL"), old)
            .order_by(tasks.c.id)
            .limit(_BATCH)
        )
    ).all()
    found = await _locked(unit, due, old)
    lines, gone = [], []
    for one in await needs_of(unit, rules, found):
        owner = None if one.given_to is None else owners.get(one.given_to)
        if not still_fits(one.reason, one.need, owner):
            why = Back.AWAY if owner is not None and owner.away else Back.UNFIT
            gone.append(one.id)
            lines.append(back_line(one.borrower_id, one.case_id, one.id, one.reason, why))
    await unit.conn.execute(update(tasks).where(among(tasks.c.id, gone)).values(**ON_THE_BOARD))
    kept = [task_id for task_id in found if task_id not in gone]
    await unit.conn.execute(update(tasks).where(among(tasks.c.id, kept)).values(assigned_at=now))
    await timeline.write(unit, now, lines)
    return len(gone)
