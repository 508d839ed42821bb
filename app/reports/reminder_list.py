"""A collector's own reminders of one case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app.domain.reminder import ReminderCondition
from app.store.tables import agent_reminders
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class ReminderLine:
    """One that still waits. It has a moment or a condition; `every_days` 0 means once."""

    id: UUID
    due_at: datetime | None
    condition: ReminderCondition | None
    every_days: int
    note: str


async def reminders_of_case(unit: Unit, case_id: UUID, user_id: UUID) -> tuple[ReminderLine, ...]:
    """Those of one user, the next one first."""
    rows = await unit.conn.execute(
        select(agent_reminders)
        .where(
            agent_reminders.c.case_id == case_id,
            agent_reminders.c.user_id == user_id,
            agent_reminders.c.ended_at.is_(None),
        )
        .order_by(agent_reminders.c.due_at.nulls_last(), agent_reminders.c.created_at)
        .limit(20)
    )
    return tuple(
        ReminderLine(
            row.id,
            row.due_at,
            ReminderCondition(row.condition) if row.condition else None,
            row.every_days,
            row.note,
        )
        for row in rows
    )
