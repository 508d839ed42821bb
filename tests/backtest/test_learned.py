"""The learned plan in the replay: it saves reads, and it never knows what it has not seen."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from app.backtest.compare import FixedCurve, Outcome
from app.backtest.files import MINUTES, Entry, History
from app.backtest.learned import USUAL, Learned
from app.backtest.replay import Known, known_of, replay
from app.backtest.windows import Threshold, Track, track_of
from tests.backtest.made_up import salaried


class Watched(Learned):
    """The learned plan, with what it was asked and what it answered written down."""

    log: list[Any]

    def __init__(self, known: Known) -> None:
        self.log = []
        super().__init__(known, USUAL)

    def next_read(self, minute: int) -> int | None:
        at = super().next_read(minute)
        self.log.append((minute, at))
        return at


def track(history: History, history_days: int) -> Track:
    due = Threshold.parse("q75", "EUR").of(history, {})
    assert due is not None
    return track_of(history, due, 0, history_days)


def lived(one: Track, *, transactions: bool) -> list[Any]:
    seen: list[Watched] = []

    def made(known: Known) -> Watched:
        seen.append(Watched(known))
        return seen[0]

    replay(one, made, currency="EUR", transactions=transactions)
    return seen[0].log


@pytest.mark.parametrize(("history_days", "transactions"), [(90, True), (90, False), (0, False)])
def test_it_reads_less_for_the_same_delay_and_misses_no_more(
    history_days: int, transactions: bool
) -> None:
    tracks = [track(salaried(seed, 200), history_days) for seed in range(8)]
    made = partial(Learned, settings=USUAL)
    outcome = Outcome(
        [one.counted for one in tracks],
        [[replay(one, made, currency="EUR", transactions=transactions) for one in tracks]],
    )
    figures = outcome.figures()
    assert figures is not None
    versus = FixedCurve(tracks).against(figures)
    assert versus.reads_saved is not None
    assert versus.reads_saved > (0.5 if history_days else 0.2)
    assert versus.coverage_fixed is not None
    assert figures.coverage >= versus.coverage_fixed


@settings(max_examples=6, phases=[Phase.explicit, Phase.generate])
@example(seed=2, day=105, timed=True, transactions=False, known=True)
@given(st.integers(0, 50), st.integers(95, 120), st.just(value=False), st.booleans(), st.booleans())
def test_another_future_changes_no_decision_before_it(
    seed: int, day: int, timed: bool, transactions: bool, known: bool
) -> None:
    history = salaried(seed, 125, timed=timed)
    one = track(history, 90 if known else 0)
    cut = day * MINUTES
    before = tuple(entry for entry in history.entries if entry.minute < cut)
    flood = Entry(cut, 9_000_000, before[-1].balance_minor + 9_000_000)
    end = replace(history.entries[-1], balance_minor=flood.balance_minor - 7, minor=-7)
    other = track_of(
        replace(history, entries=(*before, flood, end)), one.due_minor, 0, one.begins // MINUTES
    )
    here, there = lived(one, transactions=transactions), lived(other, transactions=transactions)
    # A rest ends when its window closes, which the future decides: up to there all is the same.
    same = [pair for pair in zip(here, there, strict=False) if max(pair[0][0], pair[1][0]) < cut]
    assert same
    assert all(a == b for a, b in same)
    assert lived(one, transactions=transactions) == here


def test_what_is_told_ends_with_the_history_days() -> None:
    one = track(salaried(1), 90)
    told = known_of(one, transactions=True)
    assert len(told.daily) == 90
    assert max(entry.minute for entry in told.entries) < 90 * MINUTES
    assert known_of(one, transactions=False).entries == ()
    # With hours the balances of the history tell as much as its rows.
    assert known_of(track(salaried(1, timed=True), 90), transactions=False).entries
    assert known_of(track(salaried(1), 0), transactions=True).entries == ()
