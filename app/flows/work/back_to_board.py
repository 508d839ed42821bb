"""What is kept for somebody becomes everybody's again: he is away, gone, or cannot do it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import not_, null, or_, select, text, update

from app.domain.task import TaskState
from app.flows.actors import ROBOT
from app.store import timeline
from app.store.arrays import among
from app.store.desk_team import away_until, works_tasks
from app.store.tables import lenders, tasks, users
from app.store.timeline import Kind, Line
from app.store.unit import Unit

_MOST: Final = 500


class Back(StrEnum):
    """Why a task is on the board again. `gone`: disabled, or in a role that works no tasks."""

    AWAY = "away"
    GONE = "gone"
    UNFIT = "unfit"


ON_THE_BOARD: Final[Mapping[str, Any]] = {
    "given_to": None,
    "assigned_at": None,
    "assigned_because": null(),
    "assign_after": None,
}
"""What is written to such a task; the rules may give it to somebody at once."""


async def free_what_is_kept_for_the_absent(unit: Unit, now: datetime) -> int:
    """Free the tasks of all who are on leave or gone; an engine unit. Returns how many.

    Each is locked before it is looked at, so that it comes back once, with one line.
    """
    rows = (
        await unit.conn.execute(
            select(
                tasks.c.id, tasks.c.borrower_id, tasks.c.case_id, tasks.c.lender_id,
                tasks.c.reason, works_tasks().label("works"),
            )
            .join(users, users.c.id == tasks.c.given_to)
            .join(lenders, lenders.c.id == users.c.lender_id)
            .where(
                # Written out: the partial index of what is given serves it.
                text("tasks.state = 'open' AND tasks.given_to IS NOT NULL"),
                or_(not_(works_tasks()), away_until(now).is_not(None)),
            )
            .limit(_MOST)
            .with_for_update(of=tasks, key_share=True, skip_locked=True)
        )
    ).all()  # fmt: skip
    await unit.conn.execute(
        update(tasks).where(among(tasks.c.id, [row.id for row in rows])).values(**ON_THE_BOARD)
    )
    lines = [
        back_line(
            row.borrower_id,
            row.case_id,
            row.id,
            row.reason,
            Back.AWAY if row.works else Back.GONE,
            row.lender_id,
        )
        for row in rows
    ]
    await timeline.write(unit, now, lines)
    return len(rows)


def back_line(
    borrower_id: UUID,
    case_id: UUID | None,
    task_id: UUID,
    reason: str,
    why: Back,
    lender_id: UUID | None = None,
) -> Line:
    """The line of a task that is everybody's again. An engine unit names the lender."""
    details = {
        "task_id": str(task_id),
        "reason": str(reason),
        "state": TaskState.OPEN.value,
        "handed_to": "board",
        "why": why.value,
    }
    return Line(borrower_id, Kind.TASK_CHANGED, ROBOT, details, case_id, lender_id)
