"""Ask the segments about cases: flag them for a person, or start another strategy, with reasons.

Every case is asked about when it opens and once a day from then on. A flag stays while its rule
holds; when it no longer does, the flag ends and the look it asked for stays with the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.case import CaseState
from app.domain.edition import EditionState
from app.domain.segments import Found, Review, classify
from app.domain.task import TaskReason
from app.flows.actors import ROBOT
from app.flows.house import House
from app.flows.strategies.install_segments import install_segments
from app.flows.strategies.put_under import Version, put_under
from app.flows.work.open_task import open_task
from app.store import segments as segment_rows
from app.store import timeline
from app.store.arrays import among
from app.store.case_facts import facts_of
from app.store.experiments import compared
from app.store.keys import new_id
from app.store.locks import lock_borrowers
from app.store.tables import case_flags, cases, lenders, segments, strategies, strategy_versions
from app.store.timeline import Kind, Line
from app.store.unit import Unit

BATCH: Final = 200
# A little less than a day, so that a look every morning does not wander into the afternoon.
EVERY: Final = timedelta(hours=20)
_LENDERS_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class Flagged:
    """What one look came to. `asked` cases; `flagged` anew; `ended` flags; `moved` cases."""

    asked: int = 0
    flagged: int = 0
    ended: int = 0
    moved: int = 0


async def flag_cases(house: House, now: datetime, *, limit: int = BATCH) -> Flagged:
    """Ask about at most `limit` open cases that were not asked about for a day.

    Two runs at once queue behind the borrowers' locks, and the second finds them asked already.
    """
    async with house.store.engine_unit() as unit:
        await _install_where_missing(unit, now)
    async with house.store.engine_unit() as unit:
        candidates = (
            await unit.conn.execute(
                select(cases.c.id, cases.c.borrower_id)
                .where(*_ripe(now))
                .order_by(cases.c.segmented_at.nulls_first())
                .limit(limit)
            )
        ).all()
        await lock_borrowers(unit, {row.borrower_id for row in candidates})
        asked = await ask_segments(unit, now, [row.id for row in candidates])
        await _note_asked(unit, now, [row.id for row in candidates])
        return asked


def _ripe(now: datetime) -> tuple[Any, ...]:
    return (
        cases.c.state != CaseState.CLOSED.value,
        or_(cases.c.segmented_at.is_(None), cases.c.segmented_at <= now - EVERY),
    )


async def _install_where_missing(unit: Unit, now: datetime) -> None:
    has_some = exists(select(segments.c.id).where(segments.c.lender_id == lenders.c.id))
    bare = await unit.conn.scalars(select(lenders.c.id).where(~has_some).limit(_LENDERS_AT_ONCE))
    for lender_id in bare.all():
        await install_segments(unit, now, lender_id)


async def ask_segments(unit: Unit, now: datetime, case_ids: Sequence[UUID]) -> Flagged:
    """Ask about these cases now, those not closed. The caller holds the borrowers' locks.

    Where a lender has no rule nothing is asked, and the next look of `flag_cases` finds the case.
    """
    rows: Sequence[Any] = (
        await unit.conn.execute(
            select(cases.c.id, cases.c.borrower_id, cases.c.lender_id)
            .where(among(cases.c.id, case_ids), *_ripe(now))
            .order_by(cases.c.id)
            .with_for_update(key_share=True)
        )
    ).all()
    rules = await segment_rows.published(unit, {row.lender_id for row in rows})
    rows = [row for row in rows if row.lender_id in rules]
    if not rows:
        return Flagged()
    facts = await facts_of(unit, [row.id for row in rows], now)
    live = await _live_flags(unit, [row.id for row in rows])
    flagged = ended = moved = 0
    for row in rows:
        known = rules[row.lender_id]
        found = classify([one for _, one in known], facts[row.id])
        ids = {one.name: segment_id for segment_id, one in known}
        name = found.segment.name if found else ""
        ended += await _end_others(unit, now, row, live.get(row.id, ()), name)
        if found is None or any(flag.flag == name for flag in live.get(row.id, ())):
            continue
        flagged += 1
        moved += await _carry_out(unit, now, row, found, ids[name])
    await _note_asked(unit, now, [row.id for row in rows])
    return Flagged(len(rows), flagged, ended, moved)


async def _note_asked(unit: Unit, now: datetime, case_ids: Sequence[UUID]) -> None:
    await unit.conn.execute(
        update(cases).where(among(cases.c.id, case_ids)).values(segmented_at=now)
    )


async def _live_flags(unit: Unit, case_ids: Sequence[UUID]) -> dict[UUID, tuple[Any, ...]]:
    """Flags that rules raised; one that a person set is not ours to end."""
    rows = await unit.conn.execute(
        select(case_flags.c.id, case_flags.c.case_id, case_flags.c.flag).where(
            among(case_flags.c.case_id, case_ids),
            case_flags.c.ended_at.is_(None),
            case_flags.c.segment_id.is_not(None),
        )
    )
    found: dict[UUID, tuple[Any, ...]] = {}
    for row in rows:
        found[row.case_id] = (*found.get(row.case_id, ()), row)
    return found


async def _end_others(unit: Unit, now: datetime, case: Any, flags: Sequence[Any], kept: str) -> int:
    over = [flag for flag in flags if flag.flag != kept]
    if not over:
        return 0
    await unit.conn.execute(
        update(case_flags)
        .where(among(case_flags.c.id, [flag.id for flag in over]))
        .values(ended_at=now, ended_by=ROBOT)
    )
    lines = [
        Line(
            case.borrower_id,
            Kind.FLAG_ENDED,
            ROBOT,
            {"flag": flag.flag},
            case.id,
            case.lender_id,
        )
        for flag in over
    ]
    await timeline.write(unit, now, lines)
    return len(over)


async def _carry_out(unit: Unit, now: datetime, case: Any, found: Found, segment_id: UUID) -> int:
    """Write the flag with its reasons, then do what the rule says; returns cases moved."""
    flag_id = new_id()
    because = "; ".join(one.words() for one in found.because)
    reasons = {
        "title": found.segment.title,
        "because": because,
        "seen": [one.notes() for one in found.reasons],
        "softened": found.softened,
    }
    await unit.conn.execute(
        insert(case_flags)
        .values(
            id=flag_id,
            lender_id=case.lender_id,
            case_id=case.id,
            borrower_id=case.borrower_id,
            segment_id=segment_id,
            flag=found.segment.name,
            reasons=reasons,
            raised_at=now,
        )
        .on_conflict_do_nothing()
    )
    details = {"flag": found.segment.name, "title": found.segment.title, "because": because}
    line = Line(case.borrower_id, Kind.CASE_FLAGGED, ROBOT, details, case.id, case.lender_id)
    await timeline.write(unit, now, [line])
    if isinstance(found.action, Review):
        await _ask_person(unit, now, case, flag_id, because, found.action.ask)
        return 0
    if await compared(unit, [case.id], now):
        ask = f"An experiment compares this case: decide whether {found.action.strategy} may start."
        await _ask_person(unit, now, case, flag_id, because, ask)
        return 0
    version = await _in_force(unit, case.lender_id, found.action.strategy)
    if version is None:
        ask = f"The strategy {found.action.strategy} has no published version: choose another."
        await _ask_person(unit, now, case, flag_id, because, ask)
        return 0
    moved = await put_under(
        unit, now, case_ids=[case.id], version=version, why=found.segment.title, actor=ROBOT
    )
    return len(moved)


async def _ask_person(
    unit: Unit, now: datetime, case: Any, flag_id: UUID, because: str, ask: str
) -> None:
    await open_task(
        unit,
        now,
        borrower_id=case.borrower_id,
        case_id=case.id,
        reason=TaskReason.REVIEW_CASE,
        cause=flag_id,
        situation={"because": because, "ask": ask},
        lender_id=case.lender_id,
    )


async def _in_force(unit: Unit, lender_id: UUID, name: str) -> Version | None:
    """The published version of a strategy by its name."""
    row = (
        await unit.conn.execute(
            select(
                strategy_versions.c.id,
                strategy_versions.c.strategy_id,
                strategies.c.name,
                strategy_versions.c.number,
            )
            .join(strategies, strategies.c.id == strategy_versions.c.strategy_id)
            .where(
                strategies.c.lender_id == lender_id,
                strategies.c.name == name,
                strategy_versions.c.state == EditionState.PUBLISHED.value,
            )
        )
    ).one_or_none()
    return None if row is None else Version(*row)
