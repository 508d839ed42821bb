"""Transactions as the vendor states them, reduced to day and signed amount before they go on."""

from __future__ import annotations

from typing import Any

from app.domain.errors import Unreadable
from app.side_ports import Moved
from connectors._amounts import money_of
from connectors._moved import TransactionsPage, day_of, directed, moves_in

# Booked, and expected at once; what is held, scheduled or refused may never move.
_MOVES = ("BOOK", "PDNG")


def transactions_page(document: Any) -> TransactionsPage:
    """A page of `/accounts/{uid}/transactions`. Raises Unreadable for anything else."""
    if not isinstance(document, dict):
        raise Unreadable("the answer is not an object")
    key = document.get("continuation_key")
    return TransactionsPage(
        moves_in(document.get("transactions"), _moved), key if isinstance(key, str) else ""
    )


def _moved(item: dict[str, Any]) -> Moved | None:
    """One transaction; its amount carries no sign of its own."""
    word = item.get("credit_debit_indicator")
    if item.get("status") not in _MOVES or word not in ("DBIT", "CRDT"):
        return None
    on = day_of(item.get("booking_date")) or day_of(item.get("value_date"))
    return directed(on, money_of(item.get("transaction_amount")), left=word == "DBIT")
