"""Put running cases under another version of a strategy. A step of its callers' units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from app.domain.case import CaseState
from app.store import timeline
from app.store.arrays import among
from app.store.tables import cases, strategies, strategy_versions
from app.store.timeline import Kind, Line
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a strategy, by name and number."""

    id: UUID
    strategy_id: UUID
    name: str
    number: int


async def put_under(
    unit: Unit,
    now: datetime,
    *,
    case_ids: Sequence[UUID],
    version: Version,
    why: str,
    actor: str,
) -> list[UUID]:
    """Move cases that are not closed and not under `version` yet; returns those that moved.

    The strategy looks at each of them at once. What was sent and what was called stays counted:
    steps belong to the case, not to the version. The caller holds the borrowers' locks.
    """
    rows = (
        await unit.conn.execute(
            select(cases.c.id, cases.c.borrower_id, cases.c.lender_id, cases.c.strategy_version_id)
            .where(
                among(cases.c.id, case_ids),
                cases.c.state != CaseState.CLOSED.value,
                cases.c.strategy_version_id.is_distinct_from(version.id),
            )
            .order_by(cases.c.id)
            .with_for_update(key_share=True)
        )
    ).all()
    if not rows:
        return []
    moved = [row.id for row in rows]
    before = await _names(unit, rows)
    await unit.conn.execute(
        update(cases)
        .where(among(cases.c.id, moved))
        .values(strategy_version_id=version.id, stage="", next_step_at=now)
    )
    lines = [
        Line(
            row.borrower_id,
            Kind.STRATEGY_CHANGED,
            actor,
            {
                "strategy": version.name,
                "number": version.number,
                "before": before.get(row.strategy_version_id, ""),
                "why": why,
            },
            row.id,
            row.lender_id,
        )
        for row in rows
    ]
    await timeline.write(unit, now, lines)
    return moved


async def _names(unit: Unit, rows: Sequence[Any]) -> dict[UUID, str]:
    """Name and number, such as "soft 2", by the id of the version."""
    named = await unit.conn.execute(
        select(strategy_versions.c.id, strategy_versions.c.number, strategies.c.name)
        .join(strategies, strategies.c.id == strategy_versions.c.strategy_id)
        .where(among(strategy_versions.c.id, {row.strategy_version_id for row in rows} - {None}))
    )
    return {row.id: f"{row.name} {row.number}" for row in named}
