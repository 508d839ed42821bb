"""Balances as Plaid states them, mapped without choosing.

Plaid has `available` and `current`, and for accounts in Europe `limit`, the agreed overdraft. It
says that `available` holds no overdraft, and hands on what banks calculate. So it is believed
where nothing speaks against it: a stated limit is taken off as connectors/_credit.py has it, and
a lower `current` bounds it. `available` may be null: that is no balance, and never zero.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from app.domain.balance import BalanceEntry
from app.domain.money import Money
from app.ports import BalanceAnswer
from connectors._account_types import barred, why_not_money
from connectors._amounts import amount_of, stated_currency
from connectors._answers import answers_in
from connectors._credit import Limit, without_limit
from connectors._stated import broken, instant_of, unreadable_answer

_KINDS = {"available": "interimAvailable", "current": "interimBooked"}
# Plaid's AccountType. Everything but deposits is debt, or money that cannot be spent today.
_SPENDABLE = ("depository",)
_OTHERS = {
    "credit": "it is a credit account",
    "loan": "it is a loan account",
    "investment": "it is an investment account",
    "brokerage": "it is an investment account",
    "payroll": "it is a payroll account",
}
# Its subtypes of deposits. Which it is may be left out (null).
_SPENDABLE_DEPOSITS = (
    "checking",
    "savings",
    "money market",
    "paypal",
    "prepaid",
    "cash management",
)
_OTHER_DEPOSITS = {
    "cd": "it is a fixed deposit",
    "gic": "it is a fixed deposit",
    "hsa": "it is an account for health costs alone",
    "ebt": "it is an account for benefits alone",
}


def parse_balances(document: Any) -> tuple[BalanceAnswer, ...]:
    """One answer per account of a decoded JSON document.

    Understands the answers of `/accounts/balance/get` and `/accounts/get`, one account, its
    `balances` alone, and a list of all these. Raises Unreadable when it is none of them.
    """
    return answers_in(document, answer_of, _KINDS, lambda stated: isinstance(stated, dict))


def answer_of(account: dict[str, Any], *, limits_excluded: bool = False) -> BalanceAnswer:
    """The balances of one account. `limits_excluded`: this bank's never contain an overdraft."""
    stated = account.get("balances")
    if not isinstance(stated, dict):
        return BalanceAnswer(unreadable_answer("the balances are not an object"))
    why = why_unusable(account)
    present = [name for name in _KINDS if stated.get(name) is not None]
    currency = stated_currency(stated.get("iso_currency_code")) or None
    if why:
        return BalanceAnswer(barred([_KINDS[name] for name in present], why), currency)
    as_of = instant_of(stated.get("last_updated_datetime"), UTC)
    entries = [_entry(_KINDS[name], stated[name], currency, as_of) for name in present]
    if stated.get("limit") is not None and not limits_excluded:
        limit = amount_of(stated["limit"], currency)
        if isinstance(limit, Money):
            # Nobody says that nothing else is in it, so a booked balance bounds what is left, too.
            known = Limit(limit, current="current" not in present)
            return BalanceAnswer(without_limit(entries, known), currency)
        # There is an overdraft, and nobody can tell how much of it is in here.
        return BalanceAnswer(tuple(entries), currency)
    if len(entries) == 1:
        entries = [_believed(one) for one in entries]
    return BalanceAnswer(tuple(entries), currency)


def _believed(only: BalanceEntry) -> BalanceEntry:
    """The one balance of an account, with Plaid's general word on it."""
    if only.amount is None or only.kind != _KINDS["available"]:
        return only
    return replace(only, limit_included=False)


def _entry(kind: str, value: Any, currency: str | None, as_of: datetime | None) -> BalanceEntry:
    amount = amount_of(value, currency)
    if isinstance(amount, str):
        return broken(kind, amount)
    return BalanceEntry(kind, amount, None, as_of)


def why_unusable(account: dict[str, Any]) -> str:
    """Why this account's balance is never money to pay with; empty when nothing speaks against."""
    # Balances that somebody saved by themselves have no account beside them.
    why = why_not_money(account["type"], _SPENDABLE, _OTHERS) if "type" in account else ""
    finer = account.get("subtype")
    if why or finer is None:
        return why
    return why_not_money(finer, _SPENDABLE_DEPOSITS, _OTHER_DEPOSITS)
