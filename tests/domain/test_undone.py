"""Each day that something was ordered for is told on exactly one working day."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.undone import days_to_tell

GOOD_FRIDAY, EASTER_MONDAY = date(2026, 4, 3), date(2026, 4, 6)


def works_but_on(holidays: Collection[date]) -> Callable[[date], bool]:
    """Monday to Friday, without these days."""
    return lambda day: day.weekday() < 5 and day not in holidays


SPAIN = works_but_on({GOOD_FRIDAY, EASTER_MONDAY})


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (date(2026, 3, 3), (date(2026, 3, 2), date(2026, 3, 2))),
        (date(2026, 3, 9), (date(2026, 3, 6), date(2026, 3, 8))),
        (date(2026, 3, 7), None),
        (GOOD_FRIDAY, None),
        (EASTER_MONDAY, None),
        (date(2026, 4, 7), (date(2026, 4, 2), EASTER_MONDAY)),
    ],
)
def test_the_days_that_are_told(today: date, expected: tuple[date, date] | None) -> None:
    assert days_to_tell(today, SPAIN) == expected


@given(
    st.dates(date(2026, 1, 1), date(2026, 12, 1)),
    st.sets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=20),
)
def test_no_day_is_told_twice_and_none_is_left_out(day: date, holidays: set[date]) -> None:
    works = works_but_on(holidays)
    told_on = [
        today
        for ahead in range(1, 40)
        if (found := days_to_tell(today := day + timedelta(days=ahead), works)) is not None
        and found[0] <= day <= found[1]
    ]
    # It is told on the first working day after it, and never again.
    first = day + timedelta(days=1)
    while not works(first):
        first += timedelta(days=1)
    assert told_on == [first]
