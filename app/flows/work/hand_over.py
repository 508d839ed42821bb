"""Hand one's tasks over at the end of a shift, or for a leave: to a colleague or to the board."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select, text, update

from app.domain.assignment import REST
from app.domain.errors import Conflict, Invalid
from app.domain.ids import LenderId, UserId
from app.domain.roles import Act, may
from app.domain.task import TASK, TaskState
from app.flows.house import House
from app.flows.work.back_to_board import ON_THE_BOARD
from app.flows.work.work_task import write_task_line
from app.store import audit, users
from app.store.desk_team import call_off_absences, gone_until
from app.store.locks import lock_borrowers
from app.store.moves import move
from app.store.promises import zone_of_lender
from app.store.tables import tasks
from app.store.unit import Unit

_BATCH: Final = 200
"""Tasks that name the people of one transaction."""
_MOST_BATCHES: Final = 500


async def hand_over(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    from_id: UserId,
    to_id: UserId | None,
    actor: str,
    away_until: date | None = None,
) -> int:
    """Give everything that waits with `from_id` to `to_id`, or to everybody (None).

    `away_until` is his last day of absence: until then he gets no work. Returns how many tasks
    went over. Each batch of people is a transaction with a line of its own in the audit; what a
    crash leaves goes over when it is asked for again. Raises `NotFound`, and `Invalid` for a
    receiver who is away, may not work tasks, or is the giver himself, and for a day that has
    passed; `Conflict`, saying how many tasks stayed, when new ones come faster than they go over.
    """
    moved = 0
    # Put on the board at the end of a shift, it is for everybody, and not given back to the giver
    # by the rules. Whoever leaves for days gets nothing from them anyway.
    rests_until = now + REST if to_id is None and away_until is None else None
    for batch in range(_MOST_BATCHES):
        async with house.store.unit(lender_id) as unit:
            if batch == 0:
                await _begin(unit, now, from_id, to_id, away_until)
            gone = await _hand(unit, now, from_id, to_id, actor, rests_until)
            if batch == 0 or gone:
                await _record(unit, now, from_id, to_id, gone, away_until, actor)
        if not gone:
            return moved
        moved += gone
    async with house.store.unit(lender_id) as unit:
        left = await unit.conn.scalar(
            select(func.count()).select_from(_waiting(from_id).subquery())
        )
    if left:
        raise Conflict(f"{moved} tasks are handed over, {left} stayed. Hand over once more.")
    return moved


async def _begin(
    unit: Unit, now: datetime, from_id: UserId, to_id: UserId | None, away_until: date | None
) -> None:
    """Who gives, who takes, and the giver's absence."""
    today = now.astimezone(await zone_of_lender(unit, unit.lender_id)).date()
    await users.by_id(unit, from_id)
    if to_id is not None:
        await _check_receiver(unit, now, from_id, to_id)
    if away_until is not None:
        if away_until < today:
            raise Invalid("away_until", "has passed.", mend="Leave it empty, or choose today.")
        await users.change(unit, from_id, away_until=away_until)


async def _record(
    unit: Unit,
    now: datetime,
    from_id: UserId,
    to_id: UserId | None,
    moved: int,
    away_until: date | None,
    actor: str,
) -> None:
    await audit.record(
        unit,
        now,
        actor=actor,
        act="hand_over",
        subject=str(from_id),
        after={
            "to": str(to_id) if to_id else "board",
            "tasks": moved,
            "away_until": away_until.isoformat() if away_until else None,
        },
    )


async def come_back(
    house: House, now: datetime, *, lender_id: LenderId, user_id: UserId, actor: str
) -> None:
    """End an absence early: he is there again."""
    async with house.store.unit(lender_id) as unit:
        await users.change(unit, user_id, away_until=None)
        await call_off_absences(unit, now, user_id)
        await audit.record(unit, now, actor=actor, act="come_back", subject=str(user_id))


async def _check_receiver(unit: Unit, now: datetime, from_id: UserId, to_id: UserId) -> None:
    if to_id == from_id:
        raise Invalid("to", "is the person who hands over.", mend="Choose somebody else.")
    person = (await users.by_id(unit, to_id)).person
    if person.disabled_at is not None or not may(person.role, Act.WORK_TASK):
        raise Invalid("to", "does not work tasks.", mend="Choose a collector, or the board.")
    away = await gone_until(unit, now, to_id)
    if away is not None:
        raise Invalid("to", f"is away until {away}.", mend="Choose somebody who is there.")


def with_user(user_id: UUID) -> ColumnElement[bool]:
    """Tasks that he has taken, or that are kept for him."""
    return or_(
        and_(tasks.c.state == TaskState.TAKEN.value, tasks.c.taken_by == user_id),
        and_(tasks.c.state == TaskState.OPEN.value, tasks.c.given_to == user_id),
    )


def _waiting(user_id: UUID) -> Select[Any]:
    return select(tasks).where(text("state IN ('open', 'taken')")).where(with_user(user_id))


async def _hand(
    unit: Unit,
    now: datetime,
    from_id: UserId,
    to_id: UserId | None,
    actor: str,
    rests_until: datetime | None,
) -> int:
    """Hand over what concerns the next people; returns how many tasks."""
    waiting = _waiting(from_id)
    people = {
        row.borrower_id
        for row in await unit.conn.execute(waiting.order_by(tasks.c.borrower_id).limit(_BATCH))
    }
    await lock_borrowers(unit, people)
    found: Sequence[Row[Any]] = (
        await unit.conn.execute(
            waiting.where(tasks.c.borrower_id.in_(people)).with_for_update(key_share=True)
        )
    ).all()
    for task in found:
        if task.state == TaskState.TAKEN.value:
            await move(unit, tasks, task.id, TASK, "release", taken_by=None, leased_until=None)
        await unit.conn.execute(
            update(tasks)
            .where(tasks.c.id == task.id)
            .values({**ON_THE_BOARD, "given_to": to_id, "assign_after": rests_until})
        )
        to = str(to_id) if to_id else "board"
        await write_task_line(unit, now, task, TaskState.OPEN, actor, handed_to=to)
    return len(found)
