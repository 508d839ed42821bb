"""Balances and accounts as the banks state them, mapped without choosing.

Nothing here decides what is spendable; an entry that cannot be read keeps its place with the
reason in `problem`. Decoded JSON comes in, and nothing but `Unreadable` goes out.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any, NamedTuple
from urllib.parse import unquote

from app.domain.balance import PRIORITY, BalanceEntry, Unusable
from app.domain.errors import Unreadable
from app.domain.ids import Secret
from app.ports import BalanceAnswer, FoundAccount
from connectors._account_types import CARD, barred, is_credit_card, why_not_cash
from connectors._amounts import money_of, signed, stated_currency
from connectors._answers import account_in, side_by_side
from connectors._kinds import kind_of
from connectors._stated import (
    MOST_ACCOUNTS,
    account_currency,
    british_text,
    broken,
    iban_of,
    said,
    stated_at,
    unreadable_answer,
)
from connectors._told_apart import told_apart

_CLOSED, _BLOCKED = "the bank has closed it", "the bank has blocked it"
# The standard knows the first two; British banks say "Disabled", others what stands in their books.
_NOT_OPEN = {
    "deleted": _CLOSED,
    "blocked": _BLOCKED,
    "closed": _CLOSED,
    "disabled": _BLOCKED,
    "inactive": _BLOCKED,
    "suspended": _BLOCKED,
    "frozen": _BLOCKED,
}
_LONGEST_BBAN = 35
_MASKED = re.compile(r"[*•#…]|xx|\.\.", re.IGNORECASE)
_BALANCES_LINK = re.compile(r"/accounts/([^/?#]+)/balances/?\Z")


def parse_balances(
    document: Any, zone: tzinfo = UTC, own_types: Collection[str] = ()
) -> tuple[BalanceAnswer, ...]:
    """One answer per account of a decoded JSON document.

    Understands the answer of `/accounts/{id}/balances`, of `/accounts` and `/accounts/{id}` with
    balances, a bare list of balances, and a list of such answers. `zone` is the bank's, for
    dates and for times that name no zone; `own_types` are the bank's own words for accounts that
    can be paid from. Raises Unreadable when it is none of these.
    """
    bank = _Bank(zone, own_types)
    if isinstance(document, list):
        if document and all(
            isinstance(item, dict) and "balanceAmount" in item for item in document
        ):
            return (_answer(document, {}, bank),)
        found = [answer for item in document[:MOST_ACCOUNTS] for answer in _one(item, bank)]
        return tuple(found)
    return _one(document, bank)


class _Bank(NamedTuple):
    """What one has to know of the bank to read it."""

    zone: tzinfo
    own_types: Collection[str]


def balances_at(
    document: Any, zone: tzinfo, kinds: Collection[str], own_types: Collection[str] = ()
) -> tuple[BalanceAnswer, ...]:
    """The same, of a bank in this zone of whose balances only these kinds are believed."""
    return tuple(believed(answer, kinds) for answer in parse_balances(document, zone, own_types))


def believed(answer: BalanceAnswer, kinds: Collection[str]) -> BalanceAnswer:
    """The answer of a bank of whose balances only these kinds say what can be spent.

    The others keep their place under another name, so that nothing is chosen from them.
    """
    doubted = set(PRIORITY).difference(kinds)
    if not doubted:
        return answer
    entries = tuple(
        replace(entry, kind=f"{entry.kind} (not believed)") if entry.kind in doubted else entry
        for entry in answer.entries
    )
    return replace(answer, entries=entries)


def _one(document: Any, bank: _Bank) -> tuple[BalanceAnswer, ...]:
    if not isinstance(document, dict):
        raise Unreadable("the document holds no balances")
    for plural in ("accounts", "cardAccounts"):
        listed = document.get(plural)
        if isinstance(listed, list):
            kept = [item if isinstance(item, dict) else {} for item in listed[:MOST_ACCOUNTS]]
            return tuple(
                _answer(item.get("balances", []), item, bank, card=plural != "accounts")
                for item in kept
            )
    card = isinstance(document.get("cardAccount"), dict)
    document = document if card else side_by_side(document)
    account = document["cardAccount"] if card else account_in(document)
    if "balances" in document:
        return (_answer(document["balances"], account, bank, card=card),)
    if account is not document:
        return (_answer(account.get("balances", []), account, bank, card=card),)
    raise Unreadable("the document holds no balances")


def _answer(
    listed: Any, account: dict[str, Any], bank: _Bank, *, card: bool = False
) -> BalanceAnswer:
    currency = account_currency(account)
    if not isinstance(listed, list):
        return BalanceAnswer(unreadable_answer("the balances are not a list"), currency)
    closed, why = why_not_open(account), CARD if card else why_unusable(account, bank.own_types)
    if why:
        kinds = [item.get("balanceType") if isinstance(item, dict) else "" for item in listed]
        named = [kind if isinstance(kind, str) else "" for kind in kinds]
        unusable = Unusable.ACCOUNT_CLOSED if closed else Unusable.NOT_MONEY
        return BalanceAnswer(barred(named, why, unusable), currency)
    return BalanceAnswer(tuple([_entry(item, bank.zone) for item in listed]), currency)


def _entry(item: Any, zone: tzinfo) -> BalanceEntry:
    """One balance, or why it cannot be read."""
    if not isinstance(item, dict):
        return broken("", "the balance is not an object")
    kind = item.get("balanceType")
    if not isinstance(kind, str) or not kind:
        return broken("", "the balance has no type")
    kind = kind_of(kind)
    amount = money_of(item.get("balanceAmount"))
    if isinstance(amount, str):
        return broken(kind, amount)
    amount = signed(amount, item.get("creditDebitIndicator"))
    as_of = stated_at(item.get("lastChangeDateTime"), item.get("referenceDate"), zone)
    return BalanceEntry(kind, amount, said(item.get("creditLimitIncluded")), as_of)


# ---------------------------------------------------------------- accounts


def why_unusable(account: dict[str, Any], own_types: Collection[str] = ()) -> str:
    """Why this account's balance is never money to pay with; empty when nothing speaks against."""
    why = why_not_open(account) or why_not_cash(account.get("cashAccountType"), own_types)
    if why or is_credit_card(account.get("product")):
        return why or CARD
    card_number = account.get("pan") or account.get("maskedPan")
    return CARD if card_number and not account.get("iban") else ""


def why_not_open(account: dict[str, Any]) -> str:
    """That the bank has closed or blocked the account; empty where it does not say so."""
    status = account.get("status")
    return _NOT_OPEN.get(status.lower(), "") if isinstance(status, str) else ""


def found_accounts(document: Any, own_types: Collection[str] = ()) -> tuple[FoundAccount, ...]:
    """The accounts of an answer of `/accounts`. Raises Unreadable when it is not one.

    Accounts of one IBAN in several currencies stay apart, as the bank lists them; an account of
    several currencies at once has the currency "XXX".
    """
    listed = document.get("accounts") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise Unreadable("the answer lists no accounts")
    kept = [item for item in listed[:MOST_ACCOUNTS] if isinstance(item, dict)]
    return told_apart([_account(item, own_types) for item in kept])


def _account(item: dict[str, Any], own_types: Collection[str]) -> FoundAccount:
    ref = _reference(item)
    name = next((item[key] for key in ("name", "product") if isinstance(item.get(key), str)), "")
    why = why_unusable(item, own_types) if ref else "the bank gives no way to read it"
    return FoundAccount(
        ref=Secret(ref),
        number=iban_of(item.get("iban")) or british_text(item.get("scan")),
        currency=stated_currency(item.get("currency")),
        name=name[:70],
        lasting=_lasting(item.get("bban")),
        usable=not why,
        why_unusable=why,
    )


def _lasting(bban: Any) -> Secret | None:
    """The country's own number of an account; a bank's id may be another under the next consent.

    One that is masked names every account that ends like it, a word without digits names any.
    """
    if not isinstance(bban, str) or _MASKED.search(bban) or not re.search(r"\d", bban):
        return None
    plain = "".join(filter(str.isalnum, bban))
    return Secret(f"bban {plain}") if 0 < len(plain) <= _LONGEST_BBAN else None


def _reference(item: dict[str, Any]) -> str:
    """`resourceId`, or the id in the link to the balances where a bank gives only that."""
    ref = item.get("resourceId")
    if isinstance(ref, str) and ref.strip("."):
        return ref
    links = item.get("_links")
    link = links.get("balances") if isinstance(links, dict) else None
    href = link.get("href") if isinstance(link, dict) else link
    match = _BALANCES_LINK.search(href) if isinstance(href, str) else None
    ref = unquote(match[1]) if match else ""
    return ref if ref.strip(".") else ""
