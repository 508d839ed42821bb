"""Strategies and segments as a lender's system reads them. They are written at the desk alone."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from app.api.wire import Id, Instant, Shown


class StrategyShown(Shown):
    """One strategy and its version in force."""

    id: Id
    name: str
    shipped: Annotated[bool, Field(description="It came with Saldo.")]
    version: Annotated[int | None, Field(description="The number in force; null: none yet.")]
    published_at: Instant | None
    published_by: str | None
    running_cases: Annotated[int, Field(description="Open cases under any of its versions.")]


class StrategyDetailShown(StrategyShown):
    """The same with what the version in force does, day by day."""

    body: Annotated[
        dict[str, Any] | None,
        Field(
            description="Stages, messages, calls, promises and the end, as the desk's editor "
            "writes them. Days count from the oldest unpaid due date.",
            examples=[{"name": "soft", "stages": [{"name": "grace", "from_day": 1}]}],
        ),
    ]


class SegmentShown(Shown):
    """A rule in force. The lowest rank is asked first, and the first that holds decides."""

    id: Id
    name: str
    title: str
    rank: int
    when: Annotated[
        dict[str, Any],
        Field(
            description="all, any, not over field, op and value.",
            examples=[{"field": "open_loans", "op": "at_least", "value": 3}],
        ),
    ]
    action: Annotated[
        dict[str, Any],
        Field(
            description="review with ask, or start with strategy.",
            examples=[{"do": "review", "ask": "Look at all loans together."}],
        ),
    ]
    published_at: Instant
    published_by: str
