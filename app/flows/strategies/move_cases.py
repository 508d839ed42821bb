"""Move running cases to the version in force of a strategy, in bounded batches.

Moving is a person's decision, with a preview before (preview_strategy.py). A case that
somebody treats with care is moved only when it is asked for by name: what was agreed with him
may stand in the strategy that he would leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.dialects.postgresql import insert

from app.domain.case import CaseState
from app.domain.edition import EditionState
from app.domain.errors import Conflict, Invalid
from app.domain.ids import LenderId
from app.flows.house import House
from app.flows.strategies.put_under import Version, put_under
from app.store import audit
from app.store.arrays import among
from app.store.case_facts import facts_of
from app.store.experiments import compared
from app.store.keys import new_id
from app.store.locks import lock_borrowers
from app.store.strategy_editions import version_of
from app.store.tables import case_moves, cases, loans, moved_cases, strategy_versions
from app.store.unit import Unit

BATCH: Final = 200
MOST_AT_ONCE: Final = 5_000
_LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """Which running cases: all, or only those under one strategy, or of one product."""

    strategy_id: UUID | None = None
    product: str = ""

    def where(self, target_id: UUID | None = None) -> ColumnElement[bool]:
        """The condition on cases, loans and versions joined; without those under `target_id`."""
        parts: list[ColumnElement[bool]] = [cases.c.state != CaseState.CLOSED.value]
        if target_id is not None:
            parts.append(cases.c.strategy_version_id.is_distinct_from(target_id))
        if self.strategy_id is not None:
            parts.append(strategy_versions.c.strategy_id == self.strategy_id)
        if self.product:
            parts.append(loans.c.product == self.product)
        return and_(*parts)


@dataclass(frozen=True, slots=True)
class Moved:
    """What one call did.

    `kept`: cases with care that stay where they are; `compared`: those a running challenger
    measures, which stay too; `left`: more than one call moves.
    """

    moved: int
    kept: int
    compared: int
    left: int


def running(*columns: Any) -> Any:
    """A query over running cases with their loans and, where they have one, their version."""
    return (
        select(*columns)
        .select_from(cases)
        .join(loans, loans.c.id == cases.c.loan_id)
        .outerjoin(strategy_versions, strategy_versions.c.id == cases.c.strategy_version_id)
    )


async def move_cases(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    version_id: UUID,
    selection: Selection,
    reason: str,
    actor: str,
    seen: int,
    with_care: bool = False,
) -> Moved:
    """Put the selected cases under a published version, at most `MOST_AT_ONCE` in one call.

    Each batch is a transaction of its own and each case says so in its timeline; what a crash
    leaves over is found by asking again. `seen` is how many cases the preview showed to whoever
    moves them. Raises `Invalid` without a reason, `NotFound`, and `Conflict` when the version is
    not in force (any more), or when more cases are meant than were shown.
    """
    why = reason.strip()
    if not 0 < len(why) <= _LONGEST_REASON:
        raise Invalid("reason", f"has 1 to {_LONGEST_REASON} characters.")
    async with house.store.unit(lender_id) as unit:
        meant = await _count(unit, selection, version_id, None)
    if meant > seen:
        raise Conflict(
            f"{meant} cases are meant now, and {seen} were shown. Look at the preview again.",
            code="LookAgain",
        )
    moved = kept = measured = 0
    move_id = new_id()
    after: UUID | None = None
    for _ in range(MOST_AT_ONCE // BATCH):
        async with house.store.unit(lender_id) as unit:
            version = await _in_force(unit, version_id)
            batch = await _next(unit, selection, version_id, after)
            if not batch:
                break
            after = batch[-1].id
            await lock_borrowers(unit, {row.borrower_id for row in batch})
            held = await compared(unit, [row.id for row in batch], now)
            measured += len(held)
            ids = [row.id for row in batch if row.id not in held]
            if not with_care:
                facts = await facts_of(unit, ids, now)
                gentle = {one for one in ids if one not in facts or facts[one].care}
                kept += len(gentle)
                ids = [one for one in ids if one not in gentle]
            before = await _followed(unit, ids)
            done = await put_under(unit, now, case_ids=ids, version=version, why=why, actor=actor)
            moved += len(done)
            if done:
                await _keep(
                    unit, now, move_id, version, {one: before[one] for one in done}, why, actor
                )
                await _record(unit, now, version, selection, len(done), why, actor)
    async with house.store.unit(lender_id) as unit:
        left = await _count(unit, selection, version_id, after)
    return Moved(moved, kept, measured, left)


async def _in_force(unit: Unit, version_id: UUID) -> Version:
    row = await version_of(unit, version_id)
    if row.state != EditionState.PUBLISHED.value:
        raise Conflict("This version is not in force: no case is moved to it.", code="NotInForce")
    return Version(row.id, row.strategy_id, row.name, row.number)


async def _next(unit: Unit, selection: Selection, target_id: UUID, after: UUID | None) -> Any:
    query = running(cases.c.id, cases.c.borrower_id).where(selection.where(target_id))
    if after is not None:
        query = query.where(cases.c.id > after)
    return (await unit.conn.execute(query.order_by(cases.c.id).limit(BATCH))).all()


async def _count(unit: Unit, selection: Selection, target_id: UUID, after: UUID | None) -> int:
    """How many of the selection come after the last one that was looked at."""
    query = running(func.count()).where(selection.where(target_id))
    if after is not None:
        query = query.where(cases.c.id > after)
    return int(await unit.conn.scalar(query) or 0)


async def _followed(unit: Unit, case_ids: Sequence[UUID]) -> dict[UUID, UUID | None]:
    """Which version each of them follows."""
    rows = await unit.conn.execute(
        select(cases.c.id, cases.c.strategy_version_id).where(among(cases.c.id, case_ids))
    )
    return {row.id: row.strategy_version_id for row in rows}


async def _keep(
    unit: Unit,
    now: datetime,
    move_id: UUID,
    version: Version,
    before: Mapping[UUID, UUID | None],
    why: str,
    actor: str,
) -> None:
    """What it takes to move them back (take_back_move.py)."""
    lender_id = unit.lender_id
    await unit.conn.execute(
        insert(case_moves)
        .values(
            id=move_id,
            lender_id=lender_id,
            version_id=version.id,
            reason=why,
            made_by=actor,
            made_at=now,
        )
        .on_conflict_do_nothing(index_elements=["id"])
    )
    await unit.conn.execute(
        insert(moved_cases),
        [
            {
                "lender_id": lender_id,
                "move_id": move_id,
                "case_id": case_id,
                "before_id": before_id,
                "moved_at": now,
            }
            for case_id, before_id in before.items()
        ],
    )


async def _record(
    unit: Unit,
    now: datetime,
    version: Version,
    selection: Selection,
    moved: int,
    why: str,
    actor: str,
) -> None:
    await audit.record(
        unit,
        now,
        actor=actor,
        act="move_cases",
        subject=str(version.strategy_id),
        before={
            "strategy_id": str(selection.strategy_id) if selection.strategy_id else None,
            "product": selection.product,
        },
        after={"name": version.name, "number": version.number, "cases": moved},
        reason=why,
    )
