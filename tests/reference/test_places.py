"""Zones and holidays: what a country and a number tell, and what they do not."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from app.domain.ids import Phone
from app.reference.places import country_zones, holiday_dates, zones_of


@pytest.mark.parametrize(
    ("number", "country", "zones"),
    [
        # A number of the country narrows it down, a mobile number only as far as it can.
        ("+34928123456", "ES", {"Atlantic/Canary"}),
        ("+34911234567", "ES", {"Europe/Madrid"}),
        ("+34612345678", "ES", {"Europe/Madrid", "Atlantic/Canary"}),
        ("+12125551234", "US", {"America/New_York"}),
        ("+48601234567", "PL", {"Europe/Warsaw"}),
        # Number tables say Asia/Calcutta.
        ("+919876543210", "IN", {"Asia/Kolkata"}),
        ("+919876543210", None, {"Asia/Kolkata"}),
        # A number from abroad: he may be at home or there.
        ("+48601234567", "DE", {"Europe/Warsaw", "Europe/Berlin", "Europe/Busingen"}),
        # A number that says nothing leaves the country's zones.
        ("+447700900123", "GB", {"Europe/London"}),
        ("+882161234567", "pl", {"Europe/Warsaw"}),
        (None, "ES", {"Europe/Madrid", "Atlantic/Canary", "Africa/Ceuta"}),
        # Nothing known is nothing, not a guess.
        ("+882161234567", None, set()),
        (None, None, set()),
        (None, "XX", set()),
        ("+999123456789", None, set()),
    ],
)
def test_all_zones_that_may_be_his(
    number: str | None, country: str | None, zones: set[str]
) -> None:
    phone = None if number is None else Phone.parse(number)
    assert zones_of(phone, country) == zones


@pytest.mark.parametrize("country", ["ES", "PL", "DE", "GB", "US", "MX", "CO", "AU", "IN", "BR"])
def test_every_zone_of_a_country_can_be_loaded(country: str) -> None:
    zones = country_zones(country)
    assert zones
    for zone in zones:
        assert ZoneInfo(zone).key == zone


def test_national_holidays_of_several_years() -> None:
    days = holiday_dates("es", None, (2026, 2027))
    assert {date(2026, 12, 25), date(2027, 1, 1)} <= days
    assert date(2026, 5, 2) not in days
    assert {day.year for day in days} == {2026, 2027}


def test_a_region_adds_its_own() -> None:
    madrid = holiday_dates("ES", "MD", (2026,))
    assert date(2026, 5, 2) in madrid
    assert madrid > holiday_dates("ES", None, (2026,))


@pytest.mark.parametrize("region", ["ZZ", "", "Madrid"])
def test_a_region_without_a_calendar_leaves_the_national_days(region: str) -> None:
    assert holiday_dates("ES", region, (2026,)) == holiday_dates("ES", None, (2026,))


def test_a_country_without_a_calendar_has_no_holidays() -> None:
    assert holiday_dates("XX", None, (2026,)) == frozenset()


@pytest.mark.parametrize(
    ("country", "day"),
    [("PL", date(2026, 11, 11)), ("DE", date(2026, 10, 3)), ("GB", date(2026, 12, 28)),
     ("US", date(2026, 11, 26)), ("MX", date(2026, 9, 16)), ("CO", date(2026, 11, 2)),
     ("AU", date(2026, 1, 26)), ("IN", date(2026, 1, 26))],
)  # fmt: skip
def test_every_market_has_a_calendar(country: str, day: date) -> None:
    assert day in holiday_dates(country, None, (2026,))
