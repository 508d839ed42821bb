"""The rhythms in which income comes, as phases of the calendar.

A rhythm gives each day the phases that it stands for: the day of the month, the weekday, the
place in a fortnight, the working days left of a month, the days since the last income. A day may
stand for several (Monday for a payday that fell on Sunday, the 28th of February for the 31st) or
for none (a Sunday, where income comes on working days only). Learning counts by phase;
forecasting looks the phases of a coming day up. Public holidays are handed in; without any only
weekends are off.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

Phases: TypeAlias = tuple[int, ...]
DaysOff: TypeAlias = frozenset[date]

LONGEST_GAP = 60
"""Days since the last income from which on all count as the same."""

_ONE_DAY = timedelta(days=1)
_FRIDAY = 4


class Rhythm(StrEnum):
    """How income recurs. The order is that of `phases_on` and of a profile's counts."""

    MONTH_DAY = "month_day"
    """On a day of the month, weekend or not."""
    DAY_BEFORE = "day_before"
    """On a day of the month, or on the last working day before it."""
    DAY_AFTER = "day_after"
    """On a day of the month, or on the first working day after it."""
    MONTH_END = "month_end"
    """So many working days before the end of the month."""
    WEEKDAY = "weekday"
    FORTNIGHT = "fortnight"
    GAP = "gap"
    """So many days after the last one."""
    ANY_DAY = "any_day"
    """At no time in particular."""


SIZES = {
    Rhythm.MONTH_DAY: 31,
    Rhythm.DAY_BEFORE: 31,
    Rhythm.DAY_AFTER: 31,
    Rhythm.MONTH_END: 23,
    Rhythm.WEEKDAY: 7,
    Rhythm.FORTNIGHT: 14,
    Rhythm.GAP: LONGEST_GAP + 1,
    Rhythm.ANY_DAY: 1,
}
"""How many phases each rhythm has."""

RHYTHMS = tuple(Rhythm)
CIRCULAR = frozenset(
    {Rhythm.MONTH_DAY, Rhythm.DAY_BEFORE, Rhythm.DAY_AFTER, Rhythm.WEEKDAY, Rhythm.FORTNIGHT}
)
"""Rhythms whose last phase is followed by the first."""
BY_MONTH = frozenset({Rhythm.MONTH_DAY, Rhythm.DAY_BEFORE, Rhythm.DAY_AFTER})
"""Rhythms whose phase is a day of the month, 0 for the first."""


@dataclass(frozen=True, slots=True)
class Guess:
    """One rhythm kept to within `spread` days: what an income may turn out to follow.

    `first` is how much it weighs, against the others, before anything was seen.
    """

    rhythm: Rhythm
    spread: int
    first: float = 1.0


# They fit a young account's few incomes too easily, and foretell too much of it.
_RARE = 0.1

GUESSES = (
    Guess(Rhythm.MONTH_DAY, 0),
    Guess(Rhythm.MONTH_DAY, 1),
    Guess(Rhythm.MONTH_DAY, 2),
    Guess(Rhythm.MONTH_DAY, 4),
    Guess(Rhythm.DAY_BEFORE, 0),
    Guess(Rhythm.DAY_BEFORE, 1),
    Guess(Rhythm.DAY_AFTER, 0),
    Guess(Rhythm.DAY_AFTER, 1),
    Guess(Rhythm.DAY_AFTER, 2),
    Guess(Rhythm.MONTH_END, 0),
    Guess(Rhythm.MONTH_END, 1, _RARE),
    Guess(Rhythm.WEEKDAY, 0),
    Guess(Rhythm.WEEKDAY, 1, _RARE),
    Guess(Rhythm.FORTNIGHT, 0),
    Guess(Rhythm.FORTNIGHT, 1, _RARE),
    Guess(Rhythm.FORTNIGHT, 2, _RARE),
    Guess(Rhythm.GAP, 1),
    Guess(Rhythm.ANY_DAY, 0),
)
"""All guesses, weighed against each other by what they foretold."""


def kernel(spread: int) -> tuple[float, ...]:
    """How one income at a phase tells of the phases round it: a triangle that sums to one."""
    weights = [spread + 1 - abs(offset) for offset in range(-spread, spread + 1)]
    return tuple(weight / sum(weights) for weight in weights)


def is_working(day: date, days_off: DaysOff) -> bool:
    """Whether banks book on this day."""
    return day.weekday() <= _FRIDAY and day not in days_off


@lru_cache(maxsize=8192)
def phases_on(day: date, days_off: DaysOff) -> tuple[Phases, ...]:
    """The phases of a day for every rhythm up to FORTNIGHT, in the order of `RHYTHMS`.

    GAP and ANY_DAY depend on no calendar and are left to the caller.
    """
    working = is_working(day, days_off)
    before = _month_days(day, _off_after(day, days_off)) if working else ()
    after = _month_days(day, _off_before(day, days_off)) if working else ()
    return (
        _month_days(day, ()),
        before,
        after,
        (_working_days_left(day, days_off),) if working else (),
        (day.weekday(),),
        (day.toordinal() % SIZES[Rhythm.FORTNIGHT],),
    )


def _month_days(day: date, others: tuple[date, ...]) -> Phases:
    """Days of the month, from 0; the last day of a short month stands for the missing ones."""
    found: list[int] = []
    for one in (day, *others):
        last = one.day == monthrange(one.year, one.month)[1]
        found += range(one.day - 1, 31) if last else (one.day - 1,)
    return tuple(dict.fromkeys(found))


def _off_after(day: date, days_off: DaysOff) -> tuple[date, ...]:
    return tuple(_off_run(day, _ONE_DAY, days_off))


def _off_before(day: date, days_off: DaysOff) -> tuple[date, ...]:
    return tuple(_off_run(day, -_ONE_DAY, days_off))


def _off_run(day: date, step: timedelta, days_off: DaysOff) -> Iterator[date]:
    """The days without bookings right beside a day, ten at most."""
    for _ in range(10):
        day += step
        if is_working(day, days_off):
            return
        yield day


def _working_days_left(day: date, days_off: DaysOff) -> int:
    """Working days after this one in its month."""
    last = monthrange(day.year, day.month)[1]
    rest = (day.replace(day=number) for number in range(day.day + 1, last + 1))
    return min(sum(is_working(one, days_off) for one in rest), SIZES[Rhythm.MONTH_END] - 1)
