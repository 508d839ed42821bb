"""Amounts and times as people write them, and amounts as people type them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.money import Money
from app.reference import formats

NBSP = "\u00a0"
AT = datetime(2026, 11, 3, 13, 5, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")


@pytest.mark.parametrize(
    ("amount", "language", "text"),
    [
        (Money(4820, "EUR"), "es", f"48,20{NBSP}€"),
        (Money(4820, "EUR"), "en", "€48.20"),
        (Money(4820, "PLN"), "pl", f"48,20{NBSP}zł"),
        (Money(500, "JPY"), "en", "JP¥500"),
        (Money(-1, "EUR"), "en", "-€0.01"),
        (Money(9_007_199_254_740_993, "EUR"), "en", "€90,071,992,547,409.93"),
    ],
)
def test_money_is_written_as_at_home(amount: Money, language: str, text: str) -> None:
    assert formats.money(amount, language) == text


@pytest.mark.parametrize("language", ["", "xx", "not a language", "en"])
def test_an_unknown_language_gets_british_english(language: str) -> None:
    assert str(formats.locale_of(language)) == "en_GB"


def test_a_language_with_a_region_is_understood() -> None:
    assert str(formats.locale_of("es-MX")) == "es_MX"


def test_times_name_their_zone() -> None:
    assert formats.moment(AT, MADRID, "en") == "3 Nov 2026, 14:05 (Madrid)"
    assert formats.clock_time(AT, MADRID) == "14:05"
    assert formats.place(MADRID, "es") == "Madrid"


def test_days() -> None:
    day = date(2026, 11, 3)
    assert formats.day(day, "en") == "3 November 2026"
    assert formats.short_day(day, "en") == "3 Nov 2026"
    assert formats.weekday(day, "en") == "Tuesday 3 November"
    assert formats.day(day, "es") == "3 de noviembre de 2026"


@pytest.mark.parametrize(("currency", "sign"), [("EUR", "€"), ("PLN", "zł")])
def test_the_sign_beside_a_field(currency: str, sign: str) -> None:
    assert formats.currency_sign(currency, "pl") == sign


@pytest.mark.parametrize(
    ("gap", "words"),
    [(0, "just now"), (59, "just now"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"),
     (47 * 3600, "47 h"), (48 * 3600, "2 days")],
)  # fmt: skip
def test_how_long_ago(gap: int, words: str) -> None:
    assert formats.ago(timedelta(seconds=gap)) == words


@pytest.mark.parametrize(
    ("typed", "currency", "minor"),
    [
        ("12", "EUR", 1200),
        ("12,5", "EUR", 1250),
        ("12.50", "EUR", 1250),
        (" 12,50 € ", "EUR", 1250),
        ("€12.50", "EUR", 1250),
        ("12,50 zł", "PLN", 1250),
        ("1 234,50", "EUR", 123_450),
        ("12 EUR", "EUR", 1200),
        ("500", "JPY", 500),
    ],
)
def test_typed_amounts_are_read(typed: str, currency: str, minor: int) -> None:
    assert formats.read_amount(typed, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    "typed",
    ["", "€", "1.234", "1,234.50", "-5", "+5", "1e3", "NaN", "12,", ",5", "0x1", "１２", "12.505"],
)
def test_amounts_that_two_people_could_read_differently_are_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        formats.read_amount(typed, "EUR")


@given(st.integers(0, 10**10), st.sampled_from(["en", "es", "pl"]))
@settings(deadline=None, derandomize=True, database=None)
def test_what_is_shown_without_thousands_can_be_typed_back(minor: int, language: str) -> None:
    shown = formats.money(Money(minor % 100_000, "EUR"), language)
    assert formats.read_amount(shown, "EUR") == Money(minor % 100_000, "EUR")
