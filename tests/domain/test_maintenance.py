"""Announced maintenance: how it is written, when it is, and that no read is planned into it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.maintenance import WeeklyHours, resting, rests_until
from app.domain.read_planner import PlanQuestion, PlanReason, next_read, window_open

MADRID = "Europe/Madrid"
# A Friday.
FRIDAY = datetime(2026, 3, 6, 12, 0, tzinfo=UTC)
WEEKEND = WeeklyHours.parse("Sat 20:00-Sun 10:00")


def madrid(*when: int) -> datetime:
    return datetime(*when, tzinfo=ZoneInfo(MADRID))  # type: ignore[misc, arg-type]


@pytest.mark.parametrize("text", ["Sat 20:00-Sun 10:00", "Sun 02:00-06:00", "Mon 23:00-Mon 01:00"])
def test_it_is_written_as_banks_announce_it(text: str) -> None:
    assert str(WeeklyHours.parse(text)) == text


@pytest.mark.parametrize("text", ["", "Sat", "Sat 20:00", "Sat 25:00-Sun 10:00", "Sun 02:00-02:00",
                                  "Sab 20:00-Dom 10:00", "Sat 20:00-Sun 10:00 CET"])  # fmt: skip
def test_nothing_else_is_guessed_at(text: str) -> None:
    with pytest.raises(Invalid):
        WeeklyHours.parse(text)


def test_a_weekend_over_midnight_is_one_rest() -> None:
    found = resting((WEEKEND,), MADRID, (), FRIDAY)
    assert found[0] == (madrid(2026, 3, 7, 20), madrid(2026, 3, 8, 10))
    assert rests_until(found, madrid(2026, 3, 7, 19, 59)) is None
    assert rests_until(found, madrid(2026, 3, 7, 20)) == madrid(2026, 3, 8, 10)
    assert rests_until(found, madrid(2026, 3, 8, 10)) is None


def test_one_that_began_last_week_still_holds() -> None:
    over_the_week = WeeklyHours.parse("Sun 22:00-Mon 06:00")
    now = madrid(2026, 3, 9, 1)
    assert rests_until(resting((over_the_week,), MADRID, (), now), now) == madrid(2026, 3, 9, 6)


def test_the_night_of_the_clock_change_is_an_hour_shorter() -> None:
    night = WeeklyHours.parse("Sun 01:00-05:00")
    begins, ends = resting((night,), MADRID, (), madrid(2026, 3, 28, 12))[0]
    assert ends - begins == timedelta(hours=3)


def test_rests_without_a_gap_are_one() -> None:
    single = ((madrid(2026, 3, 8, 9), madrid(2026, 3, 8, 14)),)
    found = resting((WEEKEND,), MADRID, single, FRIDAY)
    assert rests_until(found, madrid(2026, 3, 7, 21)) == madrid(2026, 3, 8, 14)


def question(now: datetime, number: int, *spans: tuple[datetime, datetime]) -> PlanQuestion:
    return PlanQuestion(
        UUID(int=number), now, MADRID, time(6), time(22),
        resting=resting((WEEKEND,), MADRID, spans, now),
    )  # fmt: skip


@given(st.integers(0, 6 * 24 * 60), st.integers(1, 10**9), st.integers(0, 9 * 24))
def test_no_read_is_planned_into_a_rest(minutes: int, number: int, hours: int) -> None:
    now = FRIDAY + timedelta(minutes=minutes)
    long = (now + timedelta(hours=2), now + timedelta(hours=3 + hours))
    asked = question(now, number, long)
    at = next_read(asked).at
    assert at is not None
    assert at > now
    assert rests_until(asked.resting, at) is None


def test_after_a_rest_of_days_everybody_has_a_place_of_his_own() -> None:
    rest = (FRIDAY, FRIDAY + timedelta(days=9))
    places = [next_read(question(FRIDAY, number, rest)).at for number in range(1, 60)]
    assert min(one for one in places if one) >= rest[1]
    assert len(set(places)) == len(places)
    assert max(one for one in places if one) - min(one for one in places if one) > timedelta(
        hours=2
    )


def test_the_last_check_before_a_read_sees_it_too() -> None:
    window = window_open(question(madrid(2026, 3, 7, 21), 1))
    assert (window.open, window.reason) == (False, PlanReason.MAINTENANCE)
    assert window.next_at == madrid(2026, 3, 8, 10)
