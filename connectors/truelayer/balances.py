"""Balances as TrueLayer states them, mapped without choosing.

An account's balance is one object with `available`, `current` and perhaps `overdraft`, all of them
JSON numbers. TrueLayer's help says that the overdraft is in the available figure, and shows figures
in which it is not: below the booked one it could be in there only with more pending than the
overdraft. So a higher available figure has it taken off, and the booked one still bounds it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from app.domain.balance import BalanceEntry, Unusable
from app.domain.errors import Unreadable
from app.domain.money import Money
from app.ports import BalanceAnswer
from connectors._account_types import CARD, barred, why_not_money
from connectors._amounts import amount_of
from connectors._credit import Limit, without_limit
from connectors._stated import (
    MOST_ACCOUNTS,
    account_currency,
    broken,
    instant_of,
    unreadable_answer,
)

AVAILABLE, BOOKED = "interimAvailable", "interimBooked"
# Fields that only cards and their balances have: what is left there is credit.
_OF_CARDS = (
    "credit_limit",
    "last_statement_balance",
    "last_statement_date",
    "payment_due",
    "payment_due_date",
    "card_network",
    "card_type",
    "partial_card_number",
)
# TrueLayer's types of accounts (AccountType).
_SPENDABLE = ("TRANSACTION", "SAVINGS", "BUSINESS_TRANSACTION", "BUSINESS_SAVINGS")


def parse_balances(document: Any) -> tuple[BalanceAnswer, ...]:
    """One answer per account of a decoded JSON document.

    Understands the answer of `/data/v1/accounts/{id}/balance`, its `results`' bare object, and a
    list of these for several accounts. Raises Unreadable when it is none of them.
    """
    if isinstance(document, list) and document:
        return tuple(_one(item) for item in document[:MOST_ACCOUNTS])
    return (_one(document),)


def _one(document: Any) -> BalanceAnswer:
    if isinstance(document, dict) and "results" in document:
        return answer_of(document["results"])
    if isinstance(document, dict) and not {"available", "current"}.isdisjoint(document):
        return answer_of([document])
    raise Unreadable("the document holds no balances")


def answer_of(results: Any) -> BalanceAnswer:
    """The balances of one account, from `results` of its answer."""
    if not isinstance(results, list):
        return BalanceAnswer(unreadable_answer("the results are not a list"))
    stated = {account_currency(item) for item in results if isinstance(item, dict)}
    currency = stated.pop() if len(stated) == 1 else None
    entries = [entry for item in results[:MOST_ACCOUNTS] for entry in _entries(item)]
    return BalanceAnswer(tuple(entries), currency)


def _entries(item: Any) -> list[BalanceEntry]:
    if not isinstance(item, dict):
        return [broken("", "the balance is not an object")]
    if "account_id" in item and "available" not in item and "current" not in item:
        return list(barred((), "it is an account without its balance", Unusable.NO_BALANCES))
    why = CARD if any(name in item for name in _OF_CARDS) else why_unusable(item)
    if why:
        return list(barred((AVAILABLE,), why))
    as_of = instant_of(item.get("update_timestamp"), UTC)
    found = [
        _entry(kind, _money(item, name), as_of)
        for kind, name in ((AVAILABLE, "available"), (BOOKED, "current"))
        if item.get(name) is not None
    ]
    overdraft = _money(item, "overdraft")
    if isinstance(overdraft, Money) and overdraft.minor != 0:
        # Nobody says that all of it was in there, so a booked balance bounds what is left, too.
        alone = item.get("current") is None
        found = list(without_limit(found, Limit(overdraft, current=alone)))
    return found or [broken(AVAILABLE, "the balance states no amount")]


def why_unusable(account: dict[str, Any]) -> str:
    """Why this account's balance is never money to pay with; empty when nothing speaks against."""
    # A balance alone is stated without its account's type.
    return (
        why_not_money(account["account_type"], _SPENDABLE, {}) if "account_type" in account else ""
    )


def _entry(kind: str, amount: Money | str, as_of: datetime | None) -> BalanceEntry:
    if isinstance(amount, str):
        return broken(kind, amount)
    return BalanceEntry(kind, amount, None, as_of)


def _money(item: dict[str, Any], name: str) -> Money | str:
    """An amount, or why it cannot be read."""
    return amount_of(item.get(name), item.get("currency"))
