"""Where an account goes on the reading plan after a look at it."""

from __future__ import annotations

from datetime import datetime

from app.domain.read_planner import PlanQuestion, next_read


def next_or_end(question: PlanQuestion, *, reading_now: bool) -> datetime | None:
    """The next slot, or the window's end where none comes before it; None when that is past.

    An account of an open case stays on the plan until its consent is over, so that "nothing is
    planned" always means that nobody looks after it. At the end itself nothing is read.
    """
    planned = next_read(question, reading_now=reading_now).at
    end = question.window_ends_at
    return end if planned is None and end is not None and end > question.now else planned
