"""Transactions as every connector reads them: a day and a signed amount, over all pages.

Decoded JSON comes in, and nothing but `Unreadable` goes out. Nobody's name and no purpose is read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx

from app.domain.errors import Unreadable
from app.domain.money import Money
from app.side_ports import Moved
from connectors._exchange import Call, read_json, unreadable

MOST_PAGES = 20
"""A history of ninety days on more pages than this is a broken list and not a busy account."""


@dataclass(frozen=True, slots=True)
class TransactionsPage:
    """One page, and what asks for the next one; empty on the last."""

    moved: tuple[Moved, ...]
    following: str = ""


def moves_in(listed: Any, read: Callable[[dict[str, Any]], Moved | None]) -> tuple[Moved, ...]:
    """Those of a list that `read` can tell. Raises Unreadable for what is no list."""
    if not isinstance(listed, list):
        raise Unreadable("the document holds no list of transactions")
    found = (read(item) for item in listed if isinstance(item, dict))
    return tuple(one for one in found if one is not None)


def directed(on: date | None, amount: Money | str, *, left: bool) -> Moved | None:
    """One whose direction stands beside its amount, which may carry a sign as well.

    None without a day or an amount, and for money that came and is below zero: it could be either.
    """
    if on is None or not isinstance(amount, Money):
        return None
    if left:
        return Moved(on, Money(-abs(amount.minor), amount.currency))
    return Moved(on, amount) if amount.minor >= 0 else None


def day_of(text: Any) -> date | None:
    """The calendar day that a date or an instant begins with."""
    try:
        return date.fromisoformat(text[:10])
    except (ValueError, TypeError):
        return None


def page_in(
    answer: httpx.Response, call: Call, read: Callable[[Any], TransactionsPage]
) -> TransactionsPage:
    """The page that an answer holds. Raises Unreadable with the masked body."""
    try:
        return read(read_json(answer, call))
    except Unreadable as error:
        raise unreadable(error.detail, call, answer.content) from None


async def over_pages(
    page_at: Callable[[str], Awaitable[TransactionsPage]], connector: str
) -> tuple[Moved, ...]:
    """Everything from the first page on, which is asked for with nothing."""
    found: list[Moved] = []
    following = ""
    for _ in range(MOST_PAGES):
        page = await page_at(following)
        found += page.moved
        following = page.following
        if not following:
            return tuple(found)
    raise Unreadable(
        "the list of transactions has no end", connector=connector, operation="transactions"
    )
