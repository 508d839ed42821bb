"""Balance answers in whatever document somebody has: an account, a list of them, balances alone."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from app.domain.errors import Unreadable
from app.ports import BalanceAnswer
from connectors._stated import MOST_ACCOUNTS


def answers_in(
    document: Any,
    answer_of: Callable[[dict[str, Any]], BalanceAnswer],
    kinds: Collection[str],
    are_balances: Callable[[Any], bool],
) -> tuple[BalanceAnswer, ...]:
    """One answer per account of a decoded JSON document, by an account with its `balances`.

    Understands an answer with `accounts`, one account, its balances alone (by one of `kinds`), and
    a list of all these. Raises Unreadable when it is none of them.
    """
    if isinstance(document, list):
        listed = document[:MOST_ACCOUNTS]
        return tuple(one for item in listed for one in _one(item, answer_of, kinds, are_balances))
    return _one(document, answer_of, kinds, are_balances)


def _one(
    document: Any,
    answer_of: Callable[[dict[str, Any]], BalanceAnswer],
    kinds: Collection[str],
    are_balances: Callable[[Any], bool],
) -> tuple[BalanceAnswer, ...]:
    if not isinstance(document, dict):
        raise Unreadable("the document holds no balances")
    listed = document.get("accounts")
    if "balances" not in document and isinstance(listed, list):
        kept = [item for item in listed[:MOST_ACCOUNTS] if isinstance(item, dict)]
        if any("balances" in item for item in kept) or not listed:
            return tuple(answer_of({"balances": {}, **item}) for item in kept)
    if are_balances(document.get("balances")):
        return (answer_of(document),)
    if any(name in document for name in kinds):
        return (answer_of({"balances": document}),)
    raise Unreadable("the document holds no balances")
