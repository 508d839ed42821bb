"""The calendar of incomes: which phases a day stands for."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from app.domain.rhythm import GUESSES, RHYTHMS, SIZES, Rhythm, kernel, phases_on

NONE_OFF: frozenset[date] = frozenset()
EASTER = frozenset({date(2026, 4, 3), date(2026, 4, 6)})


def phases(day: date, rhythm: Rhythm, off: frozenset[date] = NONE_OFF) -> tuple[int, ...]:
    return phases_on(day, off)[RHYTHMS.index(rhythm)]


@pytest.mark.parametrize(
    ("day", "rhythm", "expected"),
    [
        (date(2026, 3, 10), Rhythm.MONTH_DAY, (9,)),
        (date(2026, 2, 28), Rhythm.MONTH_DAY, (27, 28, 29, 30)),
        (date(2026, 4, 30), Rhythm.MONTH_DAY, (29, 30)),
        (date(2026, 3, 13), Rhythm.DAY_BEFORE, (12, 13, 14)),  # a Friday, for its weekend
        (date(2026, 3, 14), Rhythm.DAY_BEFORE, ()),
        (date(2026, 3, 16), Rhythm.DAY_AFTER, (15, 14, 13)),  # a Monday
        (date(2026, 3, 31), Rhythm.MONTH_END, (0,)),
        (date(2026, 2, 27), Rhythm.MONTH_END, (0,)),  # the 28th is a Saturday
        (date(2026, 3, 26), Rhythm.MONTH_END, (3,)),
        (date(2026, 3, 29), Rhythm.MONTH_END, ()),
        (date(2026, 3, 12), Rhythm.WEEKDAY, (3,)),
    ],
)
def test_a_day_stands_for_its_phases(day: date, rhythm: Rhythm, expected: tuple[int, ...]) -> None:
    assert phases(day, rhythm) == expected


def test_holidays_are_days_off_like_weekends() -> None:
    # Good Friday and Easter Monday: Thursday stands for five days, and so does Tuesday.
    assert phases(date(2026, 4, 2), Rhythm.DAY_BEFORE, EASTER) == (1, 2, 3, 4, 5)
    assert phases(date(2026, 4, 7), Rhythm.DAY_AFTER, EASTER) == (6, 5, 4, 3, 2)
    assert phases(date(2026, 4, 6), Rhythm.MONTH_END, EASTER) == ()


def test_every_day_of_the_month_is_stood_for_once_whatever_the_weekends() -> None:
    for rhythm in (Rhythm.MONTH_DAY, Rhythm.DAY_BEFORE, Rhythm.DAY_AFTER):
        days = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
        stood = [phase for day in days for phase in phases(day, rhythm)]
        # Twelve months, but for the weekends at both ends of the year.
        assert all(stood.count(phase) in (11, 12, 13) for phase in range(31))
        assert all(phase < SIZES[rhythm] for phase in stood)


def test_fortnights_go_on_over_the_years() -> None:
    day = date(2026, 1, 2)
    assert phases(day, Rhythm.FORTNIGHT) == phases(day + timedelta(days=364), Rhythm.FORTNIGHT)
    assert phases(day, Rhythm.FORTNIGHT) != phases(day + timedelta(days=7), Rhythm.FORTNIGHT)


def test_kernels_are_even_and_whole() -> None:
    assert kernel(0) == (1.0,)
    for guess in GUESSES:
        weights = kernel(guess.spread)
        assert sum(weights) == pytest.approx(1)
        assert weights == weights[::-1]
