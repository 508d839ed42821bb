"""Transactions as the banks state them, reduced to day and signed amount before they go on.

Of the other party only whether it is named as the one who receives is looked at.
"""

from __future__ import annotations

from typing import Any

from app.domain.errors import Unreadable
from app.domain.money import Money
from app.side_ports import Moved
from connectors._amounts import money_of, signed
from connectors._moved import TransactionsPage, day_of, moves_in

_PAYEE = ("creditorName", "creditorAccount", "creditorId")


def transactions_page(document: Any) -> TransactionsPage:
    """A page of `/accounts/{id}/transactions`; `following` is the bank's link to the next.

    Raises Unreadable for anything else. A download instead of a list is not followed: it is
    another format.
    """
    report = document.get("transactions") if isinstance(document, dict) else None
    if not isinstance(report, dict):
        raise Unreadable("the document holds no transactions")
    kinds = [report[kind] for kind in ("booked", "pending") if report.get(kind) is not None]
    moved = tuple(one for listed in kinds for one in moves_in(listed, _moved))
    return TransactionsPage(moved, _following(report))


def _moved(item: dict[str, Any]) -> Moved | None:
    """One transaction; None where its day or its direction cannot be told.

    Below zero is money that left, and so is what is marked as a debit. Some banks state what left
    without a sign or a mark, so that an amount above zero with somebody named who receives it could
    be either.
    """
    amount = money_of(item.get("transactionAmount"))
    if isinstance(amount, Money):
        amount = signed(amount, item.get("creditDebitIndicator"))
    on = day_of(item.get("bookingDate")) or day_of(item.get("valueDate"))
    if not isinstance(amount, Money) or on is None:
        return None
    if amount.minor > 0 and any(item.get(name) for name in _PAYEE):
        return None
    return Moved(on, amount)


def _following(report: dict[str, Any]) -> str:
    links = report.get("_links")
    link = links.get("next") if isinstance(links, dict) else None
    href = link.get("href") if isinstance(link, dict) else link
    return href if isinstance(href, str) else ""
