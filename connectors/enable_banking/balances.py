"""Balances and accounts as the vendor states them, mapped without choosing.

The vendor has no flag for a credit limit in a balance; the account states its limit beside it,
which is taken off (connectors/_credit.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, tzinfo
from functools import partial
from typing import Any

from app.domain.balance import BalanceEntry
from app.domain.errors import Unreadable
from app.domain.money import Money
from app.ports import BalanceAnswer
from connectors._account_types import CARD, barred, is_credit_card, why_not_cash
from connectors._amounts import money_of, signed
from connectors._answers import account_in, side_by_side
from connectors._credit import Limit, without_limit
from connectors._kinds import kind_of
from connectors._stated import (
    MOST_ACCOUNTS,
    account_currency,
    broken,
    said,
    stated_at,
    unreadable_answer,
)

# The vendor's word for an account that is known by the number of a card.
CARD_NUMBER = "CPAN"


def parse_balances(
    document: Any,
    zone: tzinfo = UTC,
    *,
    limits_excluded: bool = False,
    own_types: Collection[str] = (),
) -> tuple[BalanceAnswer, ...]:
    """One answer per account of a decoded JSON document, as `answer_of` reads one.

    Understands the answer of `/accounts/{id}/balances`, the same with the account's own fields
    (`credit_limit`, `currency`, `cash_account_type`) beside it or under `account` or `details`,
    a list of `accounts` that hold their balances, a bare list of balances, and a list of all
    these. Raises Unreadable when it is none of them.
    """
    read = partial(answer_of, zone=zone, limits_excluded=limits_excluded, own_types=own_types)
    if isinstance(document, list):
        if document and all(
            isinstance(item, dict) and "balance_amount" in item for item in document
        ):
            return (read(document, {}),)
        return tuple(answer for item in document[:MOST_ACCOUNTS] for answer in _one(item, read))
    return _one(document, read)


def _one(document: Any, read: Callable[..., BalanceAnswer]) -> tuple[BalanceAnswer, ...]:
    if not isinstance(document, dict):
        raise Unreadable("the document holds no balances")
    listed = document.get("accounts")
    if "balances" not in document and isinstance(listed, list):
        with_balances = [
            item for item in listed[:MOST_ACCOUNTS] if isinstance(item, dict) and "balances" in item
        ]
        if listed and not with_balances:
            raise Unreadable("the accounts are listed without balances")
        return tuple(read(item["balances"], item) for item in with_balances)
    document = side_by_side(document)
    inner = account_in(document)
    if "balances" in document:
        return (read(document["balances"], inner),)
    if inner is not document and "balances" in inner:
        return (read(inner["balances"], inner),)
    raise Unreadable("the document holds no balances")


def answer_of(
    listed: Any,
    account: dict[str, Any],
    zone: tzinfo,
    limit: Limit | None = None,
    *,
    limits_excluded: bool = False,
    own_types: Collection[str] = (),
) -> BalanceAnswer:
    """The balances of one account. `limit` serves where the account itself states none here.

    `limits_excluded`: the bank's balances never contain one, so that nothing is taken off.
    `own_types`: its own words for accounts that can be paid from.
    """
    currency = account_currency(account)
    if not isinstance(listed, list):
        return BalanceAnswer(unreadable_answer("the balances are not a list"), currency)
    why = why_unusable(account, own_types)
    if why:
        kinds = [item.get("balance_type") if isinstance(item, dict) else "" for item in listed]
        named = [kind_of(kind) if isinstance(kind, str) else "" for kind in kinds]
        return BalanceAnswer(barred(named, why), currency)
    read = tuple([_entry(item, zone) for item in listed])
    stated = money_of(account.get("credit_limit"))
    known = Limit(stated, current=True) if isinstance(stated, Money) else limit
    if known is not None and not limits_excluded:
        read = without_limit(read, known)
    return BalanceAnswer(read, currency)


def _entry(item: Any, zone: tzinfo) -> BalanceEntry:
    if not isinstance(item, dict):
        return broken("", "the balance is not an object")
    code = item.get("balance_type")
    if not isinstance(code, str) or not code:
        return broken("", "the balance has no type")
    kind = kind_of(code)
    amount = money_of(item.get("balance_amount"))
    if isinstance(amount, str):
        return broken(kind, amount)
    amount = signed(amount, item.get("credit_debit_indicator"))
    as_of = stated_at(item.get("last_change_date_time"), item.get("reference_date"), zone)
    # No word of the vendor's: where a bank's own comes through, only its warning is believed.
    included = said(item.get("credit_limit_included")) or None
    return BalanceEntry(kind, amount, included, as_of)


# ---------------------------------------------------------------- accounts


def why_unusable(account: dict[str, Any], own_types: Collection[str] = ()) -> str:
    """Why this account's balance is never money to pay with; empty when nothing speaks against."""
    if is_card(account) or is_credit_card(account.get("product")):
        return CARD
    return why_not_cash(account.get("cash_account_type"), own_types)


def is_card(account: dict[str, Any]) -> bool:
    """Whether the account is known by the number of a card (CPAN) alone."""
    number = account.get("account_id")
    if not isinstance(number, dict) or number.get("iban"):
        return False
    other = number.get("other")
    return isinstance(other, dict) and other.get("scheme_name") == CARD_NUMBER
