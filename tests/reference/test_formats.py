"""Amounts, days and numbers as people write and read them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.money import Money
from app.reference import formats

MADRID = ZoneInfo("Europe/Madrid")


@pytest.mark.parametrize(
    ("language", "shown"),
    [("en", "€1,234.56"), ("es", "1.234,56 €"), ("pl", "1 234,56 €"), ("xx", "€1,234.56")],
)
def test_amounts_as_each_language_writes_them(language: str, shown: str) -> None:
    assert formats.money(Money(123_456, "EUR"), language).replace("\u00a0", " ") == shown


@pytest.mark.parametrize(
    ("typed", "minor"),
    [
        ("12", 1200),
        ("12,5", 1250),
        ("12.50", 1250),
        (" 12,50 € ", 1250),
        ("€12.50", 1250),
        ("12,50\u00a0€", 1250),
        ("12.50 EUR", 1250),
        ("0", 0),
    ],
)
def test_amounts_as_people_type_them(typed: str, minor: int) -> None:
    assert formats.read_amount(typed, "EUR") == Money(minor, "EUR")


@pytest.mark.parametrize(
    "typed",
    ["", "1.234", "1,234", "1.234,56", "1,234.56", "-5", "+5", "12,345", "1e3", "٣", "12.."],
)
def test_what_two_people_could_read_differently_is_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        formats.read_amount(typed, "EUR")


@given(
    minor=st.integers(0, 99_999_999_999),
    currency=st.sampled_from(["EUR", "PLN", "JPY"]),
    language=st.sampled_from(["en", "es", "pl"]),
)
def test_what_we_write_into_a_field_is_read_back_unchanged(
    minor: int, currency: str, language: str
) -> None:
    amount = Money(minor, currency)
    if len(amount.plain().partition(".")[0]) > 9:
        return
    assert formats.read_amount(formats.plain_amount(amount, language), currency) == amount


def test_days_and_times_name_their_zone_and_leave_out_this_year() -> None:
    at = datetime(2026, 3, 3, 9, 5, tzinfo=UTC)
    assert formats.moment(at, MADRID, "en") == "3 Mar 2026, 10:05 (Madrid)"
    assert formats.moment(at, MADRID, "pl") == "3 mar 2026, 10:05 (Madryt)"
    assert formats.clock_time(at, MADRID) == "10:05"
    assert formats.near_day(date(2026, 11, 3), date(2026, 12, 1), "en") == "3 Nov"
    assert formats.near_day(date(2025, 11, 3), date(2026, 1, 1), "en") == "3 Nov 2025"
    assert formats.day(date(2026, 11, 3), "es") == "3 de noviembre de 2026"


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=14), "14 min"),
        (timedelta(hours=3, minutes=59), "3 h"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=2), "2 days"),
    ],
)
def test_how_long_ago(gap: timedelta, said: str) -> None:
    assert formats.ago(gap) == said


def test_telephone_numbers_are_spaced_as_at_home() -> None:
    assert formats.phone_in_words("+34910000000") == "+34 910 00 00 00"
    assert formats.phone_in_words("nonsense") == "nonsense"
