"""What is noted of somebody who works tasks: read strictly, written as it is read."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.assignment import Rules, Skills, WorkKind
from app.domain.desk_profile import (
    LONGEST_LEAVE,
    check_leave,
    hours_text,
    make_profile,
    make_rules,
    read_hours,
)
from app.domain.errors import Invalid
from app.domain.money import Money
from app.domain.open_hours import Window

WEEK = ("09:00-17:00",) * 5 + ("", "")
TYPED: dict[str, Any] = {
    "languages": ["PL ", "es", ""],
    "products": [" car "],
    "kinds": ["hardship"],
    "large": True,
    "time_zone": "Europe/Madrid",
    "hours": WEEK,
    "cap": 30,
}


def test_a_profile_from_what_was_typed() -> None:
    made = make_profile(**TYPED)
    kinds = frozenset({WorkKind.HARDSHIP})
    assert made.skills == Skills(frozenset({"pl", "es"}), frozenset({"car"}), kinds, large=True)
    assert made.hours == ((Window(540, 1020),),) * 5 + ((),) * 2
    assert (made.time_zone, made.cap) == ("Europe/Madrid", 30)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"languages": ["polski"]}, "languages"),
        ({"languages": [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]}, "languages"),
        ({"products": ["x" * 101]}, "products"),
        ({"kinds": ["juggling"]}, "kinds"),
        ({"time_zone": "Europe/Atlantis"}, "time_zone"),
        ({"cap": 0}, "cap"),
        ({"cap": 501}, "cap"),
        ({"hours": ("",) * 7}, "hours"),
        ({"hours": ("09:00-17:00",)}, "hours"),
        ({"hours": ("17:00-09:00", *("",) * 6)}, "hours"),
        ({"hours": ("nine to five", *("",) * 6)}, "hours"),
        ({"hours": ("09:00-13:00, 12:00-18:00", *("",) * 6)}, "hours"),
    ],
)
def test_what_is_refused_by_name(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        make_profile(**{**TYPED, **wrong})
    assert refusal.value.field == field


def test_a_day_in_two_pieces_in_any_order() -> None:
    week = read_hours(("15:00-18:00, 09:00–13:00", *("",) * 6))
    assert week[0] == (Window(540, 780), Window(900, 1080))
    assert hours_text(week[0]) == "09:00-13:00, 15:00-18:00"


@given(st.sets(st.integers(0, 1440), min_size=2, max_size=8).map(sorted))
def test_hours_are_written_as_they_are_read(minutes: list[int]) -> None:
    pairs = zip(minutes[::2], minutes[1::2], strict=False)
    day = tuple(Window(start, end) for start, end in pairs)
    assert read_hours((hours_text(day), *("",) * 6))[0] == day


def test_rules_name_a_currency_once() -> None:
    bounds = [Money(100, "PLN"), Money(50, "EUR")]
    made = make_rules(languages=["pl"], products=[], kinds=["dispute"], large_from=bounds)
    assert made == Rules(
        frozenset({"pl"}), frozenset(), frozenset({WorkKind.DISPUTE}), (bounds[1], bounds[0])
    )
    for wrong in ([Money(1, "EUR"), Money(2, "EUR")], [Money(0, "EUR")]):
        with pytest.raises(Invalid) as refusal:
            make_rules(languages=[], products=[], kinds=[], large_from=wrong)
        assert refusal.value.field == "large_from"


TODAY = date(2026, 3, 3)


@pytest.mark.parametrize(
    ("starts_on", "until_on", "field"),
    [
        (None, TODAY, "starts_on"),
        (TODAY, None, "until_on"),
        (TODAY - timedelta(days=9), TODAY - timedelta(days=1), "until_on"),
        (TODAY + timedelta(days=2), TODAY + timedelta(days=1), "until_on"),
        (TODAY, TODAY + LONGEST_LEAVE + timedelta(days=1), "until_on"),
    ],
)
def test_a_leave_that_cannot_be(starts_on: date | None, until_on: date | None, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_leave(starts_on, until_on, TODAY)
    assert refusal.value.field == field


def test_a_leave_may_have_begun_and_last_a_day() -> None:
    yesterday = TODAY - timedelta(days=1)
    assert check_leave(yesterday, TODAY, TODAY) == (yesterday, TODAY)
