"""A policy against evenly spaced schedules, with intervals from accounts drawn again.

*Reads at equal delay*: the curve of the fixed schedules (reads per detected window over mean
delay) is read off at the policy's delay, straight between two neighbouring schedules, and the
saving is what the policy stays below it. *Delay at equal reads* and *coverage at equal reads* are
read off at the policy's reads in the same way. Where the policy is quicker than the densest
schedule, or takes fewer reads than the sparsest, that one is taken, which is unkind to the policy;
where it is slower than the sparsest, nothing is stated.

The 95 % intervals draw whole accounts with replacement, since the windows of one account resemble
each other, and work out the policy's and the curve's figures anew in each draw.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import mul

from app.backtest.files import MINUTES
from app.backtest.fixed import Every, Tally, curve, tally
from app.backtest.windows import Track

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over detected windows (reads, delay in days), and of all windows the shares detected
    at all and within two hours. On histories without hours the latter says "on the day".
    """

    reads: float
    coverage: float
    delay: float
    soon: float


@dataclass(frozen=True, slots=True)
class VsFixed:
    """How a policy stands to the fixed schedules; None where the curve does not reach.

    `reads_saved` is a share of the fixed schedule's reads (0.45: 45 % fewer), `delay_change` is in
    days (negative: sooner).
    """

    reads_saved: float | None
    delay_change: float | None
    coverage_fixed: float | None
    soon_fixed: float | None


class Outcome:
    """What a policy came to on each account; a fixed schedule has one column per phase."""

    def __init__(self, windows: Sequence[int], phases: Sequence[Sequence[Tally]]) -> None:
        self.windows = tuple(windows)
        self._phases = [
            (
                tuple(one.reads for one in phase),
                tuple(one.detected for one in phase),
                tuple(one.waited for one in phase),
                tuple(one.soon for one in phase),
            )
            for phase in phases
        ]

    def figures(self, weights: Sequence[int] | None = None) -> Figures | None:
        """The mean over the phases; None where some phase saw no window at all."""
        windows = _sum(self.windows, weights)
        sums = [[_sum(column, weights) for column in phase] for phase in self._phases]
        if not windows or any(not detected for _, detected, _, _ in sums):
            return None
        count = len(sums)
        return Figures(
            sum(reads / detected for reads, detected, _, _ in sums) / count,
            sum(detected / windows for _, detected, _, _ in sums) / count,
            sum(waited / detected / MINUTES for _, detected, waited, _ in sums) / count,
            sum(soon / windows for _, _, _, soon in sums) / count,
        )

    @cached_property
    def detected(self) -> tuple[float, ...]:
        """Detected windows per account, mean over the phases."""
        count = len(self._phases)
        return tuple(
            sum(seen) / count for seen in zip(*(phase[1] for phase in self._phases), strict=True)
        )


class FixedCurve:
    """The outcomes of the fixed schedules on the same accounts, worked out when first asked for."""

    def __init__(self, tracks: Sequence[Track]) -> None:
        self._tracks = tracks
        self._windows = tuple(track.counted for track in tracks)
        self._every = curve(tracks[0].unit)
        self._known: dict[int, Outcome] = {}

    def __len__(self) -> int:
        return len(self._every)

    def names(self) -> list[str]:
        """The schedules, densest first."""
        return [every.name for every in self._every]

    def outcome(self, index: int) -> Outcome:
        """The outcome of one schedule."""
        if index not in self._known:
            self._known[index] = fixed_outcome(self._tracks, self._every[index])
        return self._known[index]

    def against(self, mine: Figures, weights: Sequence[int] | None = None) -> VsFixed:
        """Set figures against the curve, both of the same accounts."""
        points: dict[int, Figures | None] = {}

        def point(index: int) -> Figures | None:
            if index not in points:
                points[index] = self.outcome(index).figures(weights)
            return points[index]

        reads = self._off(
            point, mine.delay, lambda one: one.delay, lambda one: one.reads, beyond=False
        )
        delay = self._off(point, -mine.reads, lambda one: -one.reads, lambda one: one.delay)
        covers = self._off(point, -mine.reads, lambda one: -one.reads, lambda one: one.coverage)
        soon = self._off(point, -mine.reads, lambda one: -one.reads, lambda one: one.soon)
        return VsFixed(
            None if reads is None else 1 - mine.reads / reads,
            None if delay is None else mine.delay - delay,
            covers,
            soon,
        )

    def _off(
        self,
        point: Callable[[int], Figures | None],
        at: float,
        across: Callable[[Figures], float],
        up: Callable[[Figures], float],
        *,
        beyond: bool = True,
    ) -> float | None:
        """The curve's `up` where its `across`, which grows along it, is `at`."""
        low, high = 0, len(self) - 1
        first, last = point(low), point(high)
        if first is not None and at <= across(first):
            return up(first)
        if last is None or first is None:
            return None
        if at > across(last):
            return up(last) if beyond else None
        while high - low > 1:
            middle = (low + high) // 2
            found = point(middle)
            if found is None:
                return None
            if across(found) < at:
                low = middle
            else:
                high = middle
        left, right = point(low), point(high)
        if left is None or right is None or across(right) == across(left):
            return None
        share = (at - across(left)) / (across(right) - across(left))
        return up(left) + share * (up(right) - up(left))


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval, or None where too many draws had no figure."""

    low: float
    high: float


def fixed_outcome(tracks: Sequence[Track], every: Every) -> Outcome:
    """All phases of one fixed schedule."""
    return Outcome(
        tuple(track.counted for track in tracks),
        [
            [tally(track, every.step, phase) for track in tracks]
            for phase in every.phases(tracks[0].unit)
        ],
    )


def bootstrap(
    outcome: Outcome,
    fixed: FixedCurve,
    *,
    resamples: int,
    seed: int,
    step: Callable[[], None] = lambda: None,
) -> dict[str, Interval | None]:
    """Intervals of all figures and comparisons, by the names of their fields."""
    chance = random.Random(seed)  # noqa: S311 - draws accounts again, the same in every run
    count = len(outcome.windows)
    draws: dict[str, list[float]] = {}
    for _ in range(resamples):
        weights = [0] * count
        for drawn in chance.choices(range(count), k=count):
            weights[drawn] += 1
        mine = outcome.figures(weights)
        step()
        if mine is None:
            continue
        versus = fixed.against(mine, weights)
        for record in (mine, versus):
            for name in record.__slots__:
                value = getattr(record, name)
                if value is not None:
                    draws.setdefault(name, []).append(value)
    names = (*Figures.__slots__, *VsFixed.__slots__)
    return {name: _middle(draws.get(name, []), resamples) for name in names}


def _middle(values: list[float], resamples: int) -> Interval | None:
    """The middle 95 % of the draws; a figure that a twentieth of them lacks has no interval."""
    if len(values) < 0.95 * resamples or len(values) < 20:
        return None
    ordered = sorted(values)
    edge = len(ordered) * 25 // 1000
    return Interval(ordered[edge], ordered[-1 - edge])


def _sum(column: Sequence[int], weights: Sequence[int] | None) -> int:
    return sum(column) if weights is None else sum(map(mul, column, weights))
