"""A collector takes a task, works it, and says what came of it; or gives it back.

A taken task is leased to its taker in real time, because people work in real time: one who goes
home without a word loses it to the board again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select, text, update

from app.domain.errors import Conflict, NotAllowed, NotFound
from app.domain.ids import LenderId, UserId
from app.domain.message import Channel
from app.domain.promise_terms import Part
from app.domain.strategy import PERSON_FIRST
from app.domain.task import TASK, TaskOutcome, TaskReason, TaskState
from app.flows.actors import ROBOT
from app.flows.house import House
from app.flows.signals.start_over import start_over
from app.flows.work.back_to_board import ON_THE_BOARD, free_what_is_kept_for_the_absent
from app.flows.work.call_window import call_window, purpose_of, wished_for
from app.flows.work.follow_outcome import SPOKE, Contacted, Heard, check_heard, follow_outcome
from app.store import timeline
from app.store.contacts import note_contact
from app.store.locks import lock_borrower
from app.store.moves import move
from app.store.strategies import end_steps, wake_cases
from app.store.tables import borrowers, tasks
from app.store.timeline import Kind, Line
from app.store.unit import Unit

# Real time a taker has, from the last sign of work on the task.
LEASE: Final = timedelta(minutes=30)
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
        task = await lock_task(unit, task_id)
        until = house.real_now() + LEASE
        if task.state == TaskState.TAKEN.value:
            if task.taken_by != user_id:
                raise Conflict("Somebody else is working on this task.", code="TaskTaken")
            await unit.conn.execute(
                update(tasks).where(tasks.c.id == task_id).values(leased_until=until)
            )
            return
        await take(unit, now, task, user_id, until, actor)


async def take(
    unit: Unit, now: datetime, task: Row[Any], user_id: UserId, until: datetime, actor: str
) -> None:
    """Into his hands. What the rules gave to somebody else comes back to the board after him."""
    another = task.assigned_at is not None and task.given_to != user_id
    more = ON_THE_BOARD if another else {}
    await move(unit, tasks, task.id, TASK, "take", taken_by=user_id, leased_until=until, **more)
    await write_task_line(unit, now, task, TaskState.TAKEN, actor)


async def release_task(
    house: House, now: datetime, *, lender_id: LenderId, task_id: UUID, user_id: UserId, actor: str
) -> None:
    """Give a task back to the board. Raises `NotFound`, `NotAllowed` for somebody else's."""
    async with house.store.unit(lender_id) as unit:
        task = await _lock_own(unit, task_id, user_id)
        await move(unit, tasks, task_id, TASK, "release", taken_by=None, leased_until=None)
        await write_task_line(unit, now, task, TaskState.OPEN, actor)


async def finish_task(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    task_id: UUID,
    user_id: UserId | None,
    actor: str,
    outcome: TaskOutcome,
    note: str = "",
    called: bool = False,
    parts: Sequence[Part] = (),
    call_at: datetime | None = None,
    new_number: bool = False,
) -> None:
    """Say what came of a task. `called`: the borrower was rung, which counts in the caps.

    `new_number`: he was rung on the number that the desk entered and nobody has confirmed yet.

    What follows from the outcome follows in the same transaction (follow_outcome). When nothing
    else stands in the way, machines may go on: money that is still there counts as new.
    `user_id` is None for the lender's own system, which need not take a task before. Raises
    `NotFound`, `NotAllowed` for somebody else's task, `Invalid` for what an outcome lacks,
    `IllegalTransition` when it is over.
    """
    heard = Heard(outcome, note.strip(), parts, call_at, new_number=called and new_number)
    check_heard(heard, now)
    async with house.store.unit(lender_id) as unit:
        task = await _lock_own(unit, task_id, user_id)
        if user_id is None and task.state == TaskState.OPEN.value:
            await move(unit, tasks, task_id, TASK, "take")
        await move(
            unit,
            tasks,
            task_id,
            TASK,
            "finish",
            outcome=outcome.value,
            note=heard.note,
            ended_at=now,
            leased_until=None,
        )
        await write_task_line(unit, now, task, TaskState.DONE, actor, outcome=outcome.value)
        if called:
            await _count_call(unit, house, now, task, heard, user_id, actor)
        about = Contacted(
            task.borrower_id, task.case_id, task_id, actor, user_id, TaskReason(task.reason)
        )
        await follow_outcome(unit, house, now, about, heard)
        await end_steps(unit, now, task_id=task_id, result=outcome.value)
        await wake_cases(unit, now, borrower_id=task.borrower_id)
        await _let_go_on(unit, now, task, outcome)


async def _count_call(
    unit: Unit,
    house: House,
    now: datetime,
    task: Row[Any],
    heard: Heard,
    user_id: UserId | None,
    actor: str,
) -> None:
    """Count the call, and write down when the rules had said no to it."""
    case_ids = () if task.case_id is None else (task.case_id,)
    asked_for = wished_for(task.reason, task.created_at, now)
    window = await call_window(
        unit,
        house.packs,
        now,
        borrower_id=task.borrower_id,
        case_ids=case_ids,
        purpose=purpose_of(task.reason),
        asked_for=asked_for,
    )
    await note_contact(
        unit,
        now,
        lender_id=task.lender_id,
        borrower_id=task.borrower_id,
        channel=Channel.CALL,
        outbound=True,
        conversation=heard.outcome in SPOKE or heard.outcome is TaskOutcome.RESOLVED,
        case_ids=case_ids,
        task_id=task.id,
        user_id=user_id,
        outcome=heard.outcome.value,
        asked_for=asked_for,
        verdict=window.notes,
    )
    if window.allowed:
        return
    details = {
        "channel": Channel.CALL.value,
        "direction": "outbound",
        "task_id": str(task.id),
        "allowed": False,
        "because": window.because,
    }
    line = Line(task.borrower_id, Kind.CONTACT_NOTED, actor, details, task.case_id, task.lender_id)
    await timeline.write(unit, now, [line])


async def give_back_tasks(house: House, now: datetime) -> GivenBack:
    """Put tasks whose lease is over back on the board, and those kept for people who are away."""
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
            await write_task_line(unit, now, task, TaskState.OPEN, ROBOT)
            given += 1
        await free_what_is_kept_for_the_absent(unit, now)
    return GivenBack(given)


async def _let_go_on(unit: Unit, now: datetime, task: Row[Any], outcome: TaskOutcome) -> None:
    """What finishing this task sets free."""
    reason = TaskReason(task.reason)
    if reason is TaskReason.IDENTITY_CHECK_FAILED and outcome in _KNOWN_AGAIN:
        await unit.conn.execute(
            update(borrowers)
            .where(borrowers.c.id == task.borrower_id)
            .values(checks_failed=0, checks_locked_at=None)
        )
    if reason in PERSON_FIRST:
        await start_over(
            unit, now, borrower_id=task.borrower_id, lender_id=task.lender_id, why="replaced"
        )


async def lock_task(unit: Unit, task_id: UUID) -> Row[Any]:
    """Lock the task's borrower, then the task, and return it. Raises `NotFound`."""
    owner = await unit.conn.scalar(select(tasks.c.borrower_id).where(tasks.c.id == task_id))
    if owner is None:
        raise NotFound("There is no such task.")
    await lock_borrower(unit, owner)
    return (
        await unit.conn.execute(
            select(tasks).where(tasks.c.id == task_id).with_for_update(key_share=True)
        )
    ).one()


async def _lock_own(unit: Unit, task_id: UUID, user_id: UserId | None) -> Row[Any]:
    task = await lock_task(unit, task_id)
    if task.state == TaskState.TAKEN.value and task.taken_by != user_id:
        raise NotAllowed("Somebody else is working on this task.", code="TaskTaken")
    return task


async def write_task_line(
    unit: Unit, now: datetime, task: Row[Any], state: TaskState, actor: str, **more: str
) -> None:
    """The line of the task's new state."""
    details = {"task_id": str(task.id), "reason": task.reason, "state": state.value, **more}
    line = Line(task.borrower_id, Kind.TASK_CHANGED, actor, details, task.case_id, task.lender_id)
    await timeline.write(unit, now, [line])
