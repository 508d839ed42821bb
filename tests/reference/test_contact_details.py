"""Numbers, countries and addresses as lenders' files have them."""

from __future__ import annotations

import pytest

from app.domain.errors import Invalid
from app.reference.contact_details import country_code, email_address, phone_in


@pytest.mark.parametrize(
    ("typed", "code"),
    [("ES", "ES"), ("es", "ES"), ("Spain", "ES"), ("España", "ES"), ("HISZPANIA", "ES"),
     ("Polska", "PL"), ("United Kingdom", "GB")],
)  # fmt: skip
def test_countries(typed: str, code: str) -> None:
    assert country_code(typed) == code


@pytest.mark.parametrize("typed", ["XX", "E", "Narnia", "Georgia, USA", "UK"])
def test_no_countries(typed: str) -> None:
    with pytest.raises(Invalid, match="is not known"):
        country_code(typed)


@pytest.mark.parametrize(
    ("typed", "country", "number"),
    [
        ("612 34 56 78", "ES", "+34612345678"),
        ("+34 612-345-678", "PL", "+34612345678"),
        ("0034612345678", "ES", "+34612345678"),
        ("34612345678", "ES", "+34612345678"),
        ("501 234 567", "PL", "+48501234567"),
        ("07400 123456", "GB", "+447400123456"),
    ],
)
def test_numbers_in_one_form(typed: str, country: str, number: str) -> None:
    assert phone_in(typed, country).reveal() == number


@pytest.mark.parametrize("typed", ["12", "none", "+34", "612345678 / 612345679"])
def test_no_numbers_of_spain(typed: str) -> None:
    with pytest.raises(Invalid):
        phone_in(typed, "ES")


def test_addresses() -> None:
    assert email_address(" Ana.Nunez@SOL.Example ") == "Ana.Nunez@sol.example"
    for wrong in ("ana", "ana@", "@sol.example", "ana@sol", "a b@sol.example", "ana@sol..example"):
        with pytest.raises(Invalid):
            email_address(wrong)
