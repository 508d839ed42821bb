"""How a profile of income learns from what was seen, and looks ahead from it.

The counts are opened into lists, all stretches are learned, and the profile is closed again:
learning costs milliseconds, deciding from a profile microseconds (`app.domain.read_choice`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import accumulate
from math import sqrt
from operator import mul

from app.domain.income import (
    AHEAD_DAYS,
    DAY,
    ONE_IN_DAYS,
    TUNING,
    IncomeProfile,
    Seen,
    Tuning,
    day_of,
    minute_of,
)
from app.domain.income_hours import Bracket, kept_with, lay_out
from app.domain.read_hours import best_times, share_by, shares_of
from app.domain.rhythm import (
    BY_MONTH,
    CIRCULAR,
    GUESSES,
    LONGEST_GAP,
    RHYTHMS,
    SIZES,
    DaysOff,
    Rhythm,
    kernel,
    phases_on,
)

NO_DAYS_OFF: DaysOff = frozenset()

_CERTAIN = 0.97
_HARDLY = 1e-6
# A day so much less likely than another is not one on which the hour of an income is looked for.
_HARDLY_THAT_DAY = 0.1
_ANY_MONTH_DAY = (1.0,) * SIZES[Rhythm.MONTH_DAY]
# So few incomes say little about their usual size.
_FEW = 3
# Tables are laid out anew after an income, else after so many days without one.
_FRESH_DAYS = 7
_ONE_DAY = timedelta(days=1)
_GAP = RHYTHMS.index(Rhythm.GAP)
# Per guess: the place of its rhythm, how far before a day income of the same cycle may lie, the
# weights of its spread, and whether its phases close to a circle.
_PLANS = tuple(
    (
        RHYTHMS.index(guess.rhythm),
        2 * guess.spread,
        kernel(guess.spread),
        guess.rhythm in CIRCULAR,
    )
    for guess in GUESSES
)


def learn(
    profile: IncomeProfile,
    seen: Sequence[Seen],
    *,
    days_off: DaysOff = NO_DAYS_OFF,
    tuning: Tuning = TUNING,
) -> IncomeProfile:
    """The profile after further stretches, which are in order and do not overlap.

    Time between stretches teaches nothing. The result looks ahead from the end of the last one.
    """
    if not seen:
        return profile
    learner = Learner(profile, days_off, tuning)
    for one in seen:
        learner.see(one)
    return learner.profile(day_of(seen[-1].until))


def look_ahead(
    profile: IncomeProfile,
    first: date,
    *,
    days_off: DaysOff = NO_DAYS_OFF,
    tuning: Tuning = TUNING,
) -> IncomeProfile:
    """The same profile, looking ahead from another day: for one that was stored long ago."""
    return Learner(profile, days_off, tuning).profile(first)


class Learner:
    """A profile opened for counting."""

    def __init__(self, profile: IncomeProfile, days_off: DaysOff, tuning: Tuning) -> None:
        self._was = profile
        self._days_off = days_off
        self._tuning = tuning
        self._weights = list(profile.weights)
        self._mass = [list(counts) for counts in profile.mass]
        self._seen = [list(counts) for counts in profile.seen]
        self._incomes, self._days = profile.incomes, profile.days
        self._last = profile.last_on
        self._usual = profile.usual_minor
        self._small, self._small_minor = profile.small, profile.small_minor
        self._spent = profile.spent_minor
        self._half_hours = list(profile.half_hours)
        self._brackets = profile.brackets
        self._clock = shares_of(profile.half_hours, tuning.prior_hours)
        self._tables: list[tuple[list[float], list[float]]] = []
        self._stale = 0

    def profile(self, ahead_from: date) -> IncomeProfile:
        """The profile closed again, looking ahead from a day."""
        times, waits = best_times(self._clock)
        return replace(
            self._was,
            weights=tuple(round(weight, 6) for weight in self._weights),
            mass=tuple(tuple(round(count, 4) for count in counts) for counts in self._mass),
            seen=tuple(tuple(round(count, 3) for count in counts) for counts in self._seen),
            incomes=self._incomes,
            days=round(self._days, 3),
            last_on=self._last,
            usual_minor=self._usual,
            small=self._small,
            small_minor=self._small_minor,
            spent_minor=self._spent,
            half_hours=tuple(round(count, 4) for count in self._half_hours),
            brackets=self._brackets,
            times=times,
            waits=waits,
            ahead_from=ahead_from,
            ahead=tuple(self._ahead(ahead_from)),
        )

    def see(self, one: Seen) -> None:
        """Learn one stretch: whether income came in it, and what else moved."""
        came = self._is_income(one.rise_minor)
        if one.rise_minor > 0 and not came:
            self._small += 1
            self._small_minor += one.rise_minor
        self._spent += one.spent_minor
        days = list(self._parts(one))
        if came:
            self._grow(one.rise_minor)
        self._count(days, self._weigh(days, came=came), one)

    def _is_income(self, rise_minor: int) -> bool:
        return rise_minor > 0 and rise_minor >= self._tuning.main_share * self._usual

    def _grow(self, rise_minor: int) -> None:
        """Follow the usual size: slowly, and by leaps to what is far larger.

        What is known of few incomes may be far off; of many, one windfall must not make the next
        ordinary one count as small.
        """
        usual = self._usual
        if rise_minor <= 2 * usual:
            self._usual += round(0.3 * (rise_minor - usual))
        elif self._incomes < _FEW:
            self._usual = rise_minor if not usual else max(rise_minor // 2, 1)
        else:
            self._usual = min(round(sqrt(usual * rise_minor)), 3 * usual)

    def _parts(self, one: Seen) -> Iterator[tuple[date, float]]:
        """The days of a stretch, each with the share of its income that the stretch would hold."""
        first, last = one.since // DAY, (one.until - 1) // DAY
        for day in range(first, last + 1):
            start = max(one.since - day * DAY, 0)
            end = min(one.until - day * DAY, DAY)
            share = (
                1.0
                if end - start == DAY
                else share_by(self._clock, end) - share_by(self._clock, start)
            )
            yield date.fromordinal(day + 1), share

    def _weigh(self, days: Sequence[tuple[date, float]], *, came: bool) -> list[float]:
        """Move the guesses' weights, and say on which day the income came, as probabilities."""
        count = len(GUESSES)
        quiet = [1.0] * count
        on: list[float] = []
        for day, share in days:
            total = 0.0
            for index, hazard in enumerate(self._hazards(day)):
                part = hazard * share
                total += self._weights[index] * quiet[index] * part
                quiet[index] *= 1 - part
            on.append(total)
        told = [max(1 - rest if came else rest, _HARDLY) for rest in quiet]
        weighed = [weight * odds for weight, odds in zip(self._weights, told, strict=True)]
        whole, share = sum(weighed), self._tuning.share
        self._weights = [(1 - share) * one / whole + share / count for one in weighed]
        if not came:
            return []
        whole = sum(on)
        return [one / whole for one in on] if whole > 0 else [1 / len(on)] * len(on)

    def _count(self, days: Sequence[tuple[date, float]], on: list[float], one: Seen) -> None:
        for index, (day, share) in enumerate(days):
            came = on[index] if on else 0.0
            for place, phases in enumerate(phases_on(day, self._days_off)):
                for phase in phases:
                    self._visit(place, phase, share, came / len(phases))
            if self._last is not None:
                gap = min((day - self._last).days, LONGEST_GAP)
                self._visit(_GAP, gap, share, came)
            self._days += share
        self._stale += len(days)
        if on:
            self._incomes += 1
            self._last = days[max(range(len(on)), key=on.__getitem__)][0]
            self._count_hours(days, on, one)
        if on or self._stale >= _FRESH_DAYS:
            self._tables = []

    def _visit(self, place: int, phase: int, share: float, came: float) -> None:
        seen, mass = self._seen[place], self._mass[place]
        seen[phase] += share
        mass[phase] += came
        memory = self._tuning.memory_visits
        if seen[phase] > memory:
            mass[phase] *= memory / seen[phase]
            seen[phase] = memory

    def _count_hours(self, days: Sequence[tuple[date, float]], on: list[float], one: Seen) -> None:
        """Keep the hours between which income came, and lay all of them out anew."""
        bracket = _bracket(days, on, one)
        if bracket is None:
            return
        self._brackets = kept_with(self._brackets, bracket)
        self._half_hours = lay_out(self._brackets)
        self._clock = shares_of(self._half_hours, self._tuning.prior_hours)

    def _ahead(self, first: date) -> Iterator[float]:
        for number in range(AHEAD_DAYS):
            hazards = self._hazards(first + number * _ONE_DAY)
            told = sum(map(mul, self._weights, hazards))
            yield round(min(told, _CERTAIN), 5)

    def _hazards(self, day: date) -> list[float]:
        """What each guess foretells for a day, given that none came since the last income."""
        if not self._tables:
            self._lay_out()
        calendar = phases_on(day, self._days_off)
        since = LONGEST_GAP if self._last is None else min((day - self._last).days, LONGEST_GAP)
        told = []
        for index, (place, reach, _, _) in enumerate(_PLANS):
            waiting, recent = self._tables[index]
            if place < _GAP:
                table = recent if since <= reach and self._last is not None else waiting
                phases = calendar[place]
                if len(phases) == 1:
                    told.append(table[phases[0]])
                    continue
                quiet = 1.0
                for phase in phases:
                    quiet *= 1 - table[phase]
                told.append(1 - quiet)
            elif place == _GAP:
                told.append(waiting[since] if self._last is not None else self._rate())
            else:
                told.append(waiting[0])
        return told

    def _rate(self) -> float:
        return min((1 + self._incomes) / (ONE_IN_DAYS + self._days), _CERTAIN)

    def _lay_out(self) -> None:
        """Per guess two tables by phase: while income is awaited, and just after it has come."""
        rate, prior = self._rate(), self._tuning.prior_visits
        # The first money of a new account comes on any day, whatever others' months look like.
        others = self._tuning.month_days if self._incomes else _ANY_MONTH_DAY
        by_month = [prior * rate * times for times in others]
        self._stale = 0
        for place, reach, weights, circular in _PLANS:
            rhythm = RHYTHMS[place]
            if rhythm is Rhythm.ANY_DAY:
                self._tables.append(([rate], [rate]))
                continue
            mass = _smooth(self._mass[place], weights, circular=circular)
            seen = _smooth(self._seen[place], weights, circular=circular)
            base = by_month if rhythm in BY_MONTH else [prior * rate] * len(mass)
            likely = [
                (came + known) / (visits + prior)
                for came, visits, known in zip(mass, seen, base, strict=True)
            ]
            if not reach:
                self._tables.append((likely, likely))
                continue
            passed = list(accumulate(likely[-reach:] + likely, initial=0.0))
            waiting = [
                min(one / (1 - min(passed[phase + reach] - passed[phase], 0.9)), _CERTAIN)
                for phase, one in enumerate(likely)
            ]
            left = self._tuning.refractory
            self._tables.append((waiting, [left * one for one in likely]))


def _bracket(days: Sequence[tuple[date, float]], on: Sequence[float], one: Seen) -> Bracket | None:
    """Between which minutes of a day income came, as far as days on which it hardly did can go."""
    if one.came_at is not None:
        return one.came_at % DAY, 1
    # As if all hours were alike: what is believed of them must not confirm itself.
    parts = []
    for (day, share), odds in zip(days, on, strict=True):
        start, end = max(one.since, minute_of(day)), min(one.until, minute_of(day) + DAY)
        parts.append((start, end, odds * (end - start) / max(share, _HARDLY)))
    least = _HARDLY_THAT_DAY * max(odds for _, _, odds in parts)
    likely = [(start, end) for start, end, odds in parts if odds >= least]
    since, until = likely[0][0], likely[-1][1]
    return (since % DAY, until - since) if until - since < DAY else None


def _smooth(counts: list[float], weights: Sequence[float], *, circular: bool) -> list[float]:
    """Counts spread over the phases beside them; beyond an end lies nothing."""
    spread = len(weights) // 2
    if not spread:
        return counts
    ends = [0.0] * spread
    before, after = (counts[-spread:], counts[:spread]) if circular else (ends, ends)
    row = before + counts + after
    width = len(weights)
    return [sum(map(mul, weights, row[at : at + width])) for at in range(len(counts))]
