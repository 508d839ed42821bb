"""Taking due rows: the first half of every planning transaction.

Rows are locked with SKIP LOCKED, so two planners never take the same one, and their next look is
moved into the future in the same transaction that queues the job: a lease. If the job dies, the
row is simply due again. The cost depends on what is due, not on the size of the book: each of
these tables has a partial index on `next_look_at`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import BindParameter, Table, bindparam, select, text, update

from app.store.arrays import among
from app.store.unit import Unit

MOST_PER_TICK: Final = 500
# So many waiting jobs of one kind are more than a tick plans.
PILE: Final = 30


@dataclass(frozen=True, slots=True)
class Leased:
    """Rows taken, longest due first."""

    ids: Sequence[UUID]

    def in_batches(self, size: int) -> Iterator[list[str]]:
        """Their ids as a job's argument, `size` at a time."""
        for start in range(0, len(self.ids), size):
            yield [str(one) for one in self.ids[start : start + size]]


async def lease_due(
    unit: Unit,
    table: Table,
    states: Sequence[StrEnum],
    now: datetime,
    *,
    until: datetime,
    most: int = MOST_PER_TICK,
) -> Leased:
    """Take rows in one of `states` whose `next_look_at` has come, and lease them `until` then.

    Both are business time. At most `most` rows; the rest are due at the next tick.
    """
    # Written out, not bound: only then does the planner see that the partial index fits.
    listed: BindParameter[list[str]] = bindparam(
        "states", [state.value for state in states], expanding=True, literal_execute=True
    )
    taken = await unit.conn.scalars(
        select(table.c.id)
        .where(table.c.state.in_(listed), table.c.next_look_at <= now)
        .order_by(table.c.next_look_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    ids = list(taken)
    if ids:
        await unit.conn.execute(
            update(table).where(among(table.c.id, ids)).values(next_look_at=until)
        )
    return Leased(ids)


async def is_waiting(unit: Unit, job: str, *, most: int = 1) -> bool:
    """Do `most` jobs of this name wait to be run? Then nothing is queued a second time."""
    found = await unit.conn.scalar(
        text(
            "SELECT count(*) FROM (SELECT 1 FROM procrastinate_jobs"
            " WHERE status = 'todo' AND task_name = :job LIMIT :most) AS waiting"
        ),
        {"job": job, "most": most},
    )
    return bool(found == most)


async def is_behind(unit: Unit, job: str) -> bool:
    """Are the workers so far behind that planning more would only pile up?

    A lease ends in business time, whether or not anybody has taken the job up. Without this, an
    hour without workers would queue the same rows again and again.
    """
    return await is_waiting(unit, job, most=PILE)
