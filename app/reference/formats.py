"""Amounts, days and times as people in different countries write them (Unicode CLDR)."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, get_timezone_location
from babel.numbers import format_currency, get_currency_symbol

from app.domain.errors import Invalid
from app.domain.money import Money, currency_digits

_TYPED = re.compile(r"\d{1,9}(?:[.,]\d{1,3})?", re.ASCII)
# Space, no-break space, narrow no-break space: phones put them between amount and sign.
_SPACES = re.compile("[ \u00a0\u202f]")


@lru_cache(maxsize=64)
def locale_of(language: str) -> Locale:
    """The CLDR locale of a language tag such as "es"; British English when it is unknown."""
    if language == "en":
        return Locale.parse("en_GB")
    try:
        return Locale.parse(language.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en_GB")


def money(amount: Money, language: str) -> str:
    """The amount with its sign: "€48.20", "48,20 €", "48,20 zł"."""
    number = Decimal(amount.minor).scaleb(-currency_digits(amount.currency))
    return str(format_currency(number, amount.currency, locale=locale_of(language)))


def currency_sign(currency: str, language: str) -> str:
    """What stands beside a field for an amount: "€", "zł"."""
    return str(get_currency_symbol(currency, locale=locale_of(language)))


def day(on: date, language: str) -> str:
    """A calendar day in full: "3 November 2026"."""
    return str(format_date(on, "long", locale=locale_of(language)))


def short_day(on: date, language: str) -> str:
    """A calendar day for tables: "3 Nov 2026"."""
    return str(format_date(on, "medium", locale=locale_of(language)))


def language_name(code: str, language: str) -> str:
    """What a language is called: "Polish"; the code itself where CLDR knows none."""
    try:
        name = Locale.parse(code).get_language_name(locale_of(language).language)
    except (UnknownLocaleError, ValueError):
        name = None
    return code if name is None else str(name)


def near_day(on: date, today: date, language: str) -> str:
    """A calendar day without its year while that is the present one: "3 Nov"."""
    form = "d MMM" if on.year == today.year else "d MMM y"
    return str(format_date(on, form, locale=locale_of(language)))


def weekday(on: date, language: str) -> str:
    """A calendar day as a heading: "Tuesday 3 November"."""
    return str(format_date(on, "EEEE d MMMM", locale=locale_of(language)))


def moment(at: datetime, zone: ZoneInfo, language: str) -> str:
    """A point in time with its zone: "3 Nov 2026, 14:05 (Madrid)"."""
    text = format_datetime(
        at.astimezone(zone), "d MMM y, HH:mm", tzinfo=zone, locale=locale_of(language)
    )
    return f"{text} ({place(zone, language)})"


def clock_time(at: datetime, zone: ZoneInfo) -> str:
    """Hours and minutes on the wall in that zone."""
    return at.astimezone(zone).strftime("%H:%M")


def near_time(at: datetime, now: datetime, zone: ZoneInfo, language: str) -> str:
    """The time of day; with its day in front when that is not today: "2 Mar, 14:05"."""
    on, today = at.astimezone(zone).date(), now.astimezone(zone).date()
    time = clock_time(at, zone)
    return time if on == today else f"{near_day(on, today, language)}, {time}"


def place(zone: ZoneInfo, language: str) -> str:
    """The town a zone is named after, in the reader's language."""
    return str(get_timezone_location(zone, locale=locale_of(language), return_city=True))


def phone_in_words(number: str) -> str:
    """An E.164 number with the spaces of its country: "+34 910 00 00 00"."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL))


def plain_amount(amount: Money, language: str) -> str:
    """The bare number for an input field, with the comma or point of the language."""
    text = amount.plain()
    return text if language == "en" else text.replace(".", ",")


def ago(gap: timedelta) -> str:
    """How long ago, for the desk: "just now", "14 min", "3 h", "2 days"."""
    seconds = gap.total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    if seconds < 48 * 3600:
        return f"{int(seconds // 3600)} h"
    return f"{int(seconds // 86_400)} days"


def read_amount(typed: str, currency: str) -> Money:
    """What a person typed into an amount field: "12", "12,50", "12.50", "12,5 €".

    Raises `Invalid` for anything that two people could read differently, such as "1.234": an
    amount is never guessed.
    """
    bare = _SPACES.sub("", typed.strip()).removesuffix(currency)
    for sign in ("€", "zł", "£", "$"):
        bare = bare.removeprefix(sign).removesuffix(sign)
    digits = currency_digits(currency)
    if not _TYPED.fullmatch(bare):
        raise Invalid("amount", "could not be read.", mend="Write it like 12.50.")
    whole, _, fraction = bare.replace(",", ".").partition(".")
    if len(fraction) > digits:
        raise Invalid("amount", "could not be read.", mend="Write it like 12.50.")
    return Money(int(whole) * 10**digits + int(fraction.ljust(digits, "0") or 0), currency)
