"""What a lender notes of somebody who works tasks: what he can do, when, and how much."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

from app.domain.assignment import Rules, Skills, WorkKind
from app.domain.errors import Invalid
from app.domain.money import Money
from app.domain.open_hours import Weekly, Window, zone_of

USUAL_CAP: Final = 30
MOST_CAP: Final = 500
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LONGEST_LEAVE: Final = timedelta(days=400)

_LIKE: Final = 'Write them like "09:00-13:00, 15:00-18:00".'
_MOST_NAMES: Final = 50
_LONGEST_NAME: Final = 100
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Profile:
    """One person's skills, hours by the clock of his zone, and most tasks at a time."""

    skills: Skills
    time_zone: str
    hours: Weekly
    cap: int


def make_profile(
    *,
    languages: Iterable[str],
    products: Iterable[str],
    kinds: Iterable[str],
    large: bool,
    time_zone: str,
    hours: Sequence[str],
    cap: int,
) -> Profile:
    """A profile from what somebody typed. Raises `Invalid` naming the field."""
    skills = Skills(read_languages(languages), read_names(products), read_kinds(kinds), large)
    zone_of(time_zone)
    if not 1 <= cap <= MOST_CAP:
        raise Invalid("cap", f"is from 1 to {MOST_CAP} tasks.")
    return Profile(skills, time_zone, read_hours(hours), cap)


def make_rules(
    *,
    languages: Iterable[str],
    products: Iterable[str],
    kinds: Iterable[str],
    large_from: Iterable[Money],
) -> Rules:
    """The lender's rules from what somebody typed. Raises `Invalid` naming the field."""
    bounds = tuple(sorted(large_from, key=lambda one: one.currency))
    if len({one.currency for one in bounds}) != len(bounds):
        raise Invalid("large_from", "names a currency twice.", mend="Write one amount for each.")
    if any(one.minor <= 0 for one in bounds):
        raise Invalid("large_from", "must be above zero.")
    return Rules(read_languages(languages), read_names(products), read_kinds(kinds), bounds)


def read_languages(typed: Iterable[str]) -> frozenset[str]:
    """ISO 639-1 codes, whatever their case. Raises `Invalid`."""
    found = frozenset(one.strip().lower() for one in typed if one.strip())
    for one in sorted(found):
        if not _LANGUAGE.fullmatch(one):
            raise Invalid(
                "languages", f"{one[:20]!r} is no code.", mend='Write them like "pl, es".'
            )
    return _few(found, "languages")


def read_names(typed: Iterable[str]) -> frozenset[str]:
    """Products as the lender's loans name them. Raises `Invalid`."""
    found = frozenset(one.strip() for one in typed if one.strip())
    if any(len(one) > _LONGEST_NAME for one in found):
        raise Invalid("products", f"must have names of at most {_LONGEST_NAME} characters.")
    return _few(found, "products")


def read_kinds(typed: Iterable[str]) -> frozenset[WorkKind]:
    """Kinds of work. Raises `Invalid`."""
    known = {one.value for one in WorkKind}
    found = frozenset(typed)
    if not found <= known:
        raise Invalid("kinds", "is not one of these.", mend="Choose from the list.")
    return frozenset(WorkKind(one) for one in found)


def _few(found: frozenset[str], field: str) -> frozenset[str]:
    if len(found) > _MOST_NAMES:
        raise Invalid(field, f"must be at most {_MOST_NAMES}.")
    return found


def read_hours(days: Sequence[str]) -> Weekly:
    """Windows of Monday to Sunday, each day like "09:00-13:00, 15:00-18:00", empty for a free one.

    Raises `Invalid` for windows that overlap or cannot be read, and for a week without any: nobody
    would ever be there.
    """
    if len(days) != len(DAYS):
        raise Invalid("hours", "must be those of seven days.")
    week = tuple(_windows(name, typed) for name, typed in zip(DAYS, days, strict=True))
    if not any(week):
        raise Invalid("hours", "are missing.", mend='Write at least one day, like "09:00-17:00".')
    return week


def _windows(day: str, typed: str) -> tuple[Window, ...]:
    try:
        found = sorted(
            Window.parse(part) for part in typed.replace("–", "-").split(",") if part.strip()
        )
    except ValueError as error:
        raise Invalid("hours", f"of {day} cannot be read.", mend=_LIKE) from error
    if any(later.start < earlier.end for earlier, later in pairwise(found)):
        raise Invalid("hours", f"of {day} overlap.", mend=_LIKE)
    return tuple(found)


def hours_text(windows: Iterable[Window]) -> str:
    """One day's windows as `read_hours` reads them again."""
    return ", ".join(str(one).replace("–", "-") for one in windows)


def check_leave(starts_on: date | None, until_on: date | None, today: date) -> tuple[date, date]:
    """The first and the last day of a leave. Raises `Invalid`."""
    if starts_on is None:
        raise Invalid("starts_on", "is missing.", mend="Say on which day it begins.")
    if until_on is None:
        raise Invalid("until_on", "is missing.", mend="Say which day is the last one.")
    if until_on < today:
        raise Invalid("until_on", "has passed.", mend="Choose today or a later day.")
    if until_on < starts_on:
        raise Invalid("until_on", "must not come before the first day.")
    if until_on - starts_on > LONGEST_LEAVE:
        raise Invalid("until_on", f"must be at most {LONGEST_LEAVE.days} days after the first.")
    return starts_on, until_on
