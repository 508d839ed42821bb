"""Accounts and balances in the content of a `fitnance_read`, mapped without choosing.

Of `summary.by_account` the figure `current_balance` and its currency are known. Whether it is what
is available or what is booked, whether it counts cents or units, and which field names the account
is in the operator's reference; without it nothing can be spent.
"""

from __future__ import annotations

from typing import Any

from app.domain.balance import BalanceEntry
from app.domain.errors import Misconfigured, Unreadable
from app.domain.ids import Secret
from app.domain.money import Money
from app.ports import BalanceAnswer, FoundAccount
from connectors._amounts import money_of, stated_currency
from connectors._stated import MOST_ACCOUNTS, broken, iban_of
from connectors.unnax.reference import Figures, field_of, load_reference
from connectors.unnax.sealing import opened
from connectors.unnax.settings import Settings

STATED = "current_balance"


def parse_balances(document: Any) -> tuple[BalanceAnswer, ...]:
    """One answer per account of a saved callback, or of its content.

    Credentials and the meaning of figures come from the settings of this shell; where they are
    missing the entries say so. Raises Unreadable for what is no such content.
    """
    settings = Settings()
    try:
        figures = load_reference(settings.reference).figures
    except Misconfigured:
        figures = None
    if isinstance(document, dict) and "data" in document:
        document = document["data"]
    if isinstance(document, str):
        try:
            code = settings.api_code.get_secret_value()
            document = opened(document, settings.api_id, code)
        except ValueError:
            problem = "it is encrypted, and SALDO_UNNAX_API_ID and _API_CODE do not open it"
            return (BalanceAnswer((broken(STATED, problem),)),)
    return tuple(answer_of(one, figures) for one in summaries(document))


def summaries(document: Any) -> list[dict[str, Any]]:
    """The figures by account. Raises Unreadable where there is no list of them."""
    listed = field_of(document, "summary.by_account")
    if not isinstance(listed, list):
        raise Unreadable("the content holds no figures by account")
    return [one for one in listed[:MOST_ACCOUNTS] if isinstance(one, dict)]


def answer_of(summary: dict[str, Any], figures: Figures | None) -> BalanceAnswer:
    """The one balance that is stated for an account."""
    currency = summary.get("currency")
    known = stated_currency(currency) or None
    if STATED not in summary or summary[STATED] is None:
        return BalanceAnswer((), known)
    if figures is None:
        problem = "what the figure means is not set (SALDO_UNNAX_REFERENCE)"
        return BalanceAnswer((broken(STATED, problem),), known)
    amount = _money(summary[STATED], currency, figures)
    if isinstance(amount, str):
        return BalanceAnswer((broken(figures.current_balance, amount),), known)
    return BalanceAnswer((BalanceEntry(figures.current_balance, amount),), known)


def _money(stated: Any, currency: Any, figures: Figures) -> Money | str:
    amount = money_of({"amount": stated, "currency": currency})
    if figures.amounts == "units" or isinstance(amount, str):
        return amount
    # Counted in the smallest unit: whole, and not to be scaled.
    minor = str(stated).strip()
    return Money(int(minor), amount.currency) if minor.lstrip("-").isdecimal() else "is not whole"


def found_accounts(document: Any, figures: Figures) -> tuple[FoundAccount, ...]:
    """The accounts of a first read. One whose field does not name it cannot be read again."""
    return tuple(_found(one, figures) for one in summaries(document))


def _found(summary: dict[str, Any], figures: Figures) -> FoundAccount:
    ref = reference_of(summary, figures)
    return FoundAccount(
        ref=Secret(ref),
        number=iban_of(ref),
        currency=stated_currency(summary.get("currency")),
        usable=bool(ref),
        why_unusable="" if ref else "Unnax gives no way to recognise it",
    )


def reference_of(summary: dict[str, Any], figures: Figures) -> str:
    """What an account is recognised by; empty where it is not there."""
    value = field_of(summary, figures.account_field)
    return value if isinstance(value, str) and 0 < len(value) <= 200 else ""
