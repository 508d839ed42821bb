"""Which accounts can be paid from, by what each provider calls them.

Only a type that is known for money that its owner can spend today counts. Everything else, a word
that a provider invents tomorrow too, is set aside with the reason. An account that states no type
at all, where that may be left out, stays readable.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from app.domain.balance import BalanceEntry, Unusable
from connectors._words import shown_word

CARD = "it is a card account"

# ISO 20022 ExternalCashAccountType1Code: current, cash payment, savings, salary and transacting
# accounts. Money market, overnight and limited savings accounts are not spendable on the day.
_SPENDABLE = ("CACC", "CASH", "SVGS", "SLRY", "TRAN")
# What banks write for those instead of the code: ISO 20022's own name of it, or a plain word.
_IN_WORDS = (
    "CURRENT",
    "CURRENTACCOUNT",
    "CHECKING",
    "CHECKINGACCOUNT",
    "CASHPAYMENT",
    "SAVINGS",
    "SAVINGSACCOUNT",
    "SALARY",
    "SALARYACCOUNT",
    "TRANSACTINGACCOUNT",
)
# Of the others those that banks list beside them, with CARD and CRCD as some write it.
_OTHERS = {
    "CARD": CARD,
    "CRCD": CARD,
    "CPAN": CARD,
    "LOAN": "it is a loan account",
    "MGLD": "it is a lending account",
    "ODFT": "it is an overdraft account",
}

# How banks name credit cards among their products, without accents and blanks. Some list them as
# current accounts (CACC), with what is left of the limit as their balance.
_CREDIT_CARDS = (
    "creditcard",
    "kreditkarte",
    "kreditkort",
    "kredittkort",
    "kredietkaart",
    "luottokortti",
    "tarjetadecredito",
    "tarjetacredito",
    "cartedecredit",
    "cartadicredito",
    "cartaodecredito",
    "kartakredytowa",
)


def is_credit_card(product: Any) -> bool:
    """Whether the bank's name of its product begins with its word for a credit card."""
    if not isinstance(product, str):
        return False
    plain = unicodedata.normalize("NFKD", product[:70]).casefold()
    return "".join(filter(str.isalpha, plain)).startswith(_CREDIT_CARDS)


def why_not_cash(kind: Any, own_types: Collection[str] = ()) -> str:
    """Why an account of this ISO 20022 type cannot be paid from; empty where it can, or unsaid.

    `own_types`: further words by which this bank calls accounts that can be paid from.
    """
    if kind in (None, ""):
        return ""
    if not isinstance(kind, str):
        return why_not_money(kind, (), {})
    letters = "".join(filter(str.isalpha, kind)).upper()
    if letters in _SPENDABLE or letters in _IN_WORDS:
        return ""
    if kind.casefold() in [word.casefold() for word in own_types]:
        return ""
    return _OTHERS.get(letters) or why_not_money(kind, (), {})


def why_not_money(word: Any, spendable: Collection[str], others: Mapping[str, str]) -> str:
    """Why an account of this type cannot be paid from; empty where it can.

    `others` names what is known of types that are not among the `spendable` ones.
    """
    if isinstance(word, str) and word in spendable:
        return ""
    known = others.get(word) if isinstance(word, str) else None
    shown = "none" if word is None else shown_word(word)
    return known or f"its type is not known for money to pay with ({shown})"


def barred(
    kinds: Iterable[str], why: str, unusable: Unusable = Unusable.NOT_MONEY
) -> tuple[BalanceEntry, ...]:
    """The balances of an account that cannot be paid from, each with the reason.

    One stands for it where none is listed.
    """
    entries = [BalanceEntry(kind[:35], None, problem=why, unusable=unusable) for kind in kinds]
    return tuple(entries) or (BalanceEntry("", None, problem=why, unusable=unusable),)
