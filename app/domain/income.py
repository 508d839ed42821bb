"""When the next income comes to an account, learned from what its readings showed.

An account's income follows some rhythm that nobody states. All of them are kept as guesses
(`app.domain.rhythm.GUESSES`): each foretells every day, and what it foretold decides its weight
(a mixture of experts with a fixed share, after Herbster and Warmuth 1998). What a guess foretells
are hazards: the probability that income comes on a day, given that none has come since the last
one. They come from counts by phase, smoothed by the guess's spread, with the rate of all accounts
as a prior.

A reading of a balance rarely tells the day: it says that income came between two readings, or that
none did. Both are learned as they are; an income is laid on the days between by their probability.

Only the profile is kept: counts, weights and a few sums. No transaction and no balance is in it.
Deterministic. Amounts are whole minor units of the account, probabilities floats, days local days.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

from app.domain.income_hours import Bracket, brackets_of, lay_out
from app.domain.income_pool import MONTH_DAYS
from app.domain.read_hours import SLOTS, best_times, share_passed, shares_of
from app.domain.rhythm import GUESSES, RHYTHMS, SIZES

DAY = 24 * 60
"""Minutes of a day."""
AHEAD_DAYS = 60
"""How far a profile looks ahead."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was chosen by cross-validation over accounts; docs/backtest.md says how."""

    prior_visits: float = 0.3
    """How many visits of a phase the rate of all accounts weighs."""
    memory_visits: float = 12.0
    """A phase remembers about so many of its last visits."""
    share: float = 0.005
    """How much weight the guesses share out after each observation: a rhythm may change."""
    refractory: float = 0.15
    """Within the reach of a spread income has just come: what is left of the hazard."""
    main_share: float = 0.3
    """A rise of this share of the usual income counts as income; less is small money."""
    prior_hours: float = 1.0
    """How many incomes the hours of all accounts weigh."""
    month_days: tuple[float, ...] = MONTH_DAYS
    """How much likelier than on an average day income is on a day of the month, of all accounts."""


TUNING = Tuning()
_BRACKETS = "brackets"
ONE_IN_DAYS = 20.0
"""Of an account that nobody has read, income is expected once in so many days."""
_ALL = sum(guess.first for guess in GUESSES)
_FIRST = tuple(guess.first / _ALL for guess in GUESSES)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a stretch of time: how much came in, as far as that can be told.

    Moments are minutes of local time since the start of 0001-01-01 (`minute_of`). `rise_minor` is
    the money that came in between, at `came_at` where that is known; `spent_minor` what left.
    """

    since: int
    until: int
    rise_minor: int
    spent_minor: int = 0
    came_at: int | None = None


@dataclass(frozen=True, slots=True)
class IncomeProfile:
    """All that is kept of an account's income. `mass` and `seen` are counts per rhythm and phase.

    `usual_minor` is the usual size of an income. `small` and `small_minor` count and sum rises too
    small to be one, `spent_minor` what left, all over `days`. `brackets` are the hours between
    which the last incomes came (`app.domain.income_hours`), `half_hours` these incomes by local
    half hour. `times` are the best times with one read a day, with two and so on, `waits` the mean
    waits in days with as many (`read_hours.best_times`). `ahead` are the hazards of the days from
    `ahead_from` on, which is the first day not wholly seen; of that day it is the hazard of the
    whole day.
    """

    weights: tuple[float, ...] = _FIRST
    mass: tuple[tuple[float, ...], ...] = tuple((0.0,) * SIZES[one] for one in RHYTHMS)
    seen: tuple[tuple[float, ...], ...] = tuple((0.0,) * SIZES[one] for one in RHYTHMS)
    incomes: int = 0
    days: float = 0.0
    last_on: date | None = None
    usual_minor: int = 0
    small: int = 0
    small_minor: int = 0
    spent_minor: int = 0
    half_hours: tuple[float, ...] = (0.0,) * SLOTS
    brackets: tuple[Bracket, ...] = ()
    times: tuple[tuple[int, ...], ...] = ()
    waits: tuple[float, ...] = ()
    ahead_from: date = date.min
    ahead: tuple[float, ...] = ()

    def to_json(self) -> str:
        """The profile as text; `from_json` gives the same profile back."""
        values = asdict(self)
        values["last_on"] = self.last_on.isoformat() if self.last_on else None
        values["ahead_from"] = self.ahead_from.isoformat()
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> IncomeProfile:
        """Raises `ValueError` for what is no profile, or one of other rhythms.

        A text from before brackets were kept is a profile as well.
        """
        values: dict[str, Any] = json.loads(text)
        if _BRACKETS not in values and "half_hours" in values:
            values |= _hours_of_before(values["half_hours"])
        if set(values) != {one.name for one in fields(cls)}:
            raise ValueError("these are not the fields of a profile")
        for name in ("weights", "half_hours", "waits", "ahead"):
            values[name] = tuple(values[name])
        for name in ("mass", "seen", "times", _BRACKETS):
            values[name] = tuple(tuple(counts) for counts in values[name])
        shapes = [tuple(map(len, values[name])) for name in ("mass", "seen")]
        if len(values["weights"]) != len(GUESSES) or any(
            shape != tuple(SIZES[one] for one in RHYTHMS) for shape in shapes
        ):
            raise ValueError("this profile was made with other rhythms")
        last_on = values["last_on"]
        values["last_on"] = date.fromisoformat(last_on) if last_on else None
        values["ahead_from"] = date.fromisoformat(values["ahead_from"])
        return cls(**values)

    def passed(self, minute: int) -> float:
        """The share of a day's income that has come by a minute of the local day."""
        return share_passed(self.half_hours, TUNING.prior_hours, minute)

    @property
    def spent_per_day(self) -> float:
        """How fast money leaves, in minor units a day."""
        return self.spent_minor / max(self.days, ONE_IN_DAYS)


def _hours_of_before(counts: list[float]) -> dict[str, Any]:
    """What a profile says of hours, from the counts that were all it said of them before."""
    brackets = brackets_of(counts)
    half_hours = lay_out(brackets)
    times, waits = best_times(shares_of(half_hours, TUNING.prior_hours))
    return {_BRACKETS: brackets, "half_hours": half_hours, "times": times, "waits": waits}


def minute_of(day: date, minute: int = 0) -> int:
    """A moment of local time as minutes since the start of 0001-01-01."""
    return (day.toordinal() - 1) * DAY + minute


def day_of(minute: int) -> date:
    """The local day of a moment."""
    return date.fromordinal(minute // DAY + 1)
