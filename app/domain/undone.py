"""Acts that were ordered and not done: which ones are told, and of which days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from app.domain.stage_plan import Skip


class Ordered(StrEnum):
    """What a strategy orders about a case: kinds of its steps (StepKind)."""

    CALL = "call"
    NOTICE = "notice"
    PROMISE_REMINDER = "promise_reminder"


class Waits(StrEnum):
    """Why a call that was ordered was not made, while its task still waits."""

    NOT_TAKEN = "not_taken"
    IN_HAND = "in_hand"
    TOO_EARLY = "too_early"


FAILED: Final = "failed"
"""A message that left and did not arrive, or could not be sent."""

_LONGEST_REST: Final = timedelta(days=30)

# The strategy's own choice, or nothing of it is missing.
NO_NEWS: Final = frozenset({Skip.OVERTAKEN, Skip.BEFORE_OUR_TIME, Skip.WITHHELD, Skip.DONE})


def days_to_tell(today: date, works: Callable[[date], bool]) -> tuple[date, date] | None:
    """From the last working day to yesterday; None on a day on which nobody is told. `works` says
    of a day whether people work then.

    On a Monday that is Friday to Sunday: what was ordered for a weekend is told as well.
    """
    if not works(today):
        return None
    first = today - timedelta(days=1)
    # Bounded: no country rests for a month.
    while not works(first) and today - first < _LONGEST_REST:
        first -= timedelta(days=1)
    return first, today - timedelta(days=1)
