"""When enough money was on an account: thresholds, the balance as a step function, and windows.

Moments are minutes since the start of the account's first day. On histories without hours a
day's last balance holds for the whole of it, so that a read on a day sees what its evening shows.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import TypeVar

from app.backtest.files import MINUTES, History
from app.domain.errors import Invalid
from app.domain.money import Money

_QUANTILE = re.compile(r"q(\d{1,2})\Z", re.ASCII)
_Number = TypeVar("_Number", int, Decimal)
_INSTALMENTS = re.compile(r"instalment\*(\d{1,3}(?:\.\d{1,4})?)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which balance on a window is open: one of the three is set.

    `quantile` (percent) is taken over the account's own daily balances, `instalments` is a multiple
    of what the loans file says for the account, rounded up to a whole minor unit, `minor` is the
    same amount for all.
    """

    quantile: int | None = None
    instalments: Decimal | None = None
    minor: int | None = None

    @classmethod
    def parse(cls, text: str, currency: str) -> Threshold:
        """Read "q75", "instalment*1.5" or "1500.00". Raises `Invalid`."""
        if match := _QUANTILE.match(text):
            return cls(quantile=_above_zero(text, int(match[1])))
        if match := _INSTALMENTS.match(text):
            return cls(instalments=_above_zero(text, Decimal(match[1])))
        try:
            amount = Money.parse(text, currency)
        except Invalid:
            raise Invalid(
                "--threshold", f"{text!r} is none.", mend='"q75", "instalment*1.5" or "1500.00".'
            ) from None
        return cls(minor=_above_zero(text, amount.minor))

    def of(self, history: History, instalments: Mapping[str, int]) -> int | None:
        """The threshold of one account in minor units; None where there is none above zero.

        Nothing can be due at or below zero, so that such an account cannot be judged.
        """
        if self.quantile is not None:
            found = quantile(daily_balances(history), self.quantile)
        elif self.instalments is not None:
            found = ceil(instalments.get(history.account_id, 0) * self.instalments)
        else:
            found = self.minor or 0
        return found if found > 0 else None


def _above_zero(text: str, number: _Number) -> _Number:
    """The number. Nothing can be due at or below zero, and below q1 no balance ever is."""
    if number <= 0:
        raise Invalid("--threshold", f"{text!r} is not above zero.", mend="Name what is due.")
    return number


def daily_balances(history: History) -> list[int]:
    """The last balance of each day from the first row to the last, in minor units."""
    balances = [0] * history.days
    known = -1
    for entry in history.entries:
        day = entry.minute // MINUTES
        for between in range(known + 1, day):
            balances[between] = balances[between - 1]
        balances[day] = entry.balance_minor
        known = day
    return balances


def quantile(values: list[int], percent: int) -> int:
    """The percentile with linear interpolation, rounded up to a whole minor unit.

    For whole balances the comparison "at or above" comes out the same as with the exact value.
    """
    ordered = sorted(values)
    place, rest = divmod((len(ordered) - 1) * percent, 100)
    if not rest:
        return ordered[place]
    return ordered[place] - (ordered[place] - ordered[place + 1]) * rest // 100


@dataclass(frozen=True, slots=True)
class Window:
    """Money is there from `start` to before `end`.

    Not `counted`: it was open before counting began.
    """

    start: int
    end: int
    counted: bool


@dataclass(frozen=True, slots=True)
class Track:
    """One account as the replay sees it: its balance at every moment, and its windows.

    Counting begins at `begins` and ends before `ends`. `unit` is how fine moments are: a day or a
    minute. The window that is open when counting begins, if there is one, is the first one.
    """

    history: History
    due_minor: int
    floor_minor: int
    begins: int
    ends: int
    unit: int
    changes: tuple[int, ...]
    balances: tuple[int, ...]
    windows: tuple[Window, ...]

    def balance_at(self, minute: int) -> int:
        """The balance that a read at this moment shows, in minor units."""
        return self.balances[max(0, bisect_right(self.changes, minute) - 1)]

    @property
    def counted(self) -> int:
        """How many windows there are to be seen."""
        return sum(window.counted for window in self.windows)


def track_of(history: History, due_minor: int, floor_minor: int, history_days: int) -> Track:
    """Lay out one account. A window is open where the balance covers what is due and the floor.

    It counts when it begins after the history days, from below.
    """
    if history.timed:
        changes = (0, *(entry.minute for entry in history.entries))
        balances = (history.opening_minor, *(entry.balance_minor for entry in history.entries))
    else:
        balances = tuple(daily_balances(history))
        changes = tuple(day * MINUTES for day in range(len(balances)))
    begins, ends = history_days * MINUTES, history.days * MINUTES
    return Track(
        history,
        due_minor,
        floor_minor,
        begins,
        ends,
        1 if history.timed else MINUTES,
        changes,
        balances,
        _windows(changes, balances, due_minor + floor_minor, begins, ends),
    )


def _windows(
    changes: tuple[int, ...], balances: tuple[int, ...], threshold: int, begins: int, ends: int
) -> tuple[Window, ...]:
    found: list[Window] = []
    opened: int | None = None
    for index, (moment, balance) in enumerate(zip(changes, balances, strict=True)):
        if index + 1 < len(changes) and changes[index + 1] == moment:
            continue  # several rows of one moment: what stands after the last one counts
        if balance >= threshold and opened is None:
            opened = moment
        elif balance < threshold and opened is not None:
            found.append(Window(opened, moment, opened >= begins and opened > 0))
            opened = None
    if opened is not None:
        found.append(Window(opened, ends, opened >= begins and opened > 0))
    return tuple(window for window in found if window.end > begins)
