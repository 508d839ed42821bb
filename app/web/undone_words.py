"""What was ordered and not done, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.domain.message import CancelReason
from app.domain.stage_plan import Skip
from app.domain.undone import FAILED, Ordered, Waits
from app.web import words
from app.web.telling import sentence

ORDERS: Final[Mapping[Ordered, str]] = {
    Ordered.CALL: "Calls",
    Ordered.NOTICE: "Notices",
    Ordered.PROMISE_REMINDER: "Reminders of promises",
}

_WAITS: Final[Mapping[str, str]] = {
    Waits.NOT_TAKEN: "nobody took it",
    Waits.IN_HAND: "begun and not finished",
    Waits.TOO_EARLY: "the contact rules put it off",
    FAILED: "it did not arrive",
    # Words that tasks are called off with (app/flows).
    "approval": "a proposal waits",
    "case_closed": "the case is closed",
}


def why_in_words(why: str) -> str:
    """One reason, without a capital: it stands behind a number."""
    if why in _WAITS:
        return _WAITS[why]
    if why in set(CancelReason):
        return words.CANCEL_REASONS[CancelReason(why)]
    if why in set(Skip):
        return words.SKIPS[Skip(why)]
    said = sentence(why).removesuffix(".")
    return f"{said[:1].lower()}{said[1:]}"
