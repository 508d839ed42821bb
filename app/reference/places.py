"""Where a person is, as far as a country and a telephone number tell: zones and holidays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache, lru_cache, partial
from importlib.resources import files

import holidays
import phonenumbers
from phonenumbers import timezone

from app.domain.ids import Phone

_UNKNOWN = "Etc/Unknown"
# How phonenumbers calls the region of satellite and other worldwide numbers.
_NO_COUNTRY = "001"


def zones_of(phone: Phone | None, country: str | None) -> frozenset[str]:
    """All time zones that may be a person's, as IANA names; empty when nothing is known.

    A number of the person's own country narrows the country's zones down, as far as its prefix
    says anything. A number from abroad narrows nothing: he may be at home or there, so both
    count. `country` is ISO 3166 alpha-2.
    """
    at_home = country_zones(country or "")
    by_number = frozenset[str]() if phone is None else _number_zones(phone)
    return (at_home & by_number) or (at_home | by_number)


def country_of_number(phone: Phone) -> str | None:
    """The country that a number was given out in (ISO 3166 alpha-2), if that is one country."""
    try:
        parsed = phonenumbers.parse(phone.reveal())
    except phonenumbers.NumberParseException:
        return None
    found: str | None = phonenumbers.region_code_for_number(parsed)
    return None if found == _NO_COUNTRY else found


@lru_cache(maxsize=512)
def country_zones(country: str) -> frozenset[str]:
    """All time zones of a country (IANA zone.tab); empty for an unknown one."""
    return _zone_table().get(country.upper(), frozenset())


@lru_cache(maxsize=4096)
def holiday_dates(country: str, region: str | None, years: tuple[int, ...]) -> frozenset[date]:
    """The public holidays of a country, and of a region of it (ISO 3166-2 without the country).

    Without a region, or with one that has no calendar of its own, the national days alone.
    Empty for a country whose holidays nobody wrote down.
    """
    code = country.upper()
    if code not in _calendars():
        return frozenset()
    national = holidays.country_holidays(code, years=years)
    if region not in national.subdivisions:
        return frozenset(national)
    return frozenset(national) | frozenset(holidays.country_holidays(code, region, years=years))


@lru_cache(maxsize=512)
def weekend_of(country: str) -> frozenset[int]:
    """The days of the week on which a country rests; Monday is 0. Saturday and Sunday where
    nobody wrote it down.
    """
    code = country.upper()
    if code not in _calendars():
        return frozenset((5, 6))
    return frozenset(holidays.country_holidays(code).weekend)


def working_days(country: str, region: str | None) -> partial[bool]:
    """The calendar of a place, as plans ask for it: is a day one on which people work there?"""
    return partial(is_working_day, country, region)


def is_working_day(country: str, region: str | None, day: date) -> bool:
    """Neither a weekend nor a public holiday of the country, or of its region."""
    if day.weekday() in weekend_of(country):
        return False
    return day not in holiday_dates(country, region, (day.year,))


def _number_zones(phone: Phone) -> frozenset[str]:
    try:
        parsed = phonenumbers.parse(phone.reveal())
    except phonenumbers.NumberParseException:
        return frozenset()
    found: Iterable[str] = timezone.time_zones_for_number(parsed)
    return frozenset(_present_name(name) for name in found if name != _UNKNOWN)


def _present_name(zone: str) -> str:
    """The zone's name today: number tables still say Asia/Calcutta."""
    return zone if zone in _listed() else _links().get(zone, zone)


@cache
def _calendars() -> frozenset[str]:
    # The registry, since asking the library what it supports loads all 250 calendars.
    return frozenset(names[1] for names in holidays.registry.COUNTRIES.values())


@cache
def _listed() -> frozenset[str]:
    return frozenset[str]().union(*_zone_table().values())


@cache
def _zone_table() -> Mapping[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for line in files("tzdata.zoneinfo").joinpath("zone.tab").read_text().splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            table.setdefault(country, set()).add(zone)
    return {country: frozenset(zones) for country, zones in table.items()}


@cache
def _links() -> Mapping[str, str]:
    lines = files("tzdata.zoneinfo").joinpath("tzdata.zi").read_text().splitlines()
    links = (line.split() for line in lines if line.startswith("L "))
    return {alias: target for _, target, alias in links}
