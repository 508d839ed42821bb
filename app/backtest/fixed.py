"""Evenly spaced schedules, by arithmetic: what the replay would find, for all phases at once.

`every:k` is the mean over its phases: k of them, a day (or an hour) apart; a step of whole days on
a history with hours has 24, spread evenly. Its reads stand on a grid from the moment counting
begins; a read in an open window detects it, and the reads that follow rest until it has closed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.backtest.files import MINUTES
from app.backtest.windows import Track
from app.domain.errors import Invalid

_EVERY = re.compile(r"every:(\d{1,3})([dh])\Z", re.ASCII)
_HOUR = 60
SOON = 2 * _HOUR


@dataclass(frozen=True, slots=True)
class Tally:
    """What reading one account came to.

    `waited` is the sum of all delays in minutes, `soon` how many were of `SOON` minutes at most.
    """

    reads: int = 0
    detected: int = 0
    waited: int = 0
    soon: int = 0


@dataclass(frozen=True, slots=True)
class Every:
    """A schedule with one read in each step of so many minutes."""

    step: int

    @classmethod
    def parse(cls, text: str) -> Every | None:
        """Read "every:7d", "every:6h" or "daily"; None when it is something else."""
        match = _EVERY.match("every:1d" if text == "daily" else text)
        if match is None:
            return None
        step = int(match[1]) * (MINUTES if match[2] == "d" else _HOUR)
        if step <= 0:
            raise Invalid("--policy", f"{text!r} reads without end.", mend="At least 1.")
        return cls(step)

    @property
    def name(self) -> str:
        """The word of the command line."""
        whole = self.step % MINUTES == 0
        return f"every:{self.step // MINUTES}d" if whole else f"every:{self.step // _HOUR}h"

    def phases(self, unit: int) -> tuple[int, ...]:
        """The first read of each phase, in minutes after counting begins."""
        if unit == MINUTES:
            if self.step % MINUTES:
                raise Invalid(
                    "--policy",
                    "hours need a column `time` in the transactions.",
                    mend="Add the column, or leave the hours out.",
                )
            return tuple(range(0, self.step, MINUTES))
        apart = _HOUR if self.step < MINUTES else self.step // 24
        return tuple(range(0, self.step, apart))


def curve(unit: int) -> tuple[Every, ...]:
    """The fixed schedules that a policy is set against, densest first."""
    # Not beyond: a step of about a month meets the same day of each month, or never does.
    days = (*range(1, 15), 16, 18, 21, 25)
    if unit == MINUTES:
        return tuple(Every(day * MINUTES) for day in days)
    hours = (1, 2, 3, 4, 6, 8, 12)
    return (
        *(Every(hour * _HOUR) for hour in hours),
        *(Every(day * MINUTES) for day in days if day <= 14),
    )


def tally(track: Track, step: int, phase: int) -> Tally:
    """One account under one phase."""
    reads = detected = waited = soon = 0
    following = track.begins + phase
    for window in track.windows:
        if window.counted:
            vain = _steps(following, window.start, step)
            reads += vain
            following += vain * step
            if following >= window.end:
                continue
            reads += 1
            detected += 1
            waited += following - window.start
            soon += following - window.start <= SOON
        following += _steps(following, window.end, step) * step
    return Tally(reads + _steps(following, track.ends, step), detected, waited, soon)


def _steps(following: int, until: int, step: int) -> int:
    """How many moments of the grid lie from `following` to before `until`."""
    return max(0, -(-(until - following) // step))
