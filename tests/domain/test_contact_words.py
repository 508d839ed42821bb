"""How hours and lengths of time are put into words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.contact_words import describe, length
from app.domain.open_hours import Weekly
from tests.domain.gate_world import week


@pytest.mark.parametrize(
    ("weekly", "words"),
    [
        (week("09:00-20:00", range(6)), "Monday to Saturday 09:00–20:00"),
        (week("08:00-21:00"), "Monday to Sunday 08:00–21:00"),
        (week("10:00-12:00 15:00-24:00", [6]), "Sunday 10:00–12:00 and 15:00–24:00"),
        (week("09:00-10:00", [0, 1, 3]), "Monday to Tuesday 09:00–10:00, Thursday 09:00–10:00"),
        (
            (*week("07:00-19:00", range(5))[:5], *week("08:00-15:00", [5])[5:]),
            "Monday to Friday 07:00–19:00, Saturday 08:00–15:00",
        ),
        (week("09:00-10:00", []), "at no time"),
    ],
)
def test_hours_in_words(weekly: Weekly, words: str) -> None:
    assert describe(weekly) == words


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(days=7), "7 days"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=61), "61 seconds"),
        (timedelta(0), "0 seconds"),
    ],
)
def test_lengths_in_words(span: timedelta, words: str) -> None:
    assert length(span) == words
