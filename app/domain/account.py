"""By what a bank account is known: its IBAN, or in the UK its sort code and number.

A British IBAN holds the sort code and the number (the UK's entry in the IBAN registry: four letters
of the bank, six digits, eight digits), so that both names of an account meet in them. The way back
is closed: which four letters belong to a sort code is in no list that is free to use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from app.domain.errors import Invalid
from app.domain.ids import Iban


@dataclass(frozen=True, slots=True, repr=False)
class UkAccount:
    """A British account by sort code (six digits) and number (eight). Masked when shown."""

    sort_code: str
    number: str

    @classmethod
    def parse(cls, sort_code: str, number: str) -> UkAccount:
        """Accepts "20-00-00" and "20 00 00". Raises `Invalid` for `sort_code`, `account_number`."""
        return cls(
            _digits(sort_code, 6, "sort_code", "20-00-00"),
            _digits(number, 8, "account_number", "12345678"),
        )

    @classmethod
    def read(cls, text: str, *, field: str) -> UkAccount:
        """Both in one, such as "20-00-00 12345678". Raises `Invalid` naming `field`."""
        plain = re.sub(r"[\s-]", "", text)
        try:
            return cls.parse(plain[:6], plain[6:])
        except Invalid:
            raise Invalid(
                field,
                "is not a sort code and an account number.",
                mend='Write it like "20-00-00 12345678".',
            ) from None

    def reveal(self) -> str:
        """Both in one, fourteen digits."""
        return f"{self.sort_code}{self.number}"

    @property
    def masked(self) -> str:
        """The end of both, enough for its owner to recognise it."""
        return f"••-••-{self.sort_code[-2:]} ••••{self.number[-4:]}"

    def __repr__(self) -> str:
        return f"UkAccount({self.masked})"

    def __str__(self) -> str:
        return self.masked


BankAccount: TypeAlias = Iban | UkAccount


def as_uk_account(account: BankAccount) -> UkAccount | None:
    """By sort code and number, which a British IBAN contains; None for every other one."""
    if isinstance(account, UkAccount):
        return account
    found = re.fullmatch(r"GB\d{2}[A-Z]{4}(\d{6})(\d{8})", account.reveal())
    return UkAccount(found[1], found[2]) if found else None


def as_iban(account: BankAccount) -> Iban | None:
    """By its IBAN; None for a sort code, of which nobody can tell it."""
    return account if isinstance(account, Iban) else None


def canonical(account: BankAccount) -> BankAccount:
    """The one name of an account, by whichever it is called.

    Sort code and number for every British one, and the IBAN for all others. What is hashed, shown
    and compared is this.
    """
    return as_uk_account(account) or account


def _digits(text: str, length: int, field: str, example: str) -> str:
    plain = re.sub(r"[\s-]", "", text) if isinstance(text, str) else ""
    if not re.fullmatch(rf"\d{{{length}}}", plain, re.ASCII):
        raise Invalid(field, f"has {length} digits.", mend=f'Write it like "{example}".')
    return plain
