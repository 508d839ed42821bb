"""The pace of one key: a minute's calls at once, then the rate, never more."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.pace import Pace
from app.api.problems import TooMany

ONE, OTHER = UUID(int=1), UUID(int=2)


class Watch:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_a_minutes_calls_go_at_once_and_then_one_by_one() -> None:
    watch = Watch()
    pace = Pace(60, watch)
    for _ in range(60):
        pace.count(ONE)
    with pytest.raises(TooMany) as caught:
        pace.count(ONE)
    assert caught.value.after_s == 1
    pace.count(OTHER)
    watch.at += 1.0
    pace.count(ONE)
    with pytest.raises(TooMany):
        pace.count(ONE)


@given(
    st.integers(1, 500),
    st.lists(st.floats(0, 90, allow_nan=False), min_size=1, max_size=300),
)
def test_never_more_than_agreed(per_minute: int, pauses: list[float]) -> None:
    watch = Watch()
    pace, began, done = Pace(per_minute, watch), watch.at, 0
    for pause in pauses:
        watch.at += pause
        with suppress(TooMany):
            pace.count(ONE)
            done += 1
    assert done <= per_minute + (watch.at - began) * per_minute / 60 + 1


def test_the_wait_it_names_is_enough() -> None:
    watch = Watch()
    pace = Pace(2, watch)
    pace.count(ONE)
    pace.count(ONE)
    with pytest.raises(TooMany) as caught:
        pace.count(ONE)
    watch.at += caught.value.after_s
    pace.count(ONE)
