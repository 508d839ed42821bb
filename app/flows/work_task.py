"""A collector takes a task, works it, and says what came of it; or gives it back.

A taken task is leased to its taker in real time, because people work in real time: one who goes
home without a word loses it to the board again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select, text, update

from app.domain.errors import Conflict, Invalid, NotAllowed, NotFound
from app.domain.ids import LenderId, UserId
from app.domain.message import CancelReason, Channel
from app.domain.strategy import PERSON_FIRST
from app.domain.task import TASK, TaskOutcome, TaskReason, TaskState
from app.flows.actors import ROBOT
from app.flows.house import House
from app.flows.start_over import start_over
from app.flows.stop_pressure import stop_pressure
from app.store import timeline
from app.store.contacts import note_contact
from app.store.locks import lock_borrower
from app.store.moves import move
from app.store.tables import borrowers, tasks
from app.store.timeline import Kind, Line
from app.store.unit import Unit

# Real time a taker has, from the last sign of work on the task.
LEASE: Final = timedelta(minutes=30)
LONGEST_NOTE: Final = 2000
_MOST: Final = 200

# After these the person is known to be who he says: his tries begin anew.
_KNOWN_AGAIN: Final = (TaskOutcome.REACHED, TaskOutcome.RESOLVED)


@dataclass(frozen=True, slots=True)
class GivenBack:
    """Tasks whose takers were not heard of again."""

    tasks: int


async def take_task(
    house: House, now: datetime, *, lender_id: LenderId, task_id: UUID, user_id: UserId, actor: str
) -> None:
    """Take a task off the board, or keep one that is yours already.

    Raises `NotFound`; `Conflict` when somebody else has it; `IllegalTransition` when it is over.
    """
    async with house.store.unit(lender_id) as unit:
        task = await _lock(unit, task_id)
        until = house.real_now() + LEASE
        if task.state == TaskState.TAKEN.value:
            if task.taken_by != user_id:
                raise Conflict("Somebody else is working on this task.", code="TaskTaken")
            await unit.conn.execute(
                update(tasks).where(tasks.c.id == task_id).values(leased_until=until)
            )
            return
        await move(unit, tasks, task_id, TASK, "take", taken_by=user_id, leased_until=until)
        await _write_line(unit, now, task, TaskState.TAKEN, actor)


async def release_task(
    house: House, now: datetime, *, lender_id: LenderId, task_id: UUID, user_id: UserId, actor: str
) -> None:
    """Give a task back to the board. Raises `NotFound`, `NotAllowed` for somebody else's."""
    async with house.store.unit(lender_id) as unit:
        task = await _lock_own(unit, task_id, user_id)
        await move(unit, tasks, task_id, TASK, "release", taken_by=None, leased_until=None)
        await _write_line(unit, now, task, TaskState.OPEN, actor)


async def finish_task(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    task_id: UUID,
    user_id: UserId,
    actor: str,
    outcome: TaskOutcome,
    note: str = "",
    called: bool = False,
) -> None:
    """Say what came of a task. `called`: the borrower was rung, which counts in the caps.

    When nothing else stands in the way, machines may go on: money that is still there counts as
    new. Raises `NotFound`, `NotAllowed` for somebody else's task, `Invalid` for a note that is too
    long, `IllegalTransition` when it is over.
    """
    if len(note) > LONGEST_NOTE:
        raise Invalid("note", f"has more than {LONGEST_NOTE} characters.")
    async with house.store.unit(lender_id) as unit:
        task = await _lock_own(unit, task_id, user_id)
        await move(
            unit,
            tasks,
            task_id,
            TASK,
            "finish",
            outcome=outcome.value,
            note=note.strip(),
            ended_at=now,
            leased_until=None,
        )
        await _write_line(unit, now, task, TaskState.DONE, actor, outcome=outcome.value)
        if called:
            await note_contact(
                unit,
                now,
                lender_id=lender_id,
                borrower_id=task.borrower_id,
                channel=Channel.CALL,
                outbound=True,
                conversation=outcome is not TaskOutcome.NO_ANSWER,
                case_ids=() if task.case_id is None else (task.case_id,),
                task_id=task_id,
            )
        await _let_go_on(unit, now, task, outcome)


async def give_back_tasks(house: House, now: datetime) -> GivenBack:
    """Put tasks whose lease is over back on the board."""
    real_now = house.real_now()
    given = 0
    async with house.store.engine_unit() as unit:
        rows = await unit.conn.execute(
            select(tasks)
            # Written out: the partial index of the board serves it.
            .where(text("state IN ('open', 'taken')"))
            .where(tasks.c.state == TaskState.TAKEN.value, tasks.c.leased_until <= real_now)
            .limit(_MOST)
            .with_for_update(skip_locked=True)
        )
        for task in rows.all():
            await move(unit, tasks, task.id, TASK, "release", taken_by=None, leased_until=None)
            await _write_line(unit, now, task, TaskState.OPEN, ROBOT)
            given += 1
    return GivenBack(given)


async def _let_go_on(unit: Unit, now: datetime, task: Row[Any], outcome: TaskOutcome) -> None:
    """What finishing this task sets free, or stops."""
    reason = TaskReason(task.reason)
    if reason is TaskReason.IDENTITY_CHECK_FAILED and outcome in _KNOWN_AGAIN:
        await unit.conn.execute(
            update(borrowers)
            .where(borrowers.c.id == task.borrower_id)
            .values(checks_failed=0, checks_locked_at=None)
        )
    if outcome is TaskOutcome.WRONG_NUMBER:
        # Whoever answers there must not be written to again (compliance: wrong numbers block at
        # once). The lender's system brings the right number; the hash of the wrong one stays, so
        # that the same one is not taken back from its next delivery.
        await unit.conn.execute(
            update(borrowers).where(borrowers.c.id == task.borrower_id).values(phone_enc=None)
        )
        await stop_pressure(
            unit,
            now,
            borrower_id=task.borrower_id,
            case_ids=None,
            why=CancelReason.PHONE_MISSING,
            end_signals=False,
            withdraw_links=True,
        )
    if reason in PERSON_FIRST:
        await start_over(
            unit, now, borrower_id=task.borrower_id, lender_id=task.lender_id, why="replaced"
        )


async def _lock(unit: Unit, task_id: UUID) -> Row[Any]:
    owner = await unit.conn.scalar(select(tasks.c.borrower_id).where(tasks.c.id == task_id))
    if owner is None:
        raise NotFound("There is no such task.")
    await lock_borrower(unit, owner)
    return (
        await unit.conn.execute(
            select(tasks).where(tasks.c.id == task_id).with_for_update(key_share=True)
        )
    ).one()


async def _lock_own(unit: Unit, task_id: UUID, user_id: UserId) -> Row[Any]:
    task = await _lock(unit, task_id)
    if task.state == TaskState.TAKEN.value and task.taken_by != user_id:
        raise NotAllowed("Somebody else is working on this task.", code="TaskTaken")
    return task


async def _write_line(
    unit: Unit, now: datetime, task: Row[Any], state: TaskState, actor: str, **more: str
) -> None:
    details = {"task_id": str(task.id), "reason": task.reason, "state": state.value, **more}
    line = Line(task.borrower_id, Kind.TASK_CHANGED, actor, details, task.case_id, task.lender_id)
    await timeline.write(unit, now, [line])
