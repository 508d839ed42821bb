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
from functools import lru_cache
from itertools import accumulate, repeat
from math import exp, sqrt
from operator import mul
from typing import NamedTuple

from app.domain.income import IncomeProfile
from app.domain.income_hours import Bracket, sharpness

HORIZON_DAYS = 21
"""So far ahead the sequence is worked out."""
# What a window that closes unseen costs, in days of delay.
_MISSED_DAYS = 6.0
# Days that are not likelier than the mean may be read as well, this far apart.
_APART = 4
# What even reads cost, of reads and delay alone: they miss windows as well.
_EVEN = 1.4
_SHORTEST_STAY, _LONGEST_STAY = 3.0, 30.0
# Of an account whose incomes have no size yet: how many of them suffice.
_SUFFICES = 0.7
# How sharply an income of the usual size is told from what is missing.
_WIDTH = 0.35
_CERTAIN = 0.97
# About as good as the cheapest day is one that costs no more than this share of a read beside it,
# and lies no further from it than this part of the way.
_AS_GOOD = 0.25
_NEARBY = 3
# Beyond the days to choose from only days so much likelier than the mean are read, and the grid.
_PEAK = 2.0
# So many later paydays profit from what is learned of the hour on one, and so many sharp answers
# are enough.
_LESSONS = 10
_LEARNED = 3.0
# So unlikely to be waited for that what follows decides nothing.
_HARDLY = 1e-9
_WEEK = 7
# Exponents beyond which nothing is left.
_FAR = 20.0
_NEVER = float("inf")


class DayChoice(NamedTuple):
    """How many days after the first one to read, and how likely money is there then.

    `forced`: the cheapest day was the last one that may be.
    """

    days: int
    odds: float
    forced: bool


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
        lacking = (short - usual) / width
        lifts = 1 / (1 + exp(lacking)) if lacking < _FAR else 0.0
        small = rate * exp(-short / size) if rate and short < _FAR * size else 0.0
        week = [hazard * lifts + small for hazard in ahead[begins : begins + _WEEK]]
        capped = lifts * _CERTAIN + small > _CERTAIN
        found += [min(told, _CERTAIN) for told in week] if capped else week
    return found


def stay_of(profile: IncomeProfile) -> float:
    """How long money that has come stays, in days: how fast it leaves this account."""
    spend = profile.spent_per_day
    if not profile.usual_minor or spend <= 0:
        return _LONGEST_STAY / 2
    days = 0.5 * profile.usual_minor / spend
    return round(2 * min(max(days, _SHORTEST_STAY), _LONGEST_STAY)) / 2


def cheapest_day(
    hazards: Sequence[float],
    stay: float,
    price: float,
    latest: int,
    earliest: int = 0,
    place: float | None = None,
) -> DayChoice:
    """The first read of the cheapest sequence of reads until money is seen.

    `price` is that of a read, in days of delay. Between two reads lie at most `latest` days, and
    the first one is not before `earliest`. `place`, from 0 to below 1, chooses one of the days that
    are about as good as the cheapest: accounts of which as little is known part. Raises
    `ValueError` without a day.
    """
    count = len(hazards)
    if not 0 <= earliest < count:
        raise ValueError("there is no day to choose from")
    until = min(max(latest, earliest + 1), count)
    keep, kept = _staying(stay, count)
    none, came, lain = _coming(hazards, keep)
    vain = _vain(hazards, price, latest, earliest, until, (keep, kept, none, came, lain))
    costs = [
        lay - _MISSED_DAYS * gone + (1 - stays * money) * follows
        for lay, gone, stays, money, follows in zip(
            lain[earliest:until],
            none[earliest + 1 :],
            keep[earliest:],
            came[earliest + 1 :],
            vain[earliest:],
            strict=False,
        )
    ]
    least = min(costs)
    best = costs.index(least)
    if price > 0:
        # Where nothing is likely all days cost the same, and the last of them is soon enough.
        best = max(day for day, cost in enumerate(costs) if cost - least <= _HARDLY)
    chosen = best
    if place is not None:
        most, apart = least + _AS_GOOD * price, (earliest + best + 1) // _NEARBY
        first = max(best - apart, 0)
        near = enumerate(costs[first : best + apart + 1], first)
        good = [day for day, cost in near if cost <= most]
        chosen = good[int(place * len(good))]
    odds = keep[earliest + chosen] * came[earliest + chosen + 1]
    return DayChoice(earliest + chosen, odds, earliest + best == latest - 1)


@lru_cache(maxsize=1024)
def _staying(stay: float, count: int) -> tuple[Sequence[float], Sequence[float]]:
    """The share of money that is there so many days after it came, and its sum over the days
    before.
    """
    keep = (*accumulate(repeat(1 - 1 / stay, count), mul, initial=1.0),)
    return keep, (*accumulate(keep, initial=0.0),)


def _coming(
    hazards: Sequence[float], keep: Sequence[float]
) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
    """Per day: how likely nothing came before it; what came before it, told as money of the first
    day; and how many days of delay that has lain there by then.

    With these what came from day i on and is there on day j is `keep[j] * (came[j + 1] - came[i])
    / none[i]`.
    """
    none, came, lain = [1.0], [0.0], [0.0]
    left, money, delay = 1.0, 0.0, 0.0
    for hazard, stays in zip(hazards, keep, strict=False):
        money += left * hazard / stays
        left *= 1 - hazard
        delay += stays * money
        none.append(left)
        came.append(money)
        lain.append(delay)
    return none, came, lain


def _vain(
    hazards: Sequence[float],
    price: float,
    latest: int,
    earliest: int,
    until: int,
    sums: tuple[Sequence[float], ...],
) -> list[float]:
    """What it costs if a read on a day is in vain: a missed window, and all reads that follow.

    What reading on day j costs after a vain read on the eve of day i is linear in `none[i]` and
    `came[i]`: each day j is a line, whose terms are worked out once.
    """
    keep, kept, none, came, lain = sums
    count = len(hazards)
    mean = max(sum(hazards) / count, 0.001)
    # What goes on without a plan: beyond the horizon, and at most before it.
    most = _MISSED_DAYS + _EVEN * sqrt(2 * price / mean)
    vain = [most] * count
    lines: list[tuple[int, float, float, float]] = []
    far = 0
    for day in range(count - 1, earliest - 1, -1):
        likely = hazards[day] > (mean if day < until else _PEAK * mean)
        if not likely and (latest - 1 - day) % _APART:
            continue
        left, before = none[day + 1], came[day + 1]
        if lines and left > _HARDLY:
            while far < len(lines) and lines[far][0] > day + latest:
                far += 1
            least = _NEVER
            for _, missed, own, less in lines[far:]:
                cost = left * missed + own + before * less
                if cost < least:  # noqa: PLR1730 - a call would take longer than the sum
                    least = cost
            least = _MISSED_DAYS + price + (least - lain[day + 1] + before * kept[day + 1]) / left
            vain[day] = min(least, most)
        missed = vain[day]
        stays = missed * keep[day]
        own = lain[day] - _MISSED_DAYS * left - stays * before
        lines.append((day, missed, own, stays - kept[day]))
    return vain


@lru_cache(maxsize=65536)
def keenness(brackets: tuple[Bracket, ...]) -> float:
    """How much more a read within a day is worth for what it teaches of the hour; 1 where known.

    What is learned of the hour on one payday shortens the wait on all that follow. Every sharp
    answer leaves less to be learned, until there is nothing: what a read costs then decides alone.
    """
    return 1 + _LESSONS * max(1 - sharpness(brackets) / _LEARNED, 0.0)


def reads_worth(hazard: float, waits: Sequence[float], price: float) -> int:
    """How many reads a day is worth on which money comes with this probability; at least one.

    `waits` are the mean waits in days with one read, two, and so on.
    """
    count = 1
    while count < len(waits) and hazard * (waits[count - 1] - waits[count]) >= price:
        count += 1
    return count
