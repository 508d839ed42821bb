"""What a read is worth follows from its price and from what is due."""

from __future__ import annotations

import pytest

from app.domain.errors import Invalid
from app.domain.money import Money
from app.domain.read_price import DEAREST_DAYS, STANDARD_PRICES, ReadPrices


def test_the_more_is_due_the_less_delay_a_read_is_worth() -> None:
    prices = ReadPrices.parse("EUR 0.05, JPY 8", daily_bp=100)
    assert prices.days(Money(10_000, "EUR")) == pytest.approx(0.05)
    assert prices.days(Money(100_000, "EUR")) == pytest.approx(0.005)
    assert prices.days(Money(16_000, "JPY")) == pytest.approx(0.05)
    assert ReadPrices.parse("EUR 0.005", 100).days(Money(1_000, "EUR")) == pytest.approx(0.05)


def test_a_read_that_costs_more_than_is_due_is_the_dearest_and_none_is_for_nothing() -> None:
    prices = ReadPrices.parse("EUR 2, GBP 0", daily_bp=100)
    assert prices.days(Money(150, "EUR")) == DEAREST_DAYS
    assert prices.days(Money(0, "EUR")) == DEAREST_DAYS
    assert 0 < prices.days(Money(10_000, "GBP")) < 0.001


def test_a_currency_without_a_price_has_the_worth_that_is_set_for_it() -> None:
    assert ReadPrices.parse("EUR 0.05", 50, 0.3).days(Money(10_000, "CZK")) == 0.3
    assert ReadPrices.parse("", 50, 0.3).days(Money(10_000, "EUR")) == 0.3
    assert STANDARD_PRICES.days(Money(10_000, "EUR")) == pytest.approx(0.1)


@pytest.mark.parametrize(
    "text", ["0.05", "EUR", "EUR -1", "EUR 1,5", "EUR 0.05, EUR 0.06", "XXX 1", "EUR 1e3", "EUR ²"]
)
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="read_costs: "):
        ReadPrices.parse(text)
