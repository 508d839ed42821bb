"""Strategies and segments in force, as a lender's system lists them."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, and_, func, select

from app.domain.case import CaseState
from app.domain.edition import EditionState
from app.reports.slices import Key, one
from app.store.tables import cases, segments, strategies, strategy_versions
from app.store.unit import Unit

STRATEGIES_BY: Final[Key] = (strategies.c.name,)
SEGMENTS_BY: Final[Key] = (segments.c.rank, segments.c.name)


def strategies_query(*more: Any) -> Select[Any]:
    """Every strategy with its version in force, if any, and its running cases."""
    any_version = strategy_versions.alias("any_version")
    running = (
        select(func.count())
        .select_from(cases)
        .join(any_version, any_version.c.id == cases.c.strategy_version_id)
        .where(
            any_version.c.strategy_id == strategies.c.id,
            cases.c.state != CaseState.CLOSED.value,
        )
        .correlate(strategies)
        .scalar_subquery()
    )
    return select(
        strategies.c.id,
        strategies.c.name,
        strategies.c.origin,
        strategy_versions.c.number,
        strategy_versions.c.published_at,
        strategy_versions.c.published_by,
        running.label("running_cases"),
        *more,
    ).select_from(
        strategies.outerjoin(
            strategy_versions,
            and_(
                strategy_versions.c.strategy_id == strategies.c.id,
                strategy_versions.c.state == EditionState.PUBLISHED.value,
            ),
        )
    )


async def strategy_of(unit: Unit, strategy_id: UUID) -> Row[Any]:
    """One strategy with the body of its version in force. Raises `NotFound`."""
    query = strategies_query(strategy_versions.c.body).where(strategies.c.id == strategy_id)
    return await one(unit, query, "strategy")


def segments_query() -> Select[Any]:
    """The rules in force."""
    return select(segments).where(segments.c.state == EditionState.PUBLISHED.value)
