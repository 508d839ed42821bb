"""On which day, and at which hours of it, an account is best read: the sum behind the learned plan.

A read has a price, in days of delay that it is worth. Against it stand the days that money lies
unseen, and the windows that close unseen. From the hazards of the coming days (that income comes,
and that it lifts the balance to what is needed) the cheapest sequence of reads until money is
seen is worked out backwards, day by day, and its first day is the answer. Within a day reads
stand where they shorten the mean wait most, as many as their price allows.

Numbers only: no clock, no zone, no rule. `app.domain.learned_plan` makes a plan of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, repeat
from math import exp, sqrt
from operator import mul, truediv

from app.domain.income import IncomeProfile

HORIZON_DAYS = 42
"""So far ahead the sequence is worked out."""
# What a window that closes unseen costs, in days of delay.
_MISSED_DAYS = 6.0
# Days that are not likelier than the mean may be read as well, this far apart.
_APART = 4
_EVEN = 1.0
_SHORTEST_STAY, _LONGEST_STAY = 3.0, 30.0
# Of an account whose incomes have no size yet: how many of them suffice.
_SUFFICES = 0.7
# How sharply an income of the usual size is told from what is missing.
_WIDTH = 0.35
_CERTAIN = 0.97
_WEEK = 7
# Exponents beyond which nothing is left.
_FAR = 20.0
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class DayChoice:
    """How many days after the first one to read, and how likely money is there then."""

    days: int
    odds: float


def lifting_hazards(
    profile: IncomeProfile,
    skip: int,
    needed_minor: int,
    balance_minor: int | None,
    balance_age: int,
) -> list[float]:
    """Per day, how likely money begins to be there, given that it was not before.

    The first day is the one at `skip` in `profile.ahead`; the balance was seen `balance_age` days
    before. Money comes as an income that lifts the balance to what is needed, or in small rises.
    """
    ahead = profile.ahead[skip : skip + HORIZON_DAYS]
    usual = profile.usual_minor
    if not usual:
        return [hazard * _SUFFICES for hazard in ahead]
    spend, width = profile.spent_per_day, _WIDTH * usual
    rate = profile.small / max(profile.days, 30.0)
    size = max(profile.small_minor / max(profile.small, 1), 1.0)
    if balance_minor is None:
        balance, low = needed_minor - usual * _SUFFICES, float("-inf")
    else:
        balance = min(balance_minor, needed_minor) - spend * balance_age
        low = min(balance_minor, 0)
    found: list[float] = []
    for begins in range(0, len(ahead), _WEEK):
        # What is left of the balance changes slowly: the middle of a week stands for its days.
        left = balance - spend * (begins + _WEEK // 2)
        short = needed_minor - (max(low, left))
        lifts = 1 / (1 + exp(min((short - usual) / width, _FAR)))
        small = rate * exp(-min(short / size, _FAR)) if rate else 0.0
        found += [
            told if (told := hazard * lifts + small) < _CERTAIN else _CERTAIN
            for hazard in ahead[begins : begins + _WEEK]
        ]
    return found


def stay_of(profile: IncomeProfile) -> float:
    """How long money that has come stays, in days: how fast it leaves this account."""
    spend = profile.spent_per_day
    if not profile.usual_minor or spend <= 0:
        return _LONGEST_STAY / 2
    days = 0.5 * profile.usual_minor / spend
    return min(max(days, _SHORTEST_STAY), _LONGEST_STAY)


def cheapest_day(
    hazards: Sequence[float], stay: float, price: float, latest: int, earliest: int = 0
) -> DayChoice:
    """The first read of the cheapest sequence of reads until money is seen.

    `price` is that of a read, in days of delay. Between two reads lie at most `latest` days, and
    the first one is not before `earliest`. Raises `ValueError` without a day.
    """
    count = len(hazards)
    if not 0 <= earliest < count:
        raise ValueError("there is no day to choose from")
    mean = max(sum(hazards) / count, 0.001)
    sums = _Sums(hazards, 1 - 1 / stay)
    # What evenly spaced reads cost until money is seen: beyond the horizon, and at most before it.
    even = _EVEN * sqrt(2 * price / mean)
    worth = [even] * (count + 1)
    days = [day for day in range(count) if hazards[day] > mean or day % _APART == 0]
    for place in range(len(days) - 1, -1, -1):
        first = days[place] + 1
        within = [day for day in days[place + 1 :] if day < first + latest]
        if within:
            worth[first] = min(sums.best(first, within, price, worth)[0], even)
    begin = range(earliest, min(max(latest, earliest + 1), count))
    _, day, there = sums.best(0, begin, price, worth)
    return DayChoice(day, there)


class _Sums:
    """Running sums over the days, so that a stretch of any two of them costs the same.

    With `none[d]` the probability that nothing came before day d, and `keep` that of money to stay
    a day longer, what came from day i on and is there on day j is `keep**j * (came[j+1] -
    came[i]) / none[i]`; `lain` sums that up over the days before.
    """

    __slots__ = ("came", "keep", "kept", "lain", "none")

    def __init__(self, hazards: Sequence[float], keep: float) -> None:
        count = len(hazards)
        self.keep = list(accumulate(repeat(keep, count), mul, initial=1.0))
        self.none = list(accumulate([1 - hazard for hazard in hazards], mul, initial=1.0))
        new = map(truediv, map(mul, self.none, hazards), self.keep)
        self.came = list(accumulate(new, initial=0.0))
        self.lain = list(accumulate(map(mul, self.keep, self.came[1:]), initial=0.0))
        self.kept = list(accumulate(self.keep[:count], initial=0.0))

    def best(
        self, first: int, days: Sequence[int], price: float, worth: Sequence[float]
    ) -> tuple[float, int, float]:
        """The cheapest of these days after a read in vain on the eve of `first`: what it and all
        that follows cost, the day, and how likely money is there then.
        """
        keep, none, came, lain, kept = self.keep, self.none, self.came, self.lain, self.kept
        before, lain_before, kept_before = came[first], lain[first], kept[first]
        left = none[first]
        least, chosen, odds = _NEVER, days[0], 0.0
        for day in days:
            waited = (lain[day] - lain_before - before * (kept[day] - kept_before)) / left
            if price + waited > least:
                break  # it only grows
            there = keep[day] * (came[day + 1] - before) / left
            missed = 1 - none[day + 1] / left - there
            cost = price + waited + _MISSED_DAYS * missed + (1 - there) * worth[day + 1]
            if cost < least:
                least, chosen, odds = cost, day, there
        return least, chosen, odds


def reads_worth(hazard: float, waits: Sequence[float], price: float) -> int:
    """How many reads a day is worth on which money comes with this probability; at least one.

    `waits` are the mean waits in days with one read, two, and so on.
    """
    count = 1
    while count < len(waits) and hazard * (waits[count - 1] - waits[count]) >= price:
        count += 1
    return count
