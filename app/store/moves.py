"""Guarded moves: a row changes state only from a state in which the lifecycle lists the event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Table, select, update

from app.domain.errors import Conflict, NotFound
from app.domain.lifecycle import Lifecycle
from app.store.unit import Unit

S = TypeVar("S", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move did. `changed` is False for a harmless repeat."""

    before: str
    after: str

    @property
    def changed(self) -> bool:
        """True when the state is another one now."""
        return self.before != self.after


async def move(
    unit: Unit, table: Table, row_id: UUID, lifecycle: Lifecycle[S], event: str, **values: Any
) -> Moved:
    """Apply one event to one row, together with `values`.

    Raises `NotFound`, `IllegalTransition` (the table does not list it), or `Conflict` (somebody
    moved the row between our look and our write).
    """
    before = await unit.conn.scalar(select(table.c.state).where(table.c.id == row_id))
    if before is None:
        raise NotFound(f"There is no such {lifecycle.name}.")
    after = lifecycle.step(lifecycle.states(before), event)
    done = await unit.conn.execute(
        update(table)
        .where(table.c.id == row_id, table.c.state == before)
        .values(state=after.value, **values)
    )
    if done.rowcount != 1:
        raise Conflict(f"Somebody else changed this {lifecycle.name} at the same moment.")
    return Moved(before, after.value)


async def move_all(
    unit: Unit,
    table: Table,
    row_ids: Sequence[UUID],
    lifecycle: Lifecycle[S],
    event: str,
    **values: Any,
) -> list[UUID]:
    """Apply one event to every listed row whose state allows it; returns the ids that moved.

    Set-based, one statement per target state. Rows in other states are left alone.
    """
    moved: list[UUID] = []
    targets: dict[S, list[str]] = {}
    for source in lifecycle.sources(event):
        targets.setdefault(lifecycle.step(source, event), []).append(source.value)
    for target, sources in targets.items():
        result = await unit.conn.execute(
            update(table)
            .where(
                table.c.id.in_(row_ids),
                table.c.state.in_(sources),
                table.c.state != target.value,
            )
            .values(state=target.value, **values)
            .returning(table.c.id)
        )
        moved.extend(row.id for row in result)
    return moved
