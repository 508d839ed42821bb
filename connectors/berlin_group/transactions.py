"""Transactions as the banks state them, reduced to day and signed amount before they go on.

Decoded JSON comes in, and nothing but `Unreadable` goes out. Of the other party only whether it
is named as the one who receives is looked at; no name and no purpose is read.
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

_PAYEE = ("creditorName", "creditorAccount", "creditorId")


@dataclass(frozen=True, slots=True)
class TransactionsPage:
    """One page, and the bank's link to the next; empty on the last one."""

    moved: tuple[Moved, ...]
    following: str


def transactions_page(document: Any) -> TransactionsPage:
    """A page of `/accounts/{id}/transactions`. Raises Unreadable for anything else.

    A download instead of a list is not followed: it is another format.
    """
    report = document.get("transactions") if isinstance(document, dict) else None
    if not isinstance(report, dict):
        raise Unreadable("the document holds no transactions")
    listed = [report[kind] for kind in ("booked", "pending") if report.get(kind) is not None]
    if not all(isinstance(one, list) for one in listed):
        raise Unreadable("the transactions are not a list")
    moved = [_moved(item) for items in listed for item in items]
    return TransactionsPage(tuple(one for one in moved if one is not None), _following(report))


def _moved(item: Any) -> Moved | None:
    """One transaction; None where its day or its direction cannot be told.

    Below zero is money that left. Some banks state what left without a sign, so that an amount
    above zero with somebody named who receives it could be either.
    """
    if not isinstance(item, dict):
        return None
    amount = money_of(item.get("transactionAmount"))
    on = _day(item.get("bookingDate")) or _day(item.get("valueDate"))
    if not isinstance(amount, Money) or on is None:
        return None
    if amount.minor > 0 and any(item.get(name) for name in _PAYEE):
        return None
    return Moved(on, amount)


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except (ValueError, TypeError):
        return None


def _following(report: dict[str, Any]) -> str:
    links = report.get("_links")
    link = links.get("next") if isinstance(links, dict) else None
    href = link.get("href") if isinstance(link, dict) else link
    return href if isinstance(href, str) else ""
