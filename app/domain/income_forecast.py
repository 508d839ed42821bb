"""What a profile of income says to people: when the next one comes, and in which rhythm."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import accumulate

from app.domain.income import DAY, TUNING, IncomeProfile, minute_of
from app.domain.read_hours import SLOT_MINUTES, shares_of
from app.domain.rhythm import GUESSES, RHYTHMS, Rhythm

SURE = 0.9
# An income at a phase that came less often than this is none to count on.
_COUNTED_ON = 0.4
# A mixture of guesses is less sure than it could be: odds are moved away from even by this much
# (measured on simulated accounts, docs/backtest.md).
_SHARPEN = 1.7
# Days near which income is about as likely: the one on which it is likeliest is named.
_AS_NEAR = 0.95
# Nothing is said where no income within sight is likelier than this.
_BEYOND = 0.5
# Fewer incomes than this make no rhythm.
_FEWEST = 2


class Recurs(StrEnum):
    """How an income recurs, in the words of payrolls."""

    WEEKLY = "weekly"
    FORTNIGHTLY = "fortnightly"
    SEMI_MONTHLY = "semi_monthly"
    MONTHLY = "monthly"
    MONTH_END = "month_end"
    """So many working days before the end of the month."""
    INTERVAL = "interval"
    """So many days after the last one."""
    IRREGULAR = "irregular"


@dataclass(frozen=True, slots=True)
class Stream:
    """One income that recurs. `phase` is a day of the month (1 to 31), a weekday (0 is Monday), a
    day of the fortnight, the working days after it in the month, or the days since the last one.
    `kept` is how often it came of the times it could have.
    """

    recurs: Recurs
    phase: int
    kept: float


@dataclass(frozen=True, slots=True)
class NextIncome:
    """When the next income comes. It lies between `earliest` and `latest` (minutes of local time,
    `income.minute_of`) with a probability of `SURE`. `likely_on` is the day near which it is
    likeliest (within a day), and `odds` that of the day itself.
    """

    earliest: int
    latest: int
    likely_on: date
    odds: float


def next_income(profile: IncomeProfile, after: date) -> NextIncome | None:
    """The next income from a day on, if none has come since the last one that was seen.

    None where the profile does not look that far, or sees none within its days as likely as not.
    What it says holds for an income within its days.
    """
    skip = (after - profile.ahead_from).days
    ahead = profile.ahead[max(skip, 0) :]
    quiet, on = 1.0, []
    for hazard in ahead:
        sharp, other = hazard**_SHARPEN, (1 - hazard) ** _SHARPEN
        told = sharp / (sharp + other)
        on.append(quiet * told)
        quiet *= 1 - told
    if not on or quiet > _BEYOND:
        return None
    edge = (1 - SURE) / 2
    on = [odds / (1 - quiet) for odds in on]
    clock = shares_of(profile.half_hours, TUNING.prior_hours)
    total = list(accumulate(day * share for day in on for share in clock))
    first = minute_of(max(after, profile.ahead_from))
    likely = _about(on)
    return NextIncome(
        first + _minute(total, edge),
        first + _minute(total, 1 - edge),
        date.fromordinal(first // DAY + 1 + likely),
        on[likely],
    )


def _about(on: list[float]) -> int:
    """The day that is most often about right: the likeliest of those near which it is likeliest."""
    near = [sum(on[max(day - 1, 0) : day + 2]) for day in range(len(on))]
    enough = _AS_NEAR * max(near)
    return max((day for day, odds in enumerate(near) if odds >= enough), key=on.__getitem__)


def _minute(total: list[float], odds: float) -> int:
    """The minute by which income has come with this probability."""
    slot = bisect_left(total, odds)
    before = total[slot - 1] if slot else 0.0
    part = (odds - before) / (total[slot] - before)
    return round((slot + part) * SLOT_MINUTES)


def payday(profile: IncomeProfile, after: date) -> date | None:
    """The day near which the next income of a known rhythm is likeliest, from a day on.

    None where income has no rhythm yet, and where `next_income` says nothing.
    """
    if streams(profile)[0].recurs is Recurs.IRREGULAR:
        return None
    coming = next_income(profile, after)
    return None if coming is None else coming.likely_on


def streams(profile: IncomeProfile) -> tuple[Stream, ...]:
    """The incomes that recur, likeliest rhythm first; one irregular stream where none does."""
    shares = dict.fromkeys(RHYTHMS, 0.0)
    for guess, weight in zip(GUESSES, profile.weights, strict=True):
        shares[guess.rhythm] += weight
    best = max(RHYTHMS, key=lambda rhythm: shares[rhythm])
    place = RHYTHMS.index(best)
    mass, seen = profile.mass[place], profile.seen[place]
    if profile.incomes < _FEWEST or best is Rhythm.ANY_DAY:
        return (_irregular(profile),)
    kept = [came / visits if visits else 0.0 for came, visits in zip(mass, seen, strict=True)]
    peaks = _peaks(kept)
    month = best in {Rhythm.MONTH_DAY, Rhythm.DAY_BEFORE, Rhythm.DAY_AFTER}
    if not peaks or (month and len(peaks) > 2):
        return (_irregular(profile),)
    recurs = _RECURS.get(best, Recurs.SEMI_MONTHLY if len(peaks) == 2 else Recurs.MONTHLY)
    return tuple(Stream(recurs, phase + month, round(share, 3)) for phase, share in peaks)


_RECURS = {
    Rhythm.MONTH_END: Recurs.MONTH_END,
    Rhythm.WEEKDAY: Recurs.WEEKLY,
    Rhythm.FORTNIGHT: Recurs.FORTNIGHTLY,
    Rhythm.GAP: Recurs.INTERVAL,
}


def _irregular(profile: IncomeProfile) -> Stream:
    return Stream(Recurs.IRREGULAR, 0, round(min(profile.incomes / max(profile.days, 1.0), 1.0), 3))


def _peaks(kept: list[float]) -> list[tuple[int, float]]:
    """Phases that hold, with those beside them, enough to count on; each stretch once."""
    found: list[tuple[int, float]] = []
    taken = [False] * len(kept)
    for phase in sorted(range(len(kept)), key=lambda one: -kept[one]):
        if taken[phase] or kept[phase] <= 0:
            continue
        near = [one for one in range(phase - 2, phase + 3) if 0 <= one < len(kept)]
        share = sum(kept[one] for one in near if not taken[one])
        for one in near:
            taken[one] = True
        if share >= _COUNTED_ON:
            found.append((phase, min(share, 1.0)))
    return found
