"""Strategies for the desk: who uses which, their versions, and what is chosen for new cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, select

from app.domain.case import CaseState
from app.domain.edition import EditionState
from app.store.arrays import among
from app.store.strategies import SCOPES
from app.store.tables import (
    borrowers,
    cases,
    loans,
    strategies,
    strategy_choices,
    strategy_versions,
)
from app.store.unit import Unit

AT_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class StrategyLine:
    """One strategy. `running`: open cases under any version; `behind`: under an older one."""

    id: UUID
    name: str
    shipped: bool
    in_force: Row[Any] | None
    drafts: int
    proposed: int
    running: int
    behind: int
    chosen_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What new cases of one loan, borrower, product or of the lender get."""

    scope: str
    target: str
    strategy_id: UUID
    strategy: str
    set_by: str
    set_at: Any


async def strategy_lines(unit: Unit) -> tuple[StrategyLine, ...]:
    """All strategies of the unit's lender by name."""
    rows = (
        await unit.conn.execute(select(strategies).order_by(strategies.c.name).limit(AT_MOST))
    ).all()
    versions = await _versions(unit, [row.id for row in rows])
    running = await running_cases(unit)
    chosen: dict[UUID, list[str]] = {}
    for one in await choices(unit):
        words = "every new case" if one.scope == "lender" else f"{one.scope} {one.target}"
        chosen.setdefault(one.strategy_id, []).append(words)
    return tuple(
        _line(row, versions.get(row.id, ()), running, tuple(chosen.get(row.id, ()))) for row in rows
    )


def _line(
    row: Any, versions: Sequence[Any], running: Mapping[UUID, int], chosen: tuple[str, ...]
) -> StrategyLine:
    by_state: dict[str, list[Any]] = {}
    for version in versions:
        by_state.setdefault(version.state, []).append(version)
    in_force = next(iter(by_state.get(EditionState.PUBLISHED.value, ())), None)
    behind = sum(running.get(one.id, 0) for one in versions if one is not in_force)
    return StrategyLine(
        id=row.id,
        name=row.name,
        shipped=row.origin == "shipped",
        in_force=in_force,
        drafts=len(by_state.get(EditionState.DRAFT.value, ())),
        proposed=len(by_state.get(EditionState.PROPOSED.value, ())),
        running=sum(running.get(one.id, 0) for one in versions),
        behind=behind,
        chosen_for=chosen,
    )


async def versions_of(unit: Unit, strategy_id: UUID) -> tuple[Row[Any], ...]:
    """The versions of one strategy, the newest first, without their bodies."""
    return (await _versions(unit, [strategy_id])).get(strategy_id, ())


async def _versions(unit: Unit, strategy_ids: Sequence[UUID]) -> dict[UUID, tuple[Row[Any], ...]]:
    columns = [column for column in strategy_versions.c if column.name != "body"]
    rows = await unit.conn.execute(
        select(*columns)
        .where(among(strategy_versions.c.strategy_id, strategy_ids))
        .order_by(strategy_versions.c.number.desc())
    )
    found: dict[UUID, tuple[Row[Any], ...]] = {}
    for row in rows:
        found[row.strategy_id] = (*found.get(row.strategy_id, ()), row)
    return found


async def running_cases(unit: Unit) -> dict[UUID, int]:
    """How many open cases run under each version."""
    rows = await unit.conn.execute(
        select(cases.c.strategy_version_id, func.count().label("cases"))
        .where(
            cases.c.state != CaseState.CLOSED.value,
            cases.c.strategy_version_id.is_not(None),
        )
        .group_by(cases.c.strategy_version_id)
    )
    return {row.strategy_version_id: row.cases for row in rows}


async def choices(unit: Unit) -> tuple[Choice, ...]:
    """What is chosen, the widest first; loans and borrowers by the lender's own reference."""
    rows = (
        await unit.conn.execute(
            select(strategy_choices, strategies.c.name)
            .join(strategies, strategies.c.id == strategy_choices.c.strategy_id)
            .order_by(
                strategy_choices.c.scope,
                strategy_choices.c.target,
            )
            .limit(AT_MOST)
        )
    ).all()
    refs = await _references(unit, rows)
    widest_first = sorted(rows, key=lambda row: -SCOPES.index(row.scope))
    return tuple(
        Choice(
            row.scope,
            refs.get((row.scope, row.target), row.target),
            row.strategy_id,
            row.name,
            row.set_by,
            row.set_at,
        )
        for row in widest_first
    )


async def _references(unit: Unit, rows: Sequence[Any]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for scope, table in (("loan", loans), ("borrower", borrowers)):
        wanted = [UUID(row.target) for row in rows if row.scope == scope]
        if wanted:
            named = await unit.conn.execute(
                select(table.c.id, table.c.external_ref).where(among(table.c.id, wanted))
            )
            found |= {(scope, str(row_id)): ref for row_id, ref in named}
    return found


async def products_of(unit: Unit) -> tuple[str, ...]:
    """The products of the unit's lender."""
    rows = await unit.conn.scalars(
        select(loans.c.product).distinct().order_by(loans.c.product).limit(AT_MOST)
    )
    return tuple(rows)
