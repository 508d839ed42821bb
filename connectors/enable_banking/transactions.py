"""Transactions as the vendor states them, reduced to day and signed amount before they go on.

Decoded JSON comes in, and nothing but `Unreadable` goes out. Nobody's name and no purpose is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from app.domain.errors import Unreadable
from app.domain.money import Money
from app.side_ports import Moved
from connectors._stated import money_of

MOST_PAGES = 20
"""A history of ninety days on more pages than this is a broken list and not a busy account."""

# Booked, and expected at once; what is held, scheduled or refused may never move.
_MOVES = ("BOOK", "PDNG")


@dataclass(frozen=True, slots=True)
class TransactionsPage:
    """One page, and the key of the next; empty on the last one."""

    moved: tuple[Moved, ...]
    following: str


def transactions_page(document: Any) -> TransactionsPage:
    """A page of `/accounts/{uid}/transactions`. Raises Unreadable for anything else."""
    listed = document.get("transactions") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise Unreadable("the document holds no transactions")
    found = [_moved(item) for item in listed]
    key = document.get("continuation_key")
    following = key if isinstance(key, str) else ""
    return TransactionsPage(tuple(one for one in found if one is not None), following)


def _moved(item: Any) -> Moved | None:
    """One transaction; None where its day or its direction cannot be told.

    The direction stands beside the amount, which carries no sign of its own.
    """
    if not isinstance(item, dict) or item.get("status") not in _MOVES:
        return None
    amount = money_of(item.get("transaction_amount"))
    on = _day(item.get("booking_date")) or _day(item.get("value_date"))
    if not isinstance(amount, Money) or on is None:
        return None
    match item.get("credit_debit_indicator"):
        case "DBIT":
            return Moved(on, Money(-abs(amount.minor), amount.currency))
        case "CRDT" if amount.minor >= 0:
            return Moved(on, amount)
        case _:
            return None


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except (ValueError, TypeError):
        return None
