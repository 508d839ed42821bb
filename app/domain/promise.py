"""Promises to pay: a date and an amount, or several, and how a promise ends."""

from __future__ import annotations

from enum import StrEnum

from app.domain.lifecycle import Lifecycle


class PromiseState(StrEnum):
    """`part`: something was paid by the deadline, not enough. `broken`: nothing was."""

    OPEN = "open"
    KEPT = "kept"
    PART = "part"
    BROKEN = "broken"
    CANCELLED = "cancelled"


PROMISE = Lifecycle(
    "promise",
    PromiseState,
    start=PromiseState.OPEN,
    table={
        PromiseState.OPEN: {
            "keep": PromiseState.KEPT,
            "part_keep": PromiseState.PART,
            "break": PromiseState.BROKEN,
            "cancel": PromiseState.CANCELLED,
        },
        # A payment that is reported late, but was made in time, mends the verdict; where parts are
        # still to come, it stands open again.
        PromiseState.PART: {"keep": PromiseState.KEPT, "reopen": PromiseState.OPEN},
        PromiseState.BROKEN: {
            "keep": PromiseState.KEPT,
            "part_keep": PromiseState.PART,
            "reopen": PromiseState.OPEN,
        },
        # A payment that is returned takes it back; the deadline then decides anew.
        PromiseState.KEPT: {"reopen": PromiseState.OPEN},
        PromiseState.CANCELLED: {},
    },
)
