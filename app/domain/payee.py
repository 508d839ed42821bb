"""Where a lender is paid, currency by currency, and whether a provider can pay there at all.

Providers differ in the currencies they move, and in whether they want an account named by its IBAN
or by sort code and number: what they do not say they can, they cannot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.domain.account import BankAccount, UkAccount, as_iban, as_uk_account, canonical
from app.domain.errors import Invalid
from app.domain.ids import Iban

EUR: Final = "EUR"
GBP: Final = "GBP"
PLN: Final = "PLN"
FASTER_PAYMENTS_REFERENCE: Final = 18
"""How many letters and digits of a reference Faster Payments carries."""

_NRB = re.compile(r"\d{26}", re.ASCII)


class AccountForm(StrEnum):
    """How an order names the account that is paid."""

    IBAN = "iban"
    SORT_CODE = "sort_code"


@dataclass(frozen=True, slots=True)
class Carried:
    """A currency (ISO 4217) that a provider moves, and how it wants the account named for it.

    `only`: the one account it can go to, where an order does not say whom is paid.
    """

    currency: str
    form: AccountForm = AccountForm.IBAN
    only: BankAccount | None = None


IN_EUR: Final = (Carried(EUR),)


class Unpayable(StrEnum):
    """Why nobody can pay a loan through this lender's provider.

    no_account: the lender has not said where this currency is paid to. no_provider: none is set
    up. not_carried: the provider does not move it. wrong_form: it moves it, and wants the account
    named in the other way. elsewhere: it moves it to another account.
    """

    NO_ACCOUNT = "no_account"
    NO_PROVIDER = "no_provider"
    NOT_CARRIED = "not_carried"
    WRONG_FORM = "wrong_form"
    ELSEWHERE = "elsewhere"


def parse_payee(
    currency: str, *, iban: str = "", sort_code: str = "", account_number: str = ""
) -> BankAccount:
    """The account for one currency, as somebody typed it.

    Pounds go to a sort code and number, or to an IBAN; zloty to a Polish IBAN that may lack its
    "PL"; everything else to an IBAN. Raises `Invalid` naming the field.
    """
    if sort_code or account_number:
        if currency != GBP:
            raise Invalid(
                "sort_code",
                f"is for GBP; {currency} is paid to an IBAN.",
                mend="Give the IBAN instead.",
            )
        if iban:
            raise Invalid("iban", "says the same as a sort code.", mend="Give one of them.")
        return UkAccount.parse(sort_code, account_number)
    if not iban:
        mend = "A sort code and an account number do, too." if currency == GBP else ""
        raise Invalid("iban", "is missing.", mend=mend)
    plain = re.sub(r"[\s-]", "", iban)
    if currency == PLN and _NRB.fullmatch(plain):
        plain = f"PL{plain}"
    found = Iban.parse(plain, field="iban")
    if currency == PLN and found.country != "PL":
        raise Invalid("iban", "is not a Polish one.", mend="Zloty are paid within Poland.")
    return found


def named_as(account: BankAccount, form: AccountForm) -> bool:
    """Can the account be named in this way?"""
    named = as_iban(account) if form is AccountForm.IBAN else as_uk_account(account)
    return named is not None


def carries(moved: Iterable[Carried], currency: str, account: BankAccount) -> bool:
    """Can this account be paid in this currency from a bank that moves these?"""
    return any(
        one.currency == currency
        and named_as(account, one.form)
        and (one.only is None or canonical(one.only) == canonical(account))
        for one in moved
    )


def why_unpayable(
    currency: str, account: BankAccount | None, banks: Iterable[Iterable[Carried]] | None
) -> Unpayable | None:
    """Why nobody can pay it; None: from one of the banks at least he can.

    `banks` is what each bank of the provider moves; None: no provider is set up.
    """
    if account is None:
        return Unpayable.NO_ACCOUNT
    if banks is None:
        return Unpayable.NO_PROVIDER
    moved = [one for each in banks for one in each if one.currency == currency]
    if carries(moved, currency, account):
        return None
    if not moved:
        return Unpayable.NOT_CARRIED
    named = any(named_as(account, one.form) for one in moved)
    return Unpayable.ELSEWHERE if named else Unpayable.WRONG_FORM


def unpayable_words(why: Unpayable, currency: str) -> str:
    """One sentence for the person who has to go on by himself."""
    match why:
        case Unpayable.NO_ACCOUNT:
            return f"No account is set that {currency} could be paid to."
        case Unpayable.NO_PROVIDER:
            return "No payment provider is set up."
        case Unpayable.NOT_CARRIED:
            return f"The payment provider makes no payments in {currency}."
        case Unpayable.WRONG_FORM:
            return f"The payment provider wants the account for {currency} named in another way."
        case Unpayable.ELSEWHERE:
            return f"The payment provider pays {currency} out to another account than the set one."
