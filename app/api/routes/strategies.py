"""Strategies and segments, to be read. Whoever changes one is a person, and never alone."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.api.caller import ByKey
from app.api.paging import Page, Paged, page
from app.api.route import SaldoRoute
from app.api.routes.shared import NOT_FOUND, IdInPath
from app.api.schemas.strategies import SegmentShown, StrategyDetailShown, StrategyShown
from app.reports import strategy_book
from app.reports.slices import take

router = APIRouter(prefix="/v1", route_class=SaldoRoute)


@router.get("/strategies", summary="List strategies", tags=["Strategies"])
async def list_strategies(caller: ByKey, asked: Paged) -> Page[StrategyShown]:
    """What is done about cases, by name, with the version in force."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(
            unit,
            strategy_book.strategies_query(),
            strategy_book.STRATEGIES_BY,
            after=asked.after,
            limit=asked.limit,
            newest_first=False,
        )
    return page(StrategyShown, found, asked, _strategy)


@router.get(
    "/strategies/{strategy_id}",
    summary="Read a strategy",
    tags=["Strategies"],
    responses=NOT_FOUND,
)
async def get_strategy(strategy_id: IdInPath, caller: ByKey) -> StrategyDetailShown:
    """One strategy with what its version in force does."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        row = await strategy_book.strategy_of(unit, strategy_id)
    return StrategyDetailShown(**_strategy(row).model_dump(), body=row.body)


@router.get("/segments", summary="List segments", tags=["Strategies"])
async def list_segments(caller: ByKey, asked: Paged) -> Page[SegmentShown]:
    """The rules in force that flag cases or start a strategy, in the order they are asked."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(
            unit,
            strategy_book.segments_query(),
            strategy_book.SEGMENTS_BY,
            after=asked.after,
            limit=asked.limit,
            newest_first=False,
        )
    return page(SegmentShown, found, asked, _segment)


def _strategy(row: Any) -> StrategyShown:
    return StrategyShown(
        id=row.id,
        name=row.name,
        shipped=row.origin == "shipped",
        version=row.number,
        published_at=row.published_at,
        published_by=row.published_by,
        running_cases=row.running_cases,
    )


def _segment(row: Any) -> SegmentShown:
    return SegmentShown(
        id=row.id,
        name=row.name,
        title=str(row.conditions.get("title", row.name)),
        rank=row.rank,
        when=row.conditions.get("when", {}),
        action=row.action,
        published_at=row.published_at,
        published_by=row.published_by,
    )
