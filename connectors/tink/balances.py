"""Balances as Tink states them, mapped without choosing.

Tink says itself which balance holds credit: `availableBalanceExcludingCredit` is the borrower's
own money with what is pending. `availableBalanceIncludingCredit` counts only less the credit
limit that is stated beside it. The list of accounts has another pair, `available` and `booked`,
which say nothing about credit.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from app.domain.balance import BalanceEntry
from app.domain.errors import Invalid
from app.domain.money import Money, currency_digits
from app.ports import BalanceAnswer
from connectors._account_types import CARD, barred, why_not_money
from connectors._amounts import UNKNOWN_CURRENCY, stated_currency, unreadable_amount
from connectors._answers import answers_in
from connectors._credit import Limit, without_limit
from connectors._stated import broken, instant_of, unreadable_answer

# Tink's words in those of app/domain/balance.py, with its word on credit. Tink calls its booked
# balance that of the end of a reporting period, and states it as of the refresh all the same: as
# `closingBooked` it would count as a day younger than it is.
_KINDS = {
    "availableBalanceExcludingCredit": ("interimAvailable", False),
    "availableBalanceIncludingCredit": ("interimAvailable", True),
    "bookedBalance": ("interimBooked", None),
    "available": ("interimAvailable", None),
    "booked": ("interimBooked", None),
}
# Tink's types; it says that others may follow.
_SPENDABLE = ("CHECKING", "SAVINGS")
_OTHERS = {
    "CREDIT_CARD": CARD,
    "LOAN": "it is a loan account",
    "MORTGAGE": "it is a loan account",
    "INVESTMENT": "it is an investment account",
    "PENSION": "it is a pension account",
}
_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)
_LARGEST_SCALE = 12


def parse_balances(document: Any) -> tuple[BalanceAnswer, ...]:
    """One answer per account of a decoded JSON document.

    Understands the answer of `/data/v2/accounts/{id}/balances`, one account and the list of
    `/data/v2/accounts`, and a list of all these. Raises Unreadable when it is none of them.
    """
    return answers_in(document, answer_of, _KINDS, _are_balances)


def _are_balances(stated: Any) -> bool:
    return isinstance(stated, dict) and (not stated or any(name in stated for name in _KINDS))


def answer_of(account: dict[str, Any]) -> BalanceAnswer:
    """The balances of one account: an object with `balances`, and what stands beside it."""
    stated = account.get("balances")
    if not isinstance(stated, dict):
        return BalanceAnswer(unreadable_answer("the balances are not an object"))
    why = why_unusable(account)
    if why:
        return BalanceAnswer(barred([_kind(name) for name in stated if name in _KINDS], why))
    as_of = _as_of(account)
    present = [name for name in stated if stated[name] is not None]
    entries = tuple(_entry(name, stated[name], as_of) for name in present)
    limit = money_of(account.get("creditLimit"))
    return BalanceAnswer(_less_credit(entries, limit if isinstance(limit, Money) else None))


def why_unusable(account: dict[str, Any]) -> str:
    """Why this account's balance is never money to pay with; empty when nothing speaks against."""
    # A balance that is read by itself is stated without its account's type.
    return why_not_money(account["type"], _SPENDABLE, _OTHERS) if "type" in account else ""


def _kind(name: str) -> str:
    return _KINDS[name][0] if name in _KINDS else name


def _entry(name: str, stated: Any, as_of: datetime | None) -> BalanceEntry:
    kind, credit = _KINDS.get(name, (name[:35], None))
    amount = money_of(stated)
    if isinstance(amount, str):
        return broken(kind, amount)
    return BalanceEntry(kind, amount, credit, as_of)


def _less_credit(
    entries: tuple[BalanceEntry, ...], limit: Money | None
) -> tuple[BalanceEntry, ...]:
    """With a stated limit, a balance that holds it can be used less the limit.

    Only where Tink does not state the money without credit itself: its own figure comes first.
    """
    words = {entry.limit_included for entry in entries}
    if limit is None or False in words:
        return entries
    if True in words:
        return tuple(_own_money(entry, limit) for entry in entries)
    return without_limit(entries, Limit(limit, current=True))


def _own_money(entry: BalanceEntry, limit: Money) -> BalanceEntry:
    amount = entry.amount
    if not entry.limit_included or amount is None or amount.currency != limit.currency:
        return entry
    try:
        left = Money(amount.minor - abs(limit.minor), amount.currency)
    except Invalid:
        return broken(entry.kind, "less than any amount that can be stored is left")
    return BalanceEntry(entry.kind, left, False, entry.as_of)


def _as_of(account: dict[str, Any]) -> datetime | None:
    """The instant of Tink's last read at the bank, in UTC."""
    dates = account.get("dates")
    listed = dates.get("lastRefreshed") if isinstance(dates, dict) else None
    return instant_of(account.get("refreshed"), UTC) or instant_of(listed, UTC)


# ---------------------------------------------------------------- amounts


def money_of(stated: Any) -> Money | str:
    """The money of `{amount: {currencyCode, value, valueInMinorUnit}}`, or why it is unreadable.

    Where both forms of the amount are given they have to be the same.
    """
    amount = stated.get("amount") if isinstance(stated, dict) else None
    if not isinstance(amount, dict):
        return "the balance has no amount"
    currency = stated_currency(amount.get("currencyCode"))
    try:
        digits = currency_digits(currency)
    except Invalid:
        return UNKNOWN_CURRENCY
    minor, scaled = amount.get("valueInMinorUnit"), _scaled(amount.get("value"), digits)
    if isinstance(scaled, str):
        return scaled
    minor = scaled if minor is None else _integer(minor)
    if minor is None:
        return "the amount is not a whole number of minor units"
    if scaled not in (None, minor):
        return "the two forms of the amount differ"
    try:
        return Money(minor, currency)
    except Invalid as error:
        return unreadable_amount(error)


def _scaled(value: Any, digits: int) -> int | str | None:
    """Minor units of `{scale, unscaledValue}`: unscaled * 10^-scale, the scale maybe negative.

    None where that is not given; a reason where it is no amount of the currency.
    """
    if not isinstance(value, dict):
        return None
    scale, unscaled = _integer(value.get("scale")), _integer(value.get("unscaledValue"))
    if scale is None or unscaled is None:
        return None
    if abs(scale) > _LARGEST_SCALE:
        return "the amount has a scale that no money has"
    minor = Decimal(unscaled).scaleb(digits - scale)
    if minor != minor.to_integral_value():
        return "the amount is finer than its currency allows"
    return int(minor)


def _integer(value: Any) -> int | None:
    """A whole number, which Tink writes as a number in some answers and as a string in others."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if abs(value) < 10**18 else None
