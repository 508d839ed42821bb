"""Who at the desk has how much in hand, and who is away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Boolean, and_, func, literal_column, or_, select

from app.domain.roles import Role
from app.domain.task import TaskState
from app.store.desk_team import away_until, works_tasks
from app.store.tables import lenders, tasks, users
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class Workload:
    """One person who works tasks. `away_until` is set while he is away."""

    id: UUID
    name: str
    role: Role
    taken: int
    kept: int
    away_until: date | None


async def workloads(unit: Unit, now: datetime) -> tuple[Workload, ...]:
    """Everybody who may work tasks and sign in, by name."""
    taken = and_(tasks.c.state == TaskState.TAKEN.value, tasks.c.taken_by == users.c.id)
    kept = and_(tasks.c.state == TaskState.OPEN.value, tasks.c.given_to == users.c.id)
    counts = (
        select(func.count().filter(taken).label("taken"), func.count().filter(kept).label("kept"))
        .where(literal_column("tasks.state IN ('open', 'taken')", Boolean), or_(taken, kept))
        .correlate(users)
        .lateral("counts")
    )
    rows = await unit.conn.execute(
        select(
            users.c.id,
            users.c.name,
            users.c.role,
            away_until(now).label("away_until"),
            counts.c.taken,
            counts.c.kept,
        )
        .join(lenders, lenders.c.id == users.c.lender_id)
        .join(counts, literal_column("true", Boolean))
        .where(works_tasks())
        .order_by(users.c.name, users.c.id)
    )
    return tuple(
        Workload(
            row.id,
            row.name,
            Role(row.role),
            int(row.taken),
            int(row.kept),
            row.away_until,
        )
        for row in rows
    )
