"""Segments for the desk: the rules in force, what they found, and the flags on a case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, select

from app.domain.case import CaseState
from app.domain.edition import EditionState
from app.domain.segments import Coverage, Segment, coverage, in_order
from app.store import segments as segment_rows
from app.store.case_facts import facts_of
from app.store.segments import segment_of
from app.store.tables import case_flags, cases, segments
from app.store.unit import Unit

# Beyond this many the figures are those of the newest cases, and the page says so.
BOOK_AT_MOST: Final = 20_000
_BATCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class SegmentLine:
    """One edition of a rule. `live`: cases that carry its flag now."""

    id: UUID
    segment: Segment
    number: int
    state: EditionState
    made_by: str
    published_by: str
    live: int
    published_at: datetime | None
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag on a case with its reasons in words."""

    title: str
    because: str
    raised_at: datetime


async def segment_lines(unit: Unit, *, states: tuple[EditionState, ...] = ()) -> list[SegmentLine]:
    """The rules in the order in which they are asked; those in force unless others are named."""
    wanted = states or (EditionState.PUBLISHED,)
    rows = (
        await unit.conn.execute(
            select(segments)
            .where(segments.c.state.in_([state.value for state in wanted]))
            .order_by(segments.c.rank, segments.c.name, segments.c.number.desc())
        )
    ).all()
    live = {
        row.segment_id: row.cases
        for row in await unit.conn.execute(
            select(case_flags.c.segment_id, func.count().label("cases"))
            .where(case_flags.c.ended_at.is_(None))
            .group_by(case_flags.c.segment_id)
        )
    }
    return [_line(row, live.get(row.id, 0)) for row in rows]


def _line(row: Row[Any], live: int) -> SegmentLine:
    return SegmentLine(
        row.id,
        segment_of(row),
        row.number,
        EditionState(row.state),
        row.made_by,
        row.published_by or "",
        live,
        row.published_at,
        row.retired_at,
    )


async def book_coverage(
    unit: Unit, now: datetime, *, instead: tuple[Segment, ...] | None = None
) -> tuple[Coverage, bool]:
    """What the rules in force, or `instead`, do to the open book; and whether it was cut."""
    if instead is None:
        known = await segment_rows.published(unit, [unit.lender_id])
        rules = in_order(one for _, one in known.get(unit.lender_id, ()))
    else:
        rules = in_order(instead)
    ids = (
        await unit.conn.scalars(
            select(cases.c.id)
            .where(cases.c.state != CaseState.CLOSED.value)
            .order_by(cases.c.opened_at.desc(), cases.c.id)
            .limit(BOOK_AT_MOST + 1)
        )
    ).all()
    book = []
    for start in range(0, min(len(ids), BOOK_AT_MOST), _BATCH):
        batch = ids[start : min(start + _BATCH, BOOK_AT_MOST)]
        book += list((await facts_of(unit, batch, now)).items())
    return coverage(rules, book), len(ids) > BOOK_AT_MOST


async def flags_of(unit: Unit, case_id: UUID) -> tuple[Flag, ...]:
    """The flags that stand on a case, the newest first."""
    rows = await unit.conn.execute(
        select(case_flags.c.flag, case_flags.c.reasons, case_flags.c.raised_at)
        .where(case_flags.c.case_id == case_id, case_flags.c.ended_at.is_(None))
        .order_by(case_flags.c.raised_at.desc())
    )
    return tuple(
        Flag(
            str(row.reasons.get("title") or row.flag),
            str(row.reasons.get("because", "")),
            row.raised_at,
        )
        for row in rows
    )
