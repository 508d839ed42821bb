"""What became of an attempt to contact a borrower: one word for all channels and all who try."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from app.domain.contact_policy import SOURCES
from app.domain.message import CancelReason


class Outcome(StrEnum):
    """One of these for each attempt.

    `made`: a person made the contact, in whatever way it ended. `unknown`: the provider never said
    whether it left. `refused`: a rule, a hold, the borrower's own no or the stop switch stood
    against it. `called_off`: its reason was gone (paid, promised). `not_possible`: no address, no
    words, nothing behind the link. `withheld`: observe-only mode, it would have left.
    """

    WAITING = "waiting"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    MADE = "made"
    REFUSED = "refused"
    CALLED_OFF = "called_off"
    NOT_POSSIBLE = "not_possible"
    WITHHELD = "withheld"


NEVER_LEFT: Final = (
    Outcome.REFUSED,
    Outcome.CALLED_OFF,
    Outcome.NOT_POSSIBLE,
    Outcome.WITHHELD,
)
"""Nobody was contacted."""

# The name that the gate has for what stood against it, where it was not the gate that stopped it:
# a hold or a no of the borrower takes queued messages back at once.
BARRED: Final = {
    CancelReason.HOLD.value: "hold",
    CancelReason.OPTED_OUT.value: "opt_out",
    CancelReason.STOP_SWITCH.value: "stop_switch",
}
REFUSALS: Final = (*BARRED, CancelReason.GATE_REFUSED.value)
"""Reasons with a rule behind them; all others took the sense out of an attempt, or the means."""


def source_of(reason: str) -> str:
    """Who demands it, of a reason in `BARRED`."""
    return SOURCES[BARRED[reason]]
