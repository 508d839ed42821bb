"""Days past due as stages count them: those on which a hold stood still are left out.

A number is a day's place in that count, a day is a calendar day. A frozen day has the number of
the last one that counted. People learn of a hold late, and then days that were counted lose their
numbers; what was done on them keeps the number that the day had when it was done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo

from app.domain.hold import HoldFact
from app.domain.intervals import last_day

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Frozen:
    """The days that one hold keeps out of the count, both included, and when we learnt of it."""

    first: date
    last: date
    known_on: date


def frozen_days(holds: Iterable[HoldFact], zone: tzinfo, *, upto: date) -> tuple[Frozen, ...]:
    """What these holds keep out of the count until `upto`, in the days of `zone`.

    A day that a hold touches for a moment is out whole. What it will keep out later is not known.
    """
    found = []
    for hold in holds:
        span = hold.span
        first = span.start.astimezone(zone).date()
        last = upto if span.end is None else min(last_day(span, zone), upto)
        if first <= last and (span.end is None or span.start < span.end):
            found.append(Frozen(first, last, hold.recorded_at.astimezone(zone).date()))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class DayCount:
    """The count from `zero` on, the day with the number 0. Days before it have numbers below."""

    zero: date
    frozen: tuple[Frozen, ...] = ()

    def number(self, day: date) -> int:
        """The number of a day, by what is known now."""
        return self._number(day, self.frozen)

    def number_then(self, day: date) -> int:
        """The number it had by what was known when it began."""
        return self._number(day, [one for one in self.frozen if one.known_on < day])

    def day(self, number: int) -> date:
        """The day with this number: the first one, that counted."""
        found = self.zero + timedelta(days=number)
        for first, last in self._runs(self.frozen):
            if first <= found:
                found += last - first + _ONE_DAY
        return found

    def later(self, day: date, days: int) -> date:
        """The day by which so many more have counted than on `day`; never before it."""
        return max(day, self.day(self.number(day) + days))

    def _number(self, day: date, frozen: Iterable[Frozen]) -> int:
        out = sum(
            (min(last, day) - first + _ONE_DAY).days
            for first, last in self._runs(frozen)
            if first <= day
        )
        return (day - self.zero).days - out

    def _runs(self, frozen: Iterable[Frozen]) -> list[tuple[date, date]]:
        """The frozen days after `zero` in order: each once, however many holds froze it."""
        runs: list[tuple[date, date]] = []
        reached = self.zero
        for one in sorted(frozen, key=lambda one: one.first):
            first = max(one.first, reached + _ONE_DAY)
            if first <= one.last:
                runs.append((first, one.last))
                reached = one.last
        return runs
