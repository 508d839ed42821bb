"""A collector's own reminders: at a moment, at intervals, or when something happens."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from app.domain.errors import Invalid

LONGEST_DAYS: Final = 90
FURTHEST: Final = timedelta(days=366)
LONGEST_NOTE: Final = 500


class ReminderCondition(StrEnum):
    """What a reminder can wait for, other than a moment."""

    MONEY_SEEN = "money_seen"
    PAID = "paid"
    PROMISE_BROKEN = "promise_broken"
    MESSAGE_UNDELIVERED = "message_undelivered"


def check_reminder(
    now: datetime,
    *,
    due_at: datetime | None,
    condition: ReminderCondition | None,
    every_days: int,
    note: str,
) -> None:
    """Raises `Invalid`. A reminder has a moment or a condition; an interval begins at a moment."""
    if (due_at is None) == (condition is None):
        raise Invalid(
            "due_at", "or a condition is needed, not both.", mend="Choose a moment or an event."
        )
    if due_at is not None and not now < due_at <= now + FURTHEST:
        raise Invalid("due_at", "must be ahead, and within a year.")
    if not 0 <= every_days <= LONGEST_DAYS:
        raise Invalid("every_days", f"is from 1 to {LONGEST_DAYS}, or empty for once.")
    if every_days and due_at is None:
        raise Invalid("every_days", "needs a first moment.", mend="Give due_at, too.")
    if len(note) > LONGEST_NOTE:
        raise Invalid("note", f"has more than {LONGEST_NOTE} characters.", mend="Shorten it.")


def next_due(due_at: datetime, every_days: int, now: datetime) -> datetime | None:
    """When a reminder that was just raised is due again; None: it was the last time.

    Moments that were missed are raised once, not one by one.
    """
    if not every_days:
        return None
    step = timedelta(days=every_days)
    missed = max(0, (now - due_at) // step)
    return due_at + step * (missed + 1)
