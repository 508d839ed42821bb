"""Shares with their interval: Wilson's own arithmetic, and what must hold of every one."""

from __future__ import annotations

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.proportion import Z95, Proportion

COUNTS = st.integers(0, 5_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        # By hand: (10 + 1.92) / (20 + 3.84) = 0.5; 0.5 +- 1.96 / 23.84 * sqrt(5 + 0.96).
        (10, 20, 0.2993, 0.7007),
        # R. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_known_intervals(hits: int, of: int, low: float, high: float) -> None:
    found = Proportion(hits, of).interval
    assert found == pytest.approx((low, high), abs=5e-5)


@given(COUNTS)
def test_the_share_lies_in_its_interval_and_both_ends_solve_the_score_test(
    counts: tuple[int, int],
) -> None:
    one = Proportion(*counts)
    low, high = one.interval
    assert 0 <= low <= one.share <= high <= 1
    for end in (low, high):
        if one.of and 0 < end < 1:
            # An end is where the share is just as far off as chance allows.
            off = abs(one.share - end) / sqrt(end * (1 - end) / one.of)
            assert off == pytest.approx(Z95, rel=1e-6)


@given(COUNTS)
def test_misses_mirror_hits(counts: tuple[int, int]) -> None:
    hits, of = counts
    low, high = Proportion(hits, of).interval
    assert Proportion(of - hits, of).interval == pytest.approx((1 - high, 1 - low))


@given(st.integers(1, 300), st.integers(2, 20))
def test_more_of_the_same_makes_it_narrower(hits: int, times: int) -> None:
    def width(one: Proportion) -> float:
        return one.interval[1] - one.interval[0]

    assert width(Proportion(hits * times, 2 * hits * times)) < width(Proportion(hits, 2 * hits))


def test_few_are_told_as_few_and_nonsense_is_refused() -> None:
    assert Proportion(29, 29).small
    assert not Proportion(0, 30).small
    assert Proportion(0, 0).interval == (0.0, 1.0)
    for hits, of in ((1, 0), (-1, 4), (5, 4)):
        with pytest.raises(ValueError, match="no share"):
            Proportion(hits, of)
