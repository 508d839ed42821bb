"""Balances and accounts as the banks state them, mapped without choosing.

Nothing here decides what is spendable; an entry that cannot be read keeps its place with the
reason in `problem`. Decoded JSON comes in, and nothing but `Unreadable` goes out.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any
from urllib.parse import unquote

from app.domain.balance import BalanceEntry
from app.domain.errors import Invalid, Unreadable
from app.domain.ids import Iban, Secret
from app.domain.money import Money
from app.ports import BalanceAnswer, FoundAccount

# A saved answer may hold many accounts; this many is a broken file and not a borrower.
MOST_ACCOUNTS = 1000

# ISO 20022 ExternalCashAccountType1Code, and CARD as some banks write it: accounts whose balance
# is debt or somebody else's money. Current (CACC), savings and salary accounts are not in it.
_NOT_MONEY = {
    "CARD": "it is a card account",
    "CRCD": "it is a card account",
    "LOAN": "it is a loan account",
    "MGLD": "it is a lending account",
    "ODFT": "it is an overdraft account",
}
_NOT_OPEN = {"deleted": "the bank has closed it", "blocked": "the bank has blocked it"}
_CURRENCY = re.compile(r"[A-Z]{3}")
_BALANCES_LINK = re.compile(r"/accounts/([^/?#]+)/balances/?\Z")


def parse_balances(document: Any, zone: tzinfo = UTC) -> tuple[BalanceAnswer, ...]:
    """One answer per account of a decoded JSON document.

    Understands the answer of `/accounts/{id}/balances`, of `/accounts` and `/accounts/{id}` with
    balances, a bare list of balances, and a list of such answers. `zone` is the bank's, for
    dates and for times that name no zone. Raises Unreadable when it is none of these.
    """
    if isinstance(document, list):
        if document and all(
            isinstance(item, dict) and "balanceAmount" in item for item in document
        ):
            return (_answer(document, {}, zone),)
        found = [answer for item in document[:MOST_ACCOUNTS] for answer in _one(item, zone)]
        return tuple(found)
    return _one(document, zone)


def _one(document: Any, zone: tzinfo) -> tuple[BalanceAnswer, ...]:
    if not isinstance(document, dict):
        raise Unreadable("the document holds no balances")
    for plural in ("accounts", "cardAccounts"):
        listed = document.get(plural)
        if isinstance(listed, list):
            kept = [item if isinstance(item, dict) else {} for item in listed[:MOST_ACCOUNTS]]
            return tuple(
                _answer(item.get("balances", []), item, zone, card=plural != "accounts")
                for item in kept
            )
    card = isinstance(document.get("cardAccount"), dict)
    inner = document.get("cardAccount" if card else "account")
    account = inner if isinstance(inner, dict) else document
    if "balances" in document:
        return (_answer(document["balances"], account, zone, card=card),)
    if account is not document:
        return (_answer(account.get("balances", []), account, zone, card=card),)
    raise Unreadable("the document holds no balances")


def _answer(
    listed: Any, account: dict[str, Any], zone: tzinfo, *, card: bool = False
) -> BalanceAnswer:
    currency = account_currency(account)
    if not isinstance(listed, list):
        return BalanceAnswer((_broken("", "the balances are not a list"),), currency)
    unusable = _NOT_MONEY["CARD"] if card else why_unusable(account)
    if unusable:
        kinds = [item.get("balanceType") if isinstance(item, dict) else "" for item in listed]
        entries = [_broken(kind if isinstance(kind, str) else "", unusable) for kind in kinds]
        return BalanceAnswer(tuple(entries), currency)
    return BalanceAnswer(tuple([_entry(item, zone) for item in listed]), currency)


def _broken(kind: str, problem: str) -> BalanceEntry:
    return BalanceEntry(kind[:35], None, problem=problem)


def _entry(item: Any, zone: tzinfo) -> BalanceEntry:
    """One balance. The amount is read only if it is a decimal string, as the contract says."""
    if not isinstance(item, dict):
        return _broken("", "the balance is not an object")
    kind = item.get("balanceType")
    if not isinstance(kind, str) or not kind:
        return _broken("", "the balance has no type")
    stated = item.get("balanceAmount")
    if not isinstance(stated, dict):
        return _broken(kind, "the balance has no amount")
    text, currency = stated.get("amount"), stated.get("currency")
    if not isinstance(text, str) or not isinstance(currency, str):
        return _broken(kind, "the amount or its currency is not a string")
    try:
        amount = Money.parse(text, currency)
    except Invalid as error:
        if error.field == "currency":  # its message repeats the bank's text
            return _broken(kind, "the currency is not one Saldo knows")
        return _broken(kind, error.message)
    return BalanceEntry(kind, amount, _said(item.get("creditLimitIncluded")), _as_of(item, zone))


def _said(value: Any) -> bool | None:
    """True or false where the bank says so in either spelling; anything else is not said."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def _as_of(item: dict[str, Any], zone: tzinfo) -> datetime | None:
    """The instant the bank states for a balance, in UTC.

    A bare date (`referenceDate`) stands for the start of that day at the bank: the balance may
    be younger than that, never older. Where the bank gives both, the later one counts, because
    an account without movements keeps its last change while the figure is of today.
    """
    changed = _instant(item.get("lastChangeDateTime"), zone)
    of_day = _day(item.get("referenceDate"), zone)
    if changed is None or of_day is None:
        return changed or of_day
    return max(changed, of_day)


def _instant(text: Any, zone: tzinfo) -> datetime | None:
    if not isinstance(text, str) or len(text) < 11:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _day(text: Any, zone: tzinfo) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        return datetime.combine(date.fromisoformat(text[:10]), time(0), zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


# ---------------------------------------------------------------- accounts


def account_currency(account: dict[str, Any]) -> str | None:
    """The account's own currency; None where it is not stated or has several ("XXX")."""
    currency = account.get("currency")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency) or currency == "XXX":
        return None
    return currency


def why_unusable(account: dict[str, Any]) -> str:
    """Why this account's balance is never money to pay with; empty when nothing speaks against."""
    kind, status = account.get("cashAccountType"), account.get("status")
    if isinstance(status, str) and status.lower() in _NOT_OPEN:
        return _NOT_OPEN[status.lower()]
    if isinstance(kind, str) and kind.upper() in _NOT_MONEY:
        return _NOT_MONEY[kind.upper()]
    if "iban" not in account and ("pan" in account or "maskedPan" in account):
        return _NOT_MONEY["CARD"]
    return ""


def found_accounts(document: Any) -> tuple[FoundAccount, ...]:
    """The accounts of an answer of `/accounts`. Raises Unreadable when it is not one.

    Accounts of one IBAN in several currencies stay apart, as the bank lists them; an account of
    several currencies at once has the currency "XXX".
    """
    listed = document.get("accounts") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise Unreadable("the answer lists no accounts")
    return tuple(_account(item) for item in listed[:MOST_ACCOUNTS] if isinstance(item, dict))


def _account(item: dict[str, Any]) -> FoundAccount:
    ref = _reference(item)
    currency = item.get("currency")
    name = next((item[key] for key in ("name", "product") if isinstance(item.get(key), str)), "")
    why = why_unusable(item) if ref else "the bank gives no way to read it"
    return FoundAccount(
        ref=Secret(ref),
        iban=_iban(item.get("iban")),
        currency=currency if isinstance(currency, str) and _CURRENCY.fullmatch(currency) else "",
        name=name[:70],
        usable=not why,
        why_unusable=why,
    )


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


def _iban(text: Any) -> Iban | None:
    try:
        return Iban.parse(text)
    except Invalid:
        return None
