"""The bank behind an account number."""

from __future__ import annotations

import pytest

from app.domain.ids import Iban
from app.reference.banks import bank_name


def iban(country: str, account: str) -> Iban:
    """An IBAN with the right check digits round any account."""
    digits = "".join(str(int(char, 36)) for char in f"{account}{country}00")
    return Iban.parse(f"{country}{98 - int(digits) % 97:02d}{account}")


@pytest.mark.parametrize(
    ("number", "word"),
    [
        ("ES9121000418450200051332", "caixabank"),
        ("DE89370400440532013000", "commerzbank"),
        ("GB29NWBK60161331926819", "national westminster"),
    ],
)
def test_known_banks_have_their_name(number: str, word: str) -> None:
    assert word in (bank_name(Iban.parse(number)) or "").lower()


@pytest.mark.parametrize(
    "unknown",
    [
        iban("XX", "123456789012345"),
        iban("ES", "99999999999999999999"),
        iban("ES", "1234567890123456"),
        iban("ES", "A" * 20),
    ],
)
def test_an_unknown_bank_has_no_name(unknown: Iban) -> None:
    assert bank_name(unknown) is None
