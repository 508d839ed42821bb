"""Lift: thousands of looks do not make a difference out of nothing, and a real one is found."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from math import sqrt

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.lift import Lift, Outcomes, believable, differ, evidence, lift

RUNS = 600
CASES = 1_500
PEEK_EVERY = 25

Outcome = Callable[[random.Random], float]


def yes_or_no(chance: float) -> Outcome:
    """Paid in whole, or not at all."""
    return lambda chances: float(chances.random() < chance)


def partly(chances: random.Random) -> float:
    """Most pay nothing, some a part, some all."""
    kind = chances.random()
    return 0.0 if kind < 0.5 else chances.random() if kind < 0.7 else 1.0


def looks(
    chances: random.Random, share: float, control: Outcome, treated: Outcome
) -> Iterator[tuple[Outcomes, Outcomes]]:
    """Both arms after every `PEEK_EVERY` cases."""
    counts, totals = [0, 0], [0.0, 0.0]
    for at in range(1, CASES + 1):
        arm = int(chances.random() < share)
        counts[arm] += 1
        totals[arm] += (treated if arm else control)(chances)
        if at % PEEK_EVERY == 0:
            yield Outcomes(counts[1], totals[1]), Outcomes(counts[0], totals[0])


def alarms(
    share: float, control: Outcome, treated: Outcome, cries: Callable[..., bool], runs: int = RUNS
) -> float:
    """The share of runs in which somebody who looks after every few cases sees a difference."""
    found = 0
    for seed in range(runs):
        chances = random.Random(seed)
        found += any(cries(*both) for both in looks(chances, share, control, treated))
    return found / runs


def usual_test(treated: Outcomes, control: Outcomes) -> bool:
    """What is written in most reports: two means, 1.96 standard errors."""
    if min(treated.count, control.count) < 10:
        return False
    spread = sum(one.mean * (1 - one.mean) / one.count for one in (treated, control))
    return spread > 0 and abs(treated.mean - control.mean) > 1.96 * sqrt(spread)


@pytest.mark.parametrize(
    ("share", "outcome"),
    [
        (0.5, yes_or_no(0.5)),
        (0.5, yes_or_no(0.05)),
        (0.9, yes_or_no(0.3)),
        (0.1, partly),
    ],
    ids=["even", "rare", "small holdout", "part payments"],
)
def test_nothing_is_seldom_taken_for_something_however_often_one_looks(
    share: float, outcome: Outcome
) -> None:
    assert alarms(share, outcome, outcome, differ) <= 0.05


def test_the_usual_interval_fails_this_very_test() -> None:
    assert alarms(0.5, yes_or_no(0.5), yes_or_no(0.5), usual_test, runs=300) > 0.2


def test_a_real_difference_is_found() -> None:
    assert alarms(0.5, yes_or_no(0.4), yes_or_no(0.6), differ, runs=200) > 0.95


@pytest.mark.long
def test_the_interval_covers_the_truth_at_all_looks_together() -> None:
    missed = 0
    for seed in range(20):
        chances = random.Random(seed)
        for at, both in enumerate(looks(chances, 0.5, yes_or_no(0.3), yes_or_no(0.5))):
            if at in (3, 15, 59):
                found = lift(*both)
                missed += not found.low <= 0.2 <= found.high
    assert missed == 0


def test_without_cases_everything_is_possible() -> None:
    assert lift(Outcomes(0, 0.0), Outcomes(0, 0.0)) == Lift(0.0, -1.0, 1.0)
    assert not differ(Outcomes(0, 0.0), Outcomes(0, 0.0))
    assert believable(Outcomes(0, 0.0)) == (0.0, 1.0)
    alone = lift(Outcomes(500, 250.0), Outcomes(0, 0.0))
    assert alone.low < 0 < alone.high


def test_all_paid_and_none_paid() -> None:
    found = lift(Outcomes(200, 200.0), Outcomes(200, 0.0))
    assert found.certain
    assert found.high == pytest.approx(1.0)
    assert found.low > 0.9
    low, high = believable(Outcomes(200, 200.0))
    assert high == 1.0
    assert 0.95 < low < 1
    assert evidence(Outcomes(10, 10.0), 0.0) > 100
    assert evidence(Outcomes(10, 5.0), 1.0) > 100


def test_outcomes_are_shares() -> None:
    assert Outcomes.of([0.0, 0.5, 1.0]) == Outcomes(3, 1.5)
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            Outcomes.of([wrong])


arms = st.integers(1, 3_000).flatmap(
    lambda count: st.floats(0, 1).map(lambda share: Outcomes(count, share * count))
)


@given(arms, arms)
def test_the_interval_is_one_and_holds_its_middle(treated: Outcomes, control: Outcomes) -> None:
    found = lift(treated, control)
    assert -1 <= found.low <= found.difference + 1e-9
    assert found.difference - 1e-9 <= found.high <= 1
    swapped = lift(control, treated)
    assert swapped.low == pytest.approx(-found.high, abs=1e-6)
    assert swapped.high == pytest.approx(-found.low, abs=1e-6)


@given(arms, arms)
def test_the_quick_answer_is_the_intervals_answer(treated: Outcomes, control: Outcomes) -> None:
    found = lift(treated, control)
    assume(min(abs(found.low), abs(found.high)) > 1e-4)
    assert differ(treated, control) == found.certain


@given(arms, arms, st.integers(2, 5))
def test_more_of_the_same_cases_narrow_it(treated: Outcomes, control: Outcomes, times: int) -> None:
    few = lift(treated, control)
    many = lift(
        Outcomes(treated.count * times, treated.total * times),
        Outcomes(control.count * times, control.total * times),
    )
    assert many.high - many.low <= few.high - few.low + 1e-6
