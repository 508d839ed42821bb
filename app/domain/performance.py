"""How much of the money that entered collections came back, and who did how well on like cases.

Two estimators, both with intervals of 95 % (normal approximation; few cases are told as few).

*Recovery* is a share of money: all that came of all that entered. Its spread is that of a ratio of
sums (W. Cochran, Sampling Techniques, 3rd ed. 1977, 6.4): large cases weigh as much as they are.

*Comparing people* by money would compare who was given what. So each case counts once with the
share of it that came, and the mix is taken out by direct standardisation: every stratum (how much,
how late when he got it) counts as much for each as it does for all together. A stratum in which
somebody had no case says nothing about him; `covered` is how much of the common mix his cases
speak for. The spread within a stratum is that of all together, because most have few cases in it.

Floats are at home here: these are shares, never money.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from typing import Final, TypeVar

from app.domain.errors import Invalid
from app.domain.money import Money
from app.domain.proportion import SMALL, Z95

# Days since a case opened, after which what came is told.
AFTER: Final = (30, 60, 90)
# Days after somebody got a case in which money is put down to him.
USUAL_DAYS: Final = 30
# Days after a conversation with the borrower in which money is put down to it.
AFTER_CONTACT: Final = timedelta(days=14)
# The first day of each band of days past due. Within one, a day more or less says little.
LATE_FROM: Final = (0, 8, 31, 61, 91)
# Somebody whose cases speak for less of the common mix is not compared with the others.
LEAST_COVERED: Final = 0.8
LONGEST_PERIOD: Final = timedelta(days=400)

K = TypeVar("K", bound=Hashable)


def late_band(days: int) -> int:
    """The number of the band of so many days past due, from 0 up."""
    return max(0, sum(days >= first for first in LATE_FROM) - 1)


def check_period(since: date, until: date, as_of: date) -> None:
    """Raises `Invalid` for a period that nobody can mean, naming what is wrong."""
    if since > until:
        raise Invalid("until", "lies before the first day.", mend="Turn the two round.")
    if until > as_of:
        raise Invalid("until", "lies after the day as of which it is told.", mend="Go back to it.")
    if until - since > LONGEST_PERIOD:
        raise Invalid(
            "since",
            f"is more than {LONGEST_PERIOD.days} days before the last day.",
            mend="Ask for fewer days.",
        )


# ------------------------------------------------------------------ money of money


def came_of(entered_minor: int, money_minor: int, *, paid: bool) -> int:
    """What came of what entered with a case: all of it, once it was closed as `paid`.

    So it is also where the lender's ledger says that nothing is due, and reports no payments.
    Money beyond what entered pays for something else.
    """
    return entered_minor if paid else min(entered_minor, money_minor)


@dataclass(frozen=True, slots=True)
class Recovery:
    """Sums over cases in one currency: minor units, and their squares and products."""

    cases: int = 0
    entered: int = 0
    recovered: int = 0
    entered_squared: int = 0
    recovered_squared: int = 0
    product: int = 0

    @classmethod
    def of(cls, cases: Iterable[tuple[int, int]]) -> Recovery:
        """From (entered, recovered) of each case."""
        listed = list(cases)
        return cls(
            len(listed),
            sum(entered for entered, _ in listed),
            sum(recovered for _, recovered in listed),
            sum(entered * entered for entered, _ in listed),
            sum(recovered * recovered for _, recovered in listed),
            sum(entered * recovered for entered, recovered in listed),
        )

    @property
    def rate(self) -> float:
        """All that came of all that entered; 0 where nothing did."""
        return self.recovered / self.entered if self.entered else 0.0

    @property
    def small(self) -> bool:
        """Too few cases to be told as a percentage."""
        return self.cases < SMALL

    @property
    def interval(self) -> tuple[float, float]:
        """Within 0 and 1; everything for a single case or none."""
        if self.cases < 2 or not self.entered:
            return 0.0, 1.0
        # The sum of squares of (recovered - rate * entered), exact up to the division.
        of_entered, of_recovered = self.entered, self.recovered
        left = (
            self.recovered_squared * of_entered**2
            - 2 * of_recovered * of_entered * self.product
            + of_recovered**2 * self.entered_squared
        ) / of_entered**2
        half = Z95 * sqrt(max(0.0, left) * self.cases / (self.cases - 1)) / of_entered
        return max(0.0, self.rate - half), min(1.0, self.rate + half)


# ------------------------------------------------------------------ like with like


@dataclass(frozen=True, slots=True)
class Shares:
    """Cases with the share of each that came, 0 to 1: how many, their sum, the sum of squares."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, shares: Iterable[float]) -> Shares:
        """From the share of each."""
        listed = list(shares)
        return cls(len(listed), sum(listed), sum(one * one for one in listed))

    def __add__(self, other: Shares) -> Shares:
        return Shares(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )

    @property
    def mean(self) -> float:
        """0 of none."""
        return self.total / self.count if self.count else 0.0

    @property
    def variance(self) -> float:
        """Of one outcome. A single case knows none: then the largest that shares can have."""
        if self.count < 2:
            return 0.25
        return max(0.0, (self.squares - self.total**2 / self.count) / (self.count - 1))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean share with its interval, from `count` cases. `covered`: of the common mix, 0 to 1."""

    count: int
    mean: float
    low: float
    high: float
    covered: float = 1.0

    @property
    def small(self) -> bool:
        """Too few cases to be told as a percentage."""
        return self.count < SMALL

    @property
    def comparable(self) -> bool:
        """Whether it may stand beside the others'."""
        return not self.small and self.covered >= LEAST_COVERED


def raw(own: Mapping[K, Shares]) -> Estimate:
    """Every case of his alike, whatever mix he got."""
    whole = sum(own.values(), Shares())
    if not whole.count:
        return Estimate(0, 0.0, 0.0, 1.0)
    return _estimate(whole.count, whole.mean, whole.variance / whole.count)


def adjusted(own: Mapping[K, Shares], everybody: Mapping[K, Shares]) -> Estimate:
    """As if he had had the mix of everybody. `everybody` includes him."""
    cases = sum(one.count for one in everybody.values())
    shared = {key: one for key, one in own.items() if one.count}
    weights = {key: everybody[key].count / cases for key in shared}
    covered = sum(weights.values())
    if not covered:
        return Estimate(0, 0.0, 0.0, 1.0, 0.0)
    mean = sum(weights[key] * one.mean for key, one in shared.items()) / covered
    spread = sum(
        (weights[key] / covered) ** 2 * everybody[key].variance / one.count
        for key, one in shared.items()
    )
    return _estimate(sum(one.count for one in shared.values()), mean, spread, covered)


def _estimate(count: int, mean: float, spread: float, covered: float = 1.0) -> Estimate:
    half = Z95 * sqrt(spread)
    return Estimate(count, mean, max(0.0, mean - half), min(1.0, mean + half), min(1.0, covered))


def together(groups: Iterable[Mapping[K, Shares]]) -> dict[K, Shares]:
    """The common mix: the strata of all groups, added."""
    found: dict[K, Shares] = {}
    for group in groups:
        for key, one in group.items():
            found[key] = found.get(key, Shares()) + one
    return found


# ------------------------------------------------------------------ how long overdue


@dataclass(frozen=True, slots=True)
class Overdue:
    """Loans with something overdue on a day, in one currency: minor units, and days past due."""

    loans: int
    minor: int
    days: int
    minor_days: int

    def money(self, currency: str) -> Money:
        """What is overdue in all."""
        return Money(self.minor, currency)

    @property
    def by_money(self) -> float:
        """Average days overdue, each weighing as much as it owes; 0 where nothing is."""
        return self.minor_days / self.minor if self.minor else 0.0

    @property
    def by_loan(self) -> float:
        """Average days overdue, each loan alike."""
        return self.days / self.loans if self.loans else 0.0
