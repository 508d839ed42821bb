"""Segments as rows: the published rules of lenders, and the flags they left on cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.edition import EditionState
from app.domain.segments import Segment, parse_segment
from app.store.arrays import among
from app.store.tables import segments
from app.store.unit import Unit


def segment_of(row: Row[Any]) -> Segment:
    """The rule in a row. Raises `Invalid` when it was written by another version of the rules."""
    return parse_segment(
        row.name, row.conditions.get("title"), row.rank, row.conditions.get("when"), row.action
    )


async def published(
    unit: Unit, lender_ids: Iterable[UUID]
) -> Mapping[UUID, tuple[tuple[UUID, Segment], ...]]:
    """The rules in force by lender, each with its row's id."""
    rows = await unit.conn.execute(
        select(segments).where(
            among(segments.c.lender_id, set(lender_ids)),
            segments.c.state == EditionState.PUBLISHED.value,
        )
    )
    found: dict[UUID, tuple[tuple[UUID, Segment], ...]] = {}
    for row in rows:
        found[row.lender_id] = (*found.get(row.lender_id, ()), (row.id, segment_of(row)))
    return found
