"""The policies a history can be replayed under, by the words of the command line.

Evenly spaced schedules are in `fixed`; `Grid` reads them one by one, which the tests use to hold
that arithmetic against the detector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from app.backtest.files import MINUTES, Entry
from app.backtest.replay import Known
from app.backtest.windows import Track

# The floor under `payday`: whoever's payday is not known yet is read once in so many days.
_PAYDAY_FLOOR = 7


@dataclass(slots=True)
class Grid:
    """One phase of an evenly spaced schedule: reads at `first` and each `step` minutes after."""

    first: int
    step: int

    def next_read(self, minute: int) -> int | None:
        """The next moment of the grid."""
        return minute + (self.first - minute) % self.step if minute > self.first else self.first

    def saw(self, minute: int, balance_minor: int, entries: Sequence[Entry]) -> None:
        """A clock does not learn."""


@dataclass(slots=True)
class Oracle:
    """Knows the future: one read at the start of each window. The bound no policy can pass."""

    starts: tuple[int, ...]

    @classmethod
    def of(cls, track: Track) -> Oracle:
        """The oracle of one account."""
        return cls(tuple(window.start for window in track.windows if window.counted))

    def next_read(self, minute: int) -> int | None:
        """The start of the next window."""
        return next((start for start in self.starts if start >= minute), None)

    def saw(self, minute: int, balance_minor: int, entries: Sequence[Entry]) -> None:
        """Nothing is news."""


class Payday:
    """The rule of thumb "as last month": what everybody can build without a model.

    Reads on the day of the month of the largest rise of the latest month it knows, and on the day
    after it (short months on their last day), besides once in seven days. A rise is a credit where
    transactions are visible, else the difference between two known balances, laid on the day of
    the later one.
    """

    def __init__(self, known: Known) -> None:
        self._begins_on = known.begins_on
        self._last_read: int | None = None
        self._rises: list[tuple[int, int]] = []
        self._balance: int | None = known.daily[-1] if known.daily else None
        if known.entries:
            self._learn(known.entries)
        else:
            pairs = zip(known.daily, known.daily[1:], strict=False)
            for day, (before, after) in enumerate(pairs, start=1):
                self._rise(day * MINUTES, after - before)

    def next_read(self, minute: int) -> int | None:
        """The next payday or the day after it, or the seventh day without a read."""
        floor = minute
        if self._last_read is not None:
            floor = max(minute, self._last_read + _PAYDAY_FLOOR * MINUTES)
        if not self._rises:
            return floor
        latest = max(minute for minute, _ in self._rises)
        recent = [rise for rise in self._rises if latest - rise[0] < 31 * MINUTES]
        payday = self._on(max(recent, key=lambda rise: rise[1])[0]).day
        for day in range(-(-minute // MINUTES), floor // MINUTES):
            on = self._on(day * MINUTES)
            if payday in (_short(on, payday), _short(on - timedelta(days=1), payday)):
                return day * MINUTES
        return floor

    def saw(self, minute: int, balance_minor: int, entries: Sequence[Entry]) -> None:
        """Learn the rises since the last read."""
        if entries:
            self._learn(entries)
        elif self._balance is not None:
            self._rise(minute, balance_minor - self._balance)
        self._balance, self._last_read = balance_minor, minute

    def _learn(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._rise(entry.minute, entry.minor)

    def _rise(self, minute: int, minor: int) -> None:
        if minor > 0:
            self._rises.append((minute, minor))

    def _on(self, minute: int) -> date:
        return self._begins_on + timedelta(days=minute // MINUTES)


def _short(on: date, payday: int) -> int:
    """The day of the month, with the last day of a short month standing for all later ones."""
    last = (on + timedelta(days=1)).day == 1
    return payday if last and payday > on.day else on.day
