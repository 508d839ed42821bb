"""Balance answers in whatever document somebody has: an account, a list of them, balances alone."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from app.domain.errors import Unreadable
from app.ports import BalanceAnswer
from connectors._stated import MOST_ACCOUNTS


def account_in(document: dict[str, Any]) -> dict[str, Any]:
    """The account beside the balances of a document, which is the document itself if none is.

    `details` is where it stands in what people save: the account, or the answer about it.
    """
    for name in ("account", "details"):
        found = document.get(name)
        if isinstance(found, dict):
            inner = found.get("account")
            return inner if isinstance(inner, dict) else found
    return document


def side_by_side(document: dict[str, Any]) -> dict[str, Any]:
    """A document in which whole answers stand under their names, as one answer.

    `{"details": {...}, "balances": {"balances": [...]}}`: what the balances say of the account
    counts before what its details say.
    """
    answer = document.get("balances")
    if not isinstance(answer, dict) or "balances" not in answer:
        return document
    beside = {} if account_in(document) is document else account_in(document)
    named = {} if account_in(answer) is answer else account_in(answer)
    return {"balances": answer["balances"], "account": {**beside, **named}}


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
