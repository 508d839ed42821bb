"""Take a move of running cases back: exactly those that are still where it put them.

Whoever has gone on since stays, with the reason: closed, put under another version, drawn into an
experiment, or under no strategy before. A case goes back to the version that it followed, in force
or not: running cases keep theirs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, update

from app.domain.case import CaseState
from app.domain.errors import Invalid, NotFound
from app.domain.ids import LenderId
from app.flows.house import House
from app.flows.strategies.move_cases import BATCH, MOST_AT_ONCE
from app.flows.strategies.put_under import Version, put_under
from app.store import audit
from app.store.arrays import among
from app.store.experiments import compared
from app.store.locks import lock_borrowers
from app.store.strategy_editions import version_of
from app.store.tables import case_moves, cases, moved_cases, timeline
from app.store.timeline import Kind
from app.store.unit import Unit

_LONGEST_REASON: Final = 500


class Stayed(StrEnum):
    """Why a case is not moved back."""

    CLOSED = "closed"
    MOVED_SINCE = "moved_since"
    COMPARED = "compared"
    HAD_NONE = "had_none"


@dataclass(frozen=True, slots=True)
class TakenBack:
    """`back`: moved back by this call; `stayed`: refused, each with its reason in its row."""

    back: int
    stayed: int


async def take_back_move(
    house: House, now: datetime, *, lender_id: LenderId, move_id: UUID, reason: str, actor: str
) -> TakenBack:
    """Move the cases of one move back, in bounded batches, each a transaction of its own.

    What a crash leaves, and what is refused now, is looked at when it is asked for again; what is
    back is left alone. Raises `Invalid` without a reason, and `NotFound`.
    """
    why = reason.strip()
    if not 0 < len(why) <= _LONGEST_REASON:
        raise Invalid("reason", f"has 1 to {_LONGEST_REASON} characters.")
    back = stayed = 0
    after: UUID | None = None
    for _ in range(MOST_AT_ONCE // BATCH + 1):
        async with house.store.unit(lender_id) as unit:
            move = await _move(unit, move_id)
            batch = await _next(unit, move_id, after)
            if not batch:
                break
            after = batch[-1].case_id
            await lock_borrowers(unit, {row.borrower_id for row in batch})
            # Looked at again under the locks: what another person took back meanwhile is back.
            moved = await _not_back(unit, move_id, [row.case_id for row in batch])
            refused = await _refused(unit, now, move, moved)
            going = {one: before for one, before in moved.items() if one not in refused}
            returned = await _return(unit, now, move_id, going, why, actor)
            await _note(unit, move_id, refused)
            if returned:
                await _record(unit, now, move_id, len(returned), len(refused), why, actor)
            back, stayed = back + len(returned), stayed + len(refused)
    return TakenBack(back, stayed)


async def _move(unit: Unit, move_id: UUID) -> Any:
    row = (
        await unit.conn.execute(select(case_moves).where(case_moves.c.id == move_id))
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such move.")
    return row


async def _next(unit: Unit, move_id: UUID, after: UUID | None) -> Sequence[Any]:
    query = (
        select(moved_cases.c.case_id, cases.c.borrower_id)
        .join(cases, cases.c.id == moved_cases.c.case_id)
        .where(moved_cases.c.move_id == move_id, moved_cases.c.back_at.is_(None))
    )
    if after is not None:
        query = query.where(moved_cases.c.case_id > after)
    return (await unit.conn.execute(query.order_by(moved_cases.c.case_id).limit(BATCH))).all()


async def _not_back(unit: Unit, move_id: UUID, case_ids: Sequence[UUID]) -> dict[UUID, UUID | None]:
    """What those followed before that are not back yet."""
    rows = await unit.conn.execute(
        select(moved_cases.c.case_id, moved_cases.c.before_id).where(
            moved_cases.c.move_id == move_id,
            among(moved_cases.c.case_id, case_ids),
            moved_cases.c.back_at.is_(None),
        )
    )
    return {row.case_id: row.before_id for row in rows}


async def _refused(
    unit: Unit, now: datetime, move: Any, moved: Mapping[UUID, UUID | None]
) -> dict[UUID, Stayed]:
    """Those that are not moved back. Asked under the borrowers' locks: nobody moves them now."""
    case_ids = list(moved)
    rows = await unit.conn.execute(
        select(cases.c.id, cases.c.state, cases.c.strategy_version_id).where(
            among(cases.c.id, case_ids)
        )
    )
    states = {row.id: row for row in rows}
    measured = await compared(unit, case_ids, now)
    moved_since = await _moved_since(unit, move.id, case_ids)
    found: dict[UUID, Stayed] = {}
    for case_id, before_id in moved.items():
        row = states[case_id]
        if row.state == CaseState.CLOSED.value:
            found[case_id] = Stayed.CLOSED
        elif row.strategy_version_id != move.version_id or case_id in moved_since:
            found[case_id] = Stayed.MOVED_SINCE
        elif case_id in measured:
            found[case_id] = Stayed.COMPARED
        elif before_id is None:
            found[case_id] = Stayed.HAD_NONE
    return found


async def _moved_since(unit: Unit, move_id: UUID, case_ids: Sequence[UUID]) -> set[UUID]:
    """Those whose strategy changed again, even if they are under the same version once more.

    Every change writes its line: one of the move itself, and one for each later one.
    """
    moved = moved_cases.alias("moved")
    rows = await unit.conn.execute(
        select(moved.c.case_id)
        .join(cases, cases.c.id == moved.c.case_id)
        .join(
            timeline,
            (timeline.c.borrower_id == cases.c.borrower_id)
            & (timeline.c.case_id == cases.c.id)
            & (timeline.c.at >= moved.c.moved_at)
            & (timeline.c.kind == Kind.STRATEGY_CHANGED.value),
        )
        .where(moved.c.move_id == move_id, among(moved.c.case_id, case_ids))
        .group_by(moved.c.case_id)
        .having(func.count() > 1)
    )
    return {row.case_id for row in rows}


async def _return(
    unit: Unit,
    now: datetime,
    move_id: UUID,
    going: Mapping[UUID, UUID | None],
    why: str,
    actor: str,
) -> list[UUID]:
    """Put each under the version that it followed before."""
    by_version: dict[UUID, list[UUID]] = defaultdict(list)
    for case_id, before_id in going.items():
        if before_id is not None:
            by_version[before_id].append(case_id)
    returned: list[UUID] = []
    for before_id, case_ids in by_version.items():
        found = await version_of(unit, before_id)
        version = Version(found.id, found.strategy_id, found.name, found.number)
        returned += await put_under(
            unit, now, case_ids=case_ids, version=version, why=why, actor=actor
        )
    await unit.conn.execute(
        update(moved_cases)
        .where(moved_cases.c.move_id == move_id, among(moved_cases.c.case_id, returned))
        .values(back_at=now, stayed="")
    )
    return returned


async def _note(unit: Unit, move_id: UUID, refused: Mapping[UUID, Stayed]) -> None:
    for why in set(refused.values()):
        ids: Collection[UUID] = [case_id for case_id, one in refused.items() if one is why]
        await unit.conn.execute(
            update(moved_cases)
            .where(moved_cases.c.move_id == move_id, among(moved_cases.c.case_id, ids))
            .values(stayed=why.value)
        )


async def _record(
    unit: Unit, now: datetime, move_id: UUID, back: int, stayed: int, why: str, actor: str
) -> None:
    await audit.record(
        unit,
        now,
        actor=actor,
        act="take_back_move",
        subject=str(move_id),
        after={"cases": back, "stayed": stayed},
        reason=why,
    )
