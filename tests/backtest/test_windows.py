"""Thresholds, windows and fixed schedules, each against a slower way to say the same."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backtest.files import MINUTES, Entry, History
from app.backtest.fixed import Every, Tally, tally
from app.backtest.policies import Grid
from app.backtest.replay import Known, replay
from app.backtest.windows import Threshold, Window, daily_balances, quantile, track_of
from app.domain.errors import Invalid
from tests.backtest.made_up import BEGINS, salaried


def by_day(*balances: int, timed: bool = False) -> History:
    """One row a day, from nothing."""
    steps = zip(balances, (0, *balances), strict=False)
    rows = [Entry(n * MINUTES, now - was, now) for n, (now, was) in enumerate(steps)]
    return History("A", BEGINS, tuple(rows), timed)


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=40), st.integers(0, 99))
def test_a_quantile_is_the_interpolated_one_rounded_up(values: list[int], percent: int) -> None:
    ordered = sorted(values)
    place = Fraction((len(values) - 1) * percent, 100)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    exact = ordered[low] + (ordered[high] - ordered[low]) * (place - low)
    assert quantile(values, percent) == math.ceil(exact)


def test_days_without_a_row_keep_the_balance() -> None:
    rows = (Entry(0, 5, 5), Entry(10, 2, 7), Entry(3 * MINUTES, -4, 3))
    assert daily_balances(History("A", BEGINS, rows, timed=False)) == [7, 7, 7, 3]


def test_a_window_begins_after_the_history_days_and_from_below() -> None:
    history = by_day(9, 1, 9, 9, 1, 9, 9, 1, 1, 9)
    day = MINUTES
    assert track_of(history, 5, 0, history_days=0).windows == (
        Window(0, day, counted=False),
        Window(2 * day, 4 * day, counted=True),
        Window(5 * day, 7 * day, counted=True),
        Window(9 * day, 10 * day, counted=True),
    )
    # What is open when counting begins is no window; the floor is money that is not there.
    assert track_of(history, 5, 0, history_days=3).windows[0] == Window(2 * day, 4 * day, False)
    assert track_of(history, 5, 0, history_days=2).counted == 3
    assert track_of(history, 5, 5, history_days=0).windows == ()


def test_a_fixed_schedule_by_hand() -> None:
    track = track_of(by_day(1, 1, 1, 9, 9, 9, 1, 1, 9, 1), 5, 0, history_days=0)
    # Reads on days 0, 2 and 4 (seen, a day late), rest on 5, 6 and 8 (seen at once): five.
    assert tally(track, 2 * MINUTES, 0) == Tally(5, 2, MINUTES, 1)
    # Days 1 and 3 (seen at once), rest on 5, 7 in vain; on 9 the money has gone again.
    assert tally(track, 2 * MINUTES, MINUTES) == Tally(4, 1, 0, 1)


def grid(first: int, step: int, _known: Known) -> Grid:
    return Grid(first, step)


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("name", ["daily", "every:3d", "every:11d"])
@pytest.mark.parametrize("history_days", [0, 90])
def test_the_arithmetic_is_the_replay(timed: bool, name: str, history_days: int) -> None:
    every = Every.parse(name)
    assert every is not None
    for seed in range(6):
        history = salaried(seed, timed=timed)
        due = Threshold.parse("q75", "EUR").of(history, {})
        assert due is not None
        track = track_of(history, due, 0, history_days)
        for phase in every.phases(track.unit)[::5]:
            first = track.begins + phase
            lived = replay(
                track, partial(grid, first, every.step), currency="EUR", transactions=False
            )
            assert lived == tally(track, every.step, phase)
            assert lived.detected > 0


def test_words_for_thresholds_and_schedules() -> None:
    history = by_day(1, 2, 3)
    assert Threshold.parse("instalment*3", "EUR").of(history, {"A": 100}) == 300
    assert Threshold.parse("instalment*3", "EUR").of(history, {}) is None
    assert Threshold.parse("12.50", "EUR").of(history, {}) == 1250
    assert Threshold.parse("q50", "EUR").of(by_day(-9, -9, 1), {}) is None
    for text in ("p75", "instalment*", "1,5", "q100"):
        with pytest.raises(Invalid, match="--threshold"):
            Threshold.parse(text, "EUR")
    assert [Every.parse(text) for text in ("daily", "every:6h", "payday")] == [
        Every(MINUTES), Every(360), None,
    ]  # fmt: skip
    with pytest.raises(Invalid, match="reads without end"):
        Every.parse("every:0d")
    with pytest.raises(Invalid, match="column `time`"):
        Every(360).phases(MINUTES)
