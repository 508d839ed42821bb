"""Transactions as TrueLayer states them, reduced to day and signed amount before they go on."""

from __future__ import annotations

from datetime import date, time, tzinfo
from typing import Any

from app.domain.errors import Unreadable
from app.side_ports import Moved
from connectors._amounts import amount_of
from connectors._moved import day_of, directed, moves_in
from connectors._stated import instant_of

_LEFT, _CAME = "DEBIT", "CREDIT"


def transactions_in(document: Any, zone: tzinfo) -> tuple[Moved, ...]:
    """All of an answer of `/accounts/{id}/transactions` or its `/pending`; `zone` is the bank's.

    There are no pages. Raises Unreadable for anything else.
    """
    if not isinstance(document, dict):
        raise Unreadable("the answer is not an object")
    return moves_in(document.get("results"), lambda item: _moved(item, zone))


def _moved(item: dict[str, Any], zone: tzinfo) -> Moved | None:
    """One transaction. Its type says where the money went: the sign differs between accounts."""
    word = item.get("transaction_type")
    if word not in (_LEFT, _CAME):
        return None
    amount = amount_of(item.get("amount"), item.get("currency"))
    return directed(_day(item.get("timestamp"), zone), amount, left=word == _LEFT)


def _day(text: Any, zone: tzinfo) -> date | None:
    """The day at the bank. A midnight is how a day without an hour is written, in whatever zone."""
    at = instant_of(text, zone)
    if at is None or text[11:19] == time().isoformat():
        return day_of(text)
    return at.astimezone(zone).date()
