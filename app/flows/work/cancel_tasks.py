"""Take tasks off the board whose reason has gone by itself."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app.domain.task import TASK, TaskReason, TaskState
from app.flows.actors import ROBOT
from app.store import timeline
from app.store.moves import move_all
from app.store.tables import tasks
from app.store.timeline import Kind, Line
from app.store.unit import Unit


async def cancel_tasks(
    unit: Unit,
    now: datetime,
    *,
    borrower_id: UUID,
    reasons: Collection[TaskReason],
    why: str,
    case_id: UUID | None = None,
    payment_id: UUID | None = None,
    hold_id: UUID | None = None,
    free_since: datetime | None = None,
) -> int:
    """Cancel the borrower's waiting tasks of these reasons (`case_id`: only of this case, or of
    no case; `payment_id`, `hold_id`: only about this one; `free_since`: only those that stood on
    the board then and that nobody has in hand). `why` is a word for the timeline. Returns how many.
    """
    query = select(tasks.c.id, tasks.c.case_id, tasks.c.lender_id).where(
        tasks.c.borrower_id == borrower_id,
        tasks.c.reason.in_([reason.value for reason in reasons]),
        tasks.c.state.in_((TaskState.OPEN.value, TaskState.TAKEN.value)),
    )
    if free_since is not None:
        query = query.where(tasks.c.state == TaskState.OPEN.value, tasks.c.created_at <= free_since)
    if case_id is not None:
        query = query.where((tasks.c.case_id == case_id) | tasks.c.case_id.is_(None))
    if payment_id is not None:
        query = query.where(tasks.c.situation["payment_id"].astext == str(payment_id))
    if hold_id is not None:
        query = query.where(tasks.c.situation["hold_id"].astext == str(hold_id))
    found = {row.id: row for row in await unit.conn.execute(query.with_for_update(key_share=True))}
    moved = await move_all(
        unit, tasks, list(found), TASK, "cancel", cancel_reason=why, ended_at=now, leased_until=None
    )
    state = TaskState.CANCELLED.value
    await timeline.write(
        unit,
        now,
        [
            Line(
                borrower_id,
                Kind.TASK_CHANGED,
                ROBOT,
                {"task_id": str(task_id), "state": state, "why": why},
                found[task_id].case_id,
                found[task_id].lender_id,
            )
            for task_id in moved
        ],
    )
    return len(moved)
