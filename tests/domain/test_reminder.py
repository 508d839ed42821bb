"""A collector's own reminders: what can be asked for, and when the next one is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.reminder import ReminderCondition, check_reminder, next_due

NOW = datetime(2026, 3, 3, 10, tzinfo=UTC)
SOON = NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "due_at"),
        ({"due_at": SOON, "condition": ReminderCondition.PAID}, "due_at"),
        ({"due_at": NOW}, "due_at"),
        ({"due_at": NOW + timedelta(days=367)}, "due_at"),
        ({"due_at": SOON, "every_days": 91}, "every_days"),
        ({"due_at": SOON, "every_days": -1}, "every_days"),
        ({"condition": ReminderCondition.PAID, "every_days": 3}, "every_days"),
        ({"due_at": SOON, "note": "x" * 501}, "note"),
    ],
)
def test_what_cannot_be_asked_for(given: dict[str, Any], field: str) -> None:
    whole: dict[str, Any] = {"due_at": None, "condition": None, "every_days": 0, "note": ""}
    with pytest.raises(Invalid) as refusal:
        check_reminder(NOW, **{**whole, **given})
    assert refusal.value.field == field


def test_a_moment_an_interval_and_each_event_can_be_asked_for() -> None:
    check_reminder(NOW, due_at=SOON, condition=None, every_days=0, note="ask for the letter")
    check_reminder(NOW, due_at=SOON, condition=None, every_days=7, note="")
    for condition in ReminderCondition:
        check_reminder(NOW, due_at=None, condition=condition, every_days=0, note="")


@given(st.integers(0, 90), st.integers(0, 1000))
def test_an_interval_goes_on_in_its_own_rhythm_after_missed_days(every: int, late: int) -> None:
    now = SOON + timedelta(hours=late)
    again = next_due(SOON, every, now)
    if not every:
        assert again is None
    else:
        assert again is not None
        assert now < again <= now + timedelta(days=every)
        assert (again - SOON) % timedelta(days=every) == timedelta(0)
