"""Money: exact, never a float, and nothing is guessed from a string."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.money import KNOWN_CURRENCIES, Money, currency_digits

currencies = st.sampled_from(sorted(KNOWN_CURRENCIES))
minors = st.integers(min_value=-(10**15), max_value=10**15)
amounts = st.builds(Money, minors, currencies)


@given(amounts)
def test_plain_and_parse_are_each_others_inverse(amount: Money) -> None:
    assert Money.parse(amount.plain(), amount.currency) == amount


@given(amounts)
def test_plain_is_the_number_it_says(amount: Money) -> None:
    digits = currency_digits(amount.currency)
    assert Decimal(amount.plain()).scaleb(digits) == amount.minor
    assert ("." in amount.plain()) == (digits > 0)


@given(minors, currencies, st.lists(st.integers(0, 10**6), min_size=1, max_size=12).filter(any))
def test_split_adds_up_exactly_and_keeps_the_shares(
    minor: int, currency: str, weights: list[int]
) -> None:
    parts = Money(minor, currency).split(weights)
    assert len(parts) == len(weights)
    assert sum(part.minor for part in parts) == minor
    for part, weight in zip(parts, weights, strict=True):
        exact = Fraction(minor * weight, sum(weights))
        assert exact - 1 < part.minor < exact + 2
        assert weight or part.minor in (0, 1)


@given(st.integers(0, 10**12), st.integers(1, 10_000))
def test_a_share_rounds_up_and_by_less_than_one(minor: int, basis_points: int) -> None:
    share = Money(minor, "EUR").share(basis_points).minor
    exact = Decimal(minor) * basis_points / 10_000
    assert exact <= share < exact + 1


@given(minors, minors)
def test_sums_and_order_follow_the_numbers(one: int, other: int) -> None:
    a, b = Money(one, "EUR"), Money(other, "EUR")
    assert (a + b).minor == one + other
    assert (a - b) + b == a
    assert -a == Money.zero("EUR") - a
    assert (a < b, a <= b, a > b, a >= b) == (one < other, one <= other, one > other, one >= other)
    assert bool(a) == (one != 0)


@pytest.mark.parametrize(
    "text",
    [
        "1,234.56", "1.234,56", "12,50", "1 234", "NaN", "nan", "Infinity", "-Infinity", "inf",
        "1e3", "1E3", "0x10", "", " ", " 1", "1 ", "1\n", "--1", "+-1", "1.", ".5", "1.2.3",
        "١٢", "１２", "12.5０", "1_000", "12€", "9" * 19, "1.1234567",
    ],
)  # fmt: skip
def test_other_writings_are_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Money.parse(text, "EUR", field="balance")
    assert refusal.value.field == "balance"


@pytest.mark.parametrize("value", [None, 12, 12.5, Decimal(12), True, b"12", ["12"]])
def test_only_strings_are_read(value: object) -> None:
    with pytest.raises(Invalid):
        Money.parse(value, "EUR")  # type: ignore[arg-type]


@pytest.mark.parametrize("minor", [True, False, 1.0, "1", None, Decimal(1), 2**63, -(2**63)])
def test_minor_units_are_whole_numbers_that_can_be_stored(minor: object) -> None:
    with pytest.raises(Invalid):
        Money(minor, "EUR")  # type: ignore[arg-type]


def test_the_largest_amounts_are_kept() -> None:
    assert Money(2**63 - 1, "EUR").minor == 2**63 - 1
    assert Money(-(2**63 - 1), "EUR").plain() == "-92233720368547758.07"


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12", "EUR", 1200),
        ("12.3", "EUR", 1230),
        ("+12.30", "EUR", 1230),
        ("-0.01", "EUR", -1),
        ("-0", "EUR", 0),
        ("007.50", "EUR", 750),
        ("12.300000", "EUR", 1230),
        ("500", "JPY", 500),
        ("500.00", "JPY", 500),
        ("1.234", "KWD", 1234),
    ],
)
def test_decimal_strings_are_read(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency"), [("0.001", "EUR"), ("1.5", "JPY"), ("1.0001", "KWD")]
)
def test_amounts_finer_than_the_currency_are_refused(text: str, currency: str) -> None:
    with pytest.raises(Invalid, match="finer"):
        Money.parse(text, currency)


@pytest.mark.parametrize("currency", ["eur", "XXX", "", "EURO", "€"])
def test_unknown_currencies_are_refused(currency: str) -> None:
    with pytest.raises(Invalid):
        Money(1, currency)
    with pytest.raises(Invalid):
        Money.parse("1", currency)


def test_currencies_never_mix() -> None:
    euro, zloty = Money(1, "EUR"), Money(1, "PLN")
    for mix in (
        lambda: euro + zloty,
        lambda: euro - zloty,
        lambda: euro < zloty,
        lambda: euro <= zloty,
        lambda: euro > zloty,
        lambda: euro >= zloty,
    ):
        with pytest.raises(Invalid, match="cannot be mixed"):
            mix()
    assert euro != zloty


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [-1]])
def test_money_is_not_split_over_nothing(weights: list[int]) -> None:
    with pytest.raises(Invalid):
        Money(100, "EUR").split(weights)


def test_how_money_is_shown() -> None:
    assert str(Money(-5, "EUR")) == "-0.05 EUR"
    assert str(Money.zero("JPY")) == "0 JPY"
    assert Money(1230, "KWD").plain() == "1.230"
