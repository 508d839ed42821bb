"""Amounts of money as providers write them: what can be read in one way only is read.

Harmless spellings are accepted: zeros after the last digit of a currency, blanks around, a currency
in small letters, a JSON number where a string is documented, a string where a number is. What two
people could read in two ways is not: decimal commas, thousands separators, exponents, other digits
than 0 to 9. Nothing is raised: what cannot be read is a sentence that says why.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from app.domain.errors import Invalid
from app.domain.money import Money, currency_digits

UNKNOWN_CURRENCY = "the currency is not one Saldo knows"

_CURRENCY = re.compile(r"[A-Z]{3}")
# Any number of digits after the point: those that are finer than the currency have to be zeros.
_WITH_FRACTION = re.compile(r"([+-]?[0-9]{1,18})\.([0-9]{1,60})")
# A double that stands for a whole minor unit is off by its own noise: 110.94999999999999.
_NOISE = Decimal("0.000001")
_BEYOND = 10**18
_DEBIT = ("DBIT", "DEBIT", "D")


def stated_currency(code: Any) -> str:
    """An ISO 4217 code in its own spelling; empty for what is none. "XXX" is for several."""
    text = code.strip().upper() if isinstance(code, str) else ""
    return text if _CURRENCY.fullmatch(text) else ""


def money_of(stated: Any) -> Money | str:
    """An amount object (`amount` a decimal string, `currency`), or why it cannot be read."""
    if not isinstance(stated, dict):
        return "the balance has no amount"
    currency = stated.get("currency")
    if not isinstance(currency, str):
        return "the currency is not a string"
    return amount_of(stated.get("amount"), currency)


def amount_of(value: Any, currency: Any) -> Money | str:
    """The money of a decimal string or a JSON number in major units, or why it cannot be read."""
    return text_of(value, currency) if isinstance(value, str) else number_of(value, currency)


def text_of(text: str, currency: Any) -> Money | str:
    """The money of a decimal string in major units, or why it cannot be read."""
    plain = text.strip()
    parts = _WITH_FRACTION.fullmatch(plain)
    if parts is not None:
        fraction = parts[2].rstrip("0")
        plain = f"{parts[1]}.{fraction}" if fraction else parts[1]
    try:
        return Money.parse(plain, stated_currency(currency))
    except Invalid as error:
        return unreadable_amount(error)


def number_of(value: Any, currency: Any) -> Money | str:
    """The money of a JSON number in major units, or why it cannot be read.

    A float counts as the whole minor unit that it is within a millionth of.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "the amount is not a number"
    if not -_BEYOND < value < _BEYOND:  # nor is it for what is no number (NaN)
        return "the amount is larger than any that can be stored"
    try:
        digits = currency_digits(stated_currency(currency))
        minor = Decimal(repr(value)).scaleb(digits)
        whole = minor.to_integral_value()
        if abs(minor - whole) > _NOISE:
            return f"the amount is finer than its currency allows ({digits} decimal digits)"
        return Money(int(whole), stated_currency(currency))
    except Invalid as error:
        return unreadable_amount(error)


def signed(amount: Money, indicator: Any) -> Money:
    """The amount under a mark of debit beside it, which some banks write instead of a minus.

    ISO 20022 (CreditDebitCode) and the British standard state amounts without a sign; some banks
    write both. Of the two readings the lower one counts.
    """
    debit = isinstance(indicator, str) and indicator.strip().upper() in _DEBIT
    return -amount if debit and amount.minor > 0 else amount


def unreadable_amount(error: Invalid) -> str:
    """What is wrong with a provider's amount, without what a person who types one should write."""
    # The words on a currency repeat the provider's text.
    return UNKNOWN_CURRENCY if error.field == "currency" else f"the amount {error.problem}"
