"""The difference between two arms, with an interval that may be looked at every day.

An ordinary 95 per cent interval is wrong far more often than 5 times in 100 once people look again
and again and stop when they like what they see. A *confidence sequence* covers the truth at all
looks together: with probability 1 - alpha it never once excludes it.

Method. Each outcome X lies between 0 and 1. For a mean p, the product over the cases of (q/p)^X
((1-q)/(1-p))^(1-X) is a non-negative supermartingale for every q: the factor is convex in X, so
its mean is at most what its ends give, which is 1. A Beta(1/2, 1/2) mixture over q is one too (H.
Robbins, Annals of Mathematical Statistics 41, 1970; the beta-binomial mixture of S. Howard, A.
Ramdas, J. McAuliffe and J. Sekhon, Annals of Statistics 49, 2021). The product over both arms is
again a supermartingale, which exceeds 1/alpha ever with probability at most alpha (J. Ville,
1939). All pairs of means for which it does not are the confidence region, and the interval is the
span of their differences. It needs no variance estimate and no least number of cases.

Floats are at home here: these are shares and chances, never money.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, lgamma, log
from typing import Final

ALPHA: Final = 0.05
_PRIOR: Final = 0.5
_STEPS: Final = 45
_EDGE: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One arm: how many cases are measured, and the sum of their outcomes."""

    count: int
    total: float

    @property
    def mean(self) -> float:
        """The mean outcome; 0 while nothing is measured."""
        return self.total / self.count if self.count else 0.0

    @classmethod
    def of(cls, values: Iterable[float]) -> Outcomes:
        """Raises `ValueError` for an outcome outside 0 to 1."""
        listed = list(values)
        if any(not 0 <= one <= 1 for one in listed):
            raise ValueError("an outcome lies between 0 and 1")
        return cls(len(listed), sum(listed))


@dataclass(frozen=True, slots=True)
class Lift:
    """Mean of the treated less mean of the control, and the interval around it, in shares."""

    difference: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves no difference out."""
        return self.low > 0 or self.high < 0


def evidence(arm: Outcomes, mean: float) -> float:
    """The logarithm of the evidence against `mean` being the arm's true mean.

    Above log(1/alpha) it is not believed. Convex in `mean`, with its valley near the arm's own.
    """
    if not 0 < mean < 1:
        impossible = (mean <= 0 and arm.total > 0) or (mean >= 1 and arm.total < arm.count)
        return inf if impossible else evidence(arm, min(max(mean, _EDGE), 1 - _EDGE))
    missed = arm.count - arm.total
    mixture = _log_beta(_PRIOR + arm.total, _PRIOR + missed) - _log_beta(_PRIOR, _PRIOR)
    return mixture - arm.total * log(mean) - missed * log(1 - mean)


def lift(treated: Outcomes, control: Outcomes, alpha: float = ALPHA) -> Lift:
    """The difference and its confidence sequence at this look."""
    budget = log(1 / alpha)
    return Lift(
        treated.mean - control.mean,
        _least(treated, control, budget),
        -_least(control, treated, budget),
    )


def believable(arm: Outcomes, alpha: float = ALPHA) -> tuple[float, float]:
    """The confidence sequence of one arm's mean by itself."""
    budget = log(1 / alpha)
    return _edge(arm, budget, 0.0), _edge(arm, budget, 1.0)


def differ(treated: Outcomes, control: Outcomes, alpha: float = ALPHA) -> bool:
    """Whether the interval of `lift` leaves no difference out, told without computing it.

    The common mean with the least evidence against it is that of both arms together.
    """
    count = treated.count + control.count
    if not count:
        return False
    common = (treated.total + control.total) / count
    return evidence(treated, common) + evidence(control, common) > log(1 / alpha)


def _least(first: Outcomes, second: Outcomes, budget: float) -> float:
    """The least difference of the two means, first less second, within the budget of evidence.

    The budget is split between the arms. Both edges are concave in what they are given, so their
    sum has one peak, and a ternary search finds it.
    """
    floor_first = evidence(first, first.mean) if first.count else 0.0
    floor_second = evidence(second, second.mean) if second.count else 0.0
    low, high = floor_first, budget - floor_second
    if low > high:
        return first.mean - second.mean
    for _ in range(_STEPS):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if _gap(first, second, left, budget) < _gap(first, second, right, budget):
            high = right
        else:
            low = left
    return _gap(first, second, (low + high) / 2, budget)


def _gap(first: Outcomes, second: Outcomes, share: float, budget: float) -> float:
    return _edge(first, share, 0.0) - _edge(second, budget - share, 1.0)


def _edge(arm: Outcomes, budget: float, towards: float) -> float:
    """The mean farthest `towards` 0 or 1 whose evidence stays within the budget."""
    if evidence(arm, towards) <= budget:
        return towards
    inside, outside = arm.mean, towards
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        if evidence(arm, middle) <= budget:
            inside = middle
        else:
            outside = middle
    # The outer end: rounding must not make the interval shorter than it is.
    return outside


def _log_beta(one: float, other: float) -> float:
    return lgamma(one) + lgamma(other) - lgamma(one + other)
