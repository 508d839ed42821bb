"""The best that anybody could foretell of a simulated payday: Bayes' rule over `sandbox.paydays`.

An observer who knows how the simulated accounts are made (their rhythms and how frequent each is,
the drift, the moving off weekends), but not which account he sees, weighs every account that there
could be by the paydays so far, and names the day with the most probability within a day of it.
Nobody who learns from the same paydays can be within a day more often in the long run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from sandbox.chance import Chance
from sandbox.paydays import HOW_MANY, Account, Pays

_ANCHORS = {
    Pays.MONTHLY: range(1, 29),
    Pays.MONTH_END: range(1),
    Pays.SEMI_MONTHLY: range(14),
    Pays.WEEKLY: range(5),
    Pays.FORTNIGHTLY: range(5),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One account that there could be: how likely it is, and per payday the odds of its days."""

    prior: float
    paydays: tuple[Mapping[int, float], ...]


@lru_cache(maxsize=8)
def kinds(days: int, drift: int) -> tuple[Kind, ...]:
    """All regular accounts over so many days."""
    like = Account.of(0, Chance(0, ("bound",)))
    found = []
    for pays, weight in HOW_MANY:
        for anchor in _ANCHORS.get(pays, ()):
            for before in (False, True):
                one = replace(like, pays=pays, anchor=anchor, before=before)
                odds = weight / len(_ANCHORS[pays]) / 2
                found.append(Kind(odds, tuple(_paydays(one, days, drift))))
    return tuple(found)


def _paydays(account: Account, days: int, drift: int) -> list[dict[int, float]]:
    """Per payday of an account the days on which it may come."""
    found = []
    for nominal in account.nominal_days(days):
        odds: dict[int, float] = {}
        for off in range(-drift, drift + 1):
            day = account.working(nominal + off)
            odds[day] = odds.get(day, 0.0) + 1 / (2 * drift + 1)
        found.append(odds)
    return found


def best_day(came: Sequence[int], until: int, days: int, drift: int) -> tuple[int, float]:
    """The day within a day of which the next payday is likeliest, and that probability.

    `came` are the days of all paydays before `until`, in order; days count from the first one
    that was seen.
    """
    ahead: dict[int, float] = {}
    for kind in kinds(days, drift):
        # A payday from before the first day is not among those seen.
        for first in range(4):
            told = _told(kind, first, came, until)
            for day, odds in told.items():
                ahead[day] = ahead.get(day, 0.0) + odds
    whole = sum(ahead.values())
    near = {day: sum(ahead.get(one, 0.0) for one in range(day - 1, day + 2)) for day in ahead}
    most = max(near.values())
    best = max((day for day in near if near[day] > most * 0.999999), key=ahead.__getitem__)
    return best, most / whole


def _told(kind: Kind, first: int, came: Sequence[int], until: int) -> dict[int, float]:
    """The coming payday of an account of this kind, times how likely what was seen is."""
    odds = kind.prior
    for missed in kind.paydays[:first]:
        odds *= sum(part for day, part in missed.items() if day < 0)
    for day, paid in zip(came, kind.paydays[first:], strict=False):
        odds *= paid.get(day, 0.0)
        if not odds:
            return {}
    place = first + len(came)
    if not odds or place >= len(kind.paydays):
        return {}
    return {day: odds * part for day, part in kind.paydays[place].items() if day >= until}
