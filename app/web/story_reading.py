"""Readings of an account in words: what was seen, and why it led to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from app.domain.consent import Purpose
from app.domain.detector import QuietReason
from app.reference import formats
from app.web.telling import Details, Words
from app.web.telling import sentence as _sentence

# Why a reading led to nothing, in a few words; the sentence beside it says more.
QUIET: Final[Mapping[str, str]] = {
    QuietReason.NOTHING_DUE: "nothing is due",
    QuietReason.UNUSABLE: "the answer holds no usable amount",
    QuietReason.OTHER_CURRENCY: "another currency than the debt",
    QuietReason.CREDIT_NOT_EXCLUDED: "it may contain a credit limit",
    QuietReason.STALE: "the bank’s figure is too old",
    QuietReason.FLOOR_NOT_SET: "no protected floor is set",
    QuietReason.PROTECTED: "what is there is protected",
    QuietReason.COMMITTED: "what is there is needed before the next income",
    QuietReason.BELOW_THRESHOLD: "not enough yet",
    QuietReason.ALREADY_SIGNALLED: "known already",
    QuietReason.RESTING: "resting after the last one",
}


def reading(details: Details) -> Words:
    """One reading, or the one look at transactions."""
    verdict = str(details.get("verdict", ""))
    because = str(details.get("because", ""))
    if verdict == "signal":
        return Words("Balance read: money is there", _with_aside(because, details), "eye", "good")
    if details.get("purpose") == Purpose.SCORING.value:
        return Words("Balance read for scoring", "Once, with the borrower present.", "eye", "note")
    if details.get("purpose") == Purpose.BILLS.value:
        said = "Once, with the borrower present. Only what comes back each month or week was kept."
        return Words("Regular payments learned", said, "eye", "note")
    said = because or _sentence(QUIET.get(verdict, verdict))
    return Words("Balance read", _with_aside(said, details), "eye")


def _with_aside(said: str, details: Details) -> str:
    """The sentence, and by when a part of the balance has left for what it is promised to.

    How much that is stands sealed beside the balance, like the balance.
    """
    by = details.get("aside_by")
    if not isinstance(by, str):
        return said
    left = formats.day(date.fromisoformat(by), "en")
    return f"{said} A part of it is expected to leave by {left}.".strip()
