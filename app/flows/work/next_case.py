"""Serve a collector the best piece of work there is, and nobody else the same person.

Candidates are read without a lock; each is then locked in a transaction of its own and looked at
again. Whoever is slower goes on to the next one instead of waiting for the first.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    exists,
    false,
    func,
    or_,
    select,
    text,
    true,
    update,
)

from app.domain.assignment import Skills, beyond
from app.domain.ids import LenderId, UserId
from app.domain.message import Channel
from app.domain.stage_plan import Skip
from app.domain.task import CALLS, TaskReason, TaskState
from app.flows.house import House
from app.flows.work.call_window import CallWindow, call_window, purpose_of, wished_for
from app.flows.work.work_task import LEASE, lock_task, take
from app.store import users
from app.store.arrays import among
from app.store.blocked_contacts import Blocked, hourly_key, note_blocked
from app.store.desk_team import rules_in_force, team_of
from app.store.shown_case import shown_case
from app.store.tables import funds_signals, tasks
from app.store.task_needs import may_be_offered
from app.store.unit import Unit

# So many are tried before the collector is told that nothing can be done now.
_TRIES: Final = 20
_OTHER_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Served:
    """A task that is his now, and the case to look at it on; None where the person has none open.

    `in_hand`: he had it before, and has to end it first.
    """

    task_id: UUID
    case_id: UUID | None
    in_hand: bool


async def next_case(
    house: House, now: datetime, *, lender_id: LenderId, user_id: UserId, actor: str
) -> Served | None:
    """The task he holds already, or the best one that may be worked now; None when there is none.

    Where the lender's rules say who gets what, the board offers him what he can do. First by
    urgency, then his own, then where money is in sight, then the one that waits longest.
    A call that the contact gate refuses is put off to the moment when it opens.
    """
    async with house.store.unit(lender_id) as unit:
        held = await _in_hand(unit, user_id)
        if held is not None:
            return held
        offer = await _offer_to(unit, now, user_id)
        found = await _candidates(unit, user_id, offer)
    for task_id in found:
        served = await _try(house, now, lender_id, user_id, actor, task_id, offer.waits)
        if served is not None:
            return served
    return None


async def _in_hand(unit: Unit, user_id: UserId) -> Served | None:
    rows = await unit.conn.execute(
        select(tasks.c.id, shown_case().label("case_id"))
        # Written out: the index of what is taken serves it.
        .where(text("tasks.state = 'taken'"), tasks.c.taken_by == user_id)
        .order_by(tasks.c.priority, tasks.c.created_at)
        .limit(1)
    )
    row = rows.one_or_none()
    return None if row is None else Served(row.id, row.case_id, in_hand=True)


async def _candidates(unit: Unit, user_id: UserId, offer: _Offer) -> list[UUID]:
    """The best ones, and behind them the best of those that are no calls: in the night, when every
    call waits for the morning, they are what can be done.

    Those kept for him, or with money in sight, are few and asked for apart; everything else comes
    in the order of the board's index, however long the board is.
    """
    seen = tasks.c.borrower_id.in_(
        select(funds_signals.c.borrower_id).where(funds_signals.c.ended_at.is_(None))
    )
    kept = func.coalesce(tasks.c.given_to == user_id, false())
    suits = or_(kept, offer.suits)
    query = (
        select(
            tasks.c.id,
            tasks.c.priority,
            kept.label("kept"),
            seen.label("seen"),
            tasks.c.created_at,
        )
        # Written out: the partial index of the board serves it.
        .where(text("tasks.state IN ('open', 'taken')"))
        .where(offer.waits, ~_with_somebody_else(user_id), suits)
        .where(await _his_to_end(unit, user_id))
        .order_by(tasks.c.priority, tasks.c.created_at, tasks.c.id)
    )
    apart = (await unit.conn.execute(query.where(or_(kept, seen)).limit(_TRIES))).all()
    others = (await unit.conn.execute(query.limit(_TRIES))).all()
    calls = [reason.value for reason in CALLS]
    no_calls = (
        await unit.conn.execute(query.where(tasks.c.reason.not_in(calls)).limit(_OTHER_TRIES))
    ).all()
    best = sorted(
        {row.id: row for row in (*apart, *others)}.values(),
        key=lambda row: (row.priority, not row.kept, not row.seen, row.created_at, row.id),
    )
    listed = [row.id for row in (*best[:_TRIES], *no_calls)]
    return list(dict.fromkeys(listed))


@dataclass(frozen=True, slots=True)
class _Offer:
    """Which tasks wait for whoever asks, and which of them he should do."""

    waits: ColumnElement[bool]
    suits: ColumnElement[bool]


async def _offer_to(unit: Unit, now: datetime, user_id: UserId) -> _Offer:
    """What he can do, and what nobody can who is there; everything, unless the lender's rules say
    who gets what.

    What they gave to somebody whose next shift is not within reach waits for everybody: it would
    lie over his weekend.
    """
    rules = await rules_in_force(unit)
    if rules is None:
        return _Offer(offered_to(now, user_id), true())
    team = [one.member for one in await team_of(unit, now)]
    mine = next((one.skills for one in team if one.id == user_id), Skills())
    there = (one.skills for one in team if not one.away)
    far = [one.id for one in team if one.on_shift_at is None]
    return _Offer(offered_to(now, user_id, far), may_be_offered(rules, mine, there))


async def _his_to_end(unit: Unit, user_id: UserId) -> ColumnElement[bool]:
    """What his role may end. The rest would come back to him whenever he asked, before all else."""
    role = (await users.by_id(unit, user_id)).person.role
    return tasks.c.reason.not_in(sorted(reason.value for reason in beyond(role)))


def offered_to(now: datetime, user_id: UUID, far: Collection[UUID] = ()) -> ColumnElement[bool]:
    """Tasks that wait for somebody now, and are not kept for another person.

    What the rules gave to those who are `far` is kept for nobody.
    """
    return and_(
        tasks.c.state == TaskState.OPEN.value,
        or_(tasks.c.not_before.is_(None), tasks.c.not_before <= now),
        or_(
            tasks.c.given_to.is_(None),
            tasks.c.given_to == user_id,
            and_(tasks.c.assigned_at.is_not(None), among(tasks.c.given_to, far)),
        ),
    )


def _with_somebody_else(user_id: UUID) -> ColumnElement[bool]:
    """Somebody is working on another task of the same person: two would call him at once."""
    other = tasks.alias("other")
    return exists(
        select(other.c.id).where(
            other.c.borrower_id == tasks.c.borrower_id,
            # Written out for the index of what is taken: few rows, on whatever board.
            text("other.state = 'taken'"),
            other.c.taken_by.is_distinct_from(user_id),
        )
    )


async def _try(
    house: House,
    now: datetime,
    lender_id: LenderId,
    user_id: UserId,
    actor: str,
    task_id: UUID,
    waits: ColumnElement[bool],
) -> Served | None:
    async with house.store.unit(lender_id) as unit:
        task = await lock_task(unit, task_id)
        free = await unit.conn.scalar(
            select(tasks.c.id).where(tasks.c.id == task_id, waits, ~_with_somebody_else(user_id))
        )
        if free is None:
            return None
        if TaskReason(task.reason) in CALLS:
            window = await _window_of(unit, house, now, task)
            if not window.allowed:
                await _put_off(unit, now, task, window, user_id, actor)
                return None
        until = house.real_now() + LEASE
        await take(unit, now, task, user_id, until, actor)
        case_id = await unit.conn.scalar(select(shown_case()).where(tasks.c.id == task_id))
        return Served(task_id, case_id, in_hand=False)


async def _window_of(unit: Unit, house: House, now: datetime, task: Row[Any]) -> CallWindow:
    return await call_window(
        unit,
        house.packs,
        now,
        borrower_id=task.borrower_id,
        case_ids=() if task.case_id is None else (task.case_id,),
        purpose=purpose_of(task.reason),
        asked_for=wished_for(task.reason, task.created_at, now),
    )


async def _put_off(
    unit: Unit, now: datetime, task: Row[Any], window: CallWindow, user_id: UserId, actor: str
) -> None:
    """Somebody wanted to work it and may not call: that is kept, and it waits for its moment."""
    blocked = Blocked(
        hourly_key(task.id, "desk", now),
        task.borrower_id,
        Channel.CALL,
        task.reason,
        Skip.GATE_REFUSED,
        purpose_of(task.reason),
        source="desk",
        actor=actor,
        case_ids=() if task.case_id is None else (task.case_id,),
        user_id=user_id,
        verdict=window.notes,
    )
    await note_blocked(unit, now, blocked)
    if window.opens_at is not None:
        await unit.conn.execute(
            update(tasks)
            .where(tasks.c.id == task.id)
            .values(
                not_before=window.opens_at,
                situation={**task.situation, "later_because": window.because},
            )
        )
