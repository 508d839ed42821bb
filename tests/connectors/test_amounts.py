"""How amounts are read at every provider: in the one way they can be meant, or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import connectors
from app.domain.money import Money
from connectors._amounts import money_of, number_of, stated_currency, text_of
from tests.connectors.answers import judged


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("10.00000000", "EUR", 1_000),
        ("10." + "0" * 40, "EUR", 1_000),
        ("10.10000000", "EUR", 1_010),
        ("1000.00000000", "JPY", 1_000),
        (" 5.00 ", "EUR", 500),
        ("\u00a05.00\n", "EUR", 500),
        ("-5.00", "eur", -500),
        ("5", " Eur ", 500),
    ],
)
def test_what_can_be_meant_in_one_way_only_is_read(text: str, currency: str, minor: int) -> None:
    assert text_of(text, currency) == Money(minor, currency.strip().upper())


@pytest.mark.parametrize(
    "text",
    ["", " ", ".50", "5.", "5,00", "1.234,56", "1,234.56", "1 234.56", "1E3", "- 5.00", "5.00-",
     "\u22125.00", "\u0661\u0662.00", "10.005", "10.00500000", "10.000000001", "NaN", "0x10",
     "5.00.00", "9" * 30],
)  # fmt: skip
def test_what_could_be_meant_otherwise_is_not(text: str) -> None:
    assert isinstance(text_of(text, "EUR"), str)


@pytest.mark.parametrize(
    ("number", "minor"),
    [
        (12.5, 1_250),
        (5, 500),
        (0, 0),
        (-0.0, 0),
        (110.94999999999999, 11_095),
        (0.30000000000000004, 30),
        (5.551115123125783e-17, 0),  # 0.1 + 0.2 - 0.3
        (-1195.3900000000001, -119_539),
        (1e15, 10**17),
    ],
)
def test_a_number_is_the_minor_unit_next_to_it(number: float, minor: int) -> None:
    assert number_of(number, "EUR") == Money(minor, "EUR")
    assert money_of({"amount": number, "currency": "EUR"}) == Money(minor, "EUR")


@pytest.mark.parametrize(
    "number",
    [10.005, 0.001, 0.3000001, True, None, "5.00", [], {}, 1e17, 1e18, 1e30, 10**18, 10**400,
     json.loads("NaN"), json.loads("Infinity"), json.loads("-1e999")],
)  # fmt: skip
def test_any_other_is_none(number: Any) -> None:
    assert isinstance(number_of(number, "EUR"), str)


@given(st.integers(-(10**13), 10**13), st.integers(1, 9))
def test_what_a_program_made_of_cents_is_those_cents(cents: int, parts: int) -> None:
    assert number_of(cents / 100, "EUR") == Money(cents, "EUR")
    # The noise of a division and a sum stays below a thousandth of a cent in amounts of people.
    small = cents % 10**9
    assert number_of(sum([small / 100 / parts] * parts), "EUR") == Money(small, "EUR")


@pytest.mark.parametrize("code", ["", "EURO", "E R", "€", None, 978, "BTC", "eu"])
def test_a_currency_that_is_none(code: Any) -> None:
    assert len(stated_currency(code)) in (0, 3)
    assert isinstance(number_of(5, code), str)


def said(connector: str, amount: Any, currency: str) -> Any:
    stated = {"amount": amount, "currency": currency}
    return {
        "berlin_group": {"balances": [{"balanceType": "interimBooked", "balanceAmount": stated}]},
        "enable_banking": {"balances": [{"balance_type": "ITBD", "balance_amount": stated}]},
        "truelayer": {"results": [{"current": amount, "currency": currency}]},
        "plaid": {"balances": {"current": amount, "iso_currency_code": currency}},
    }[connector]


@pytest.mark.parametrize("connector", ["berlin_group", "enable_banking", "truelayer", "plaid"])
@pytest.mark.parametrize("currency", ["EUR", "eur", " EUR"])
def test_all_providers_are_read_by_one_rule(connector: str, currency: str) -> None:
    read = connectors.discover()[connector].parse_balances
    assert read is not None
    (answer,) = read(said(connector, 110.94999999999999, currency))
    assert judged(answer).amount == Money(11_095, "EUR")
    (answer,) = read(said(connector, "110.95", currency))
    assert judged(answer).amount == Money(11_095, "EUR")
    (answer,) = read(said(connector, 110.945, currency))
    assert judged(answer).amount is None
