"""What a lender has to think about before a debt is given up: the law's list, and the record.

Directive (EU) 2023/2225, article 35, applied since 20 November 2026: before enforcement the
creditor exercises, where appropriate, reasonable forbearance. Saldo asks for the record before
every write-off and every placement with an agency, in every country: it says what was considered,
by whom, and why it was not enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from app.domain.errors import Invalid

LONGEST_WHY: Final = 2000


class Forbearance(StrEnum):
    """The measures that article 35 names."""

    REFINANCE = "refinance"
    EXTEND_TERM = "extend_term"
    CHANGE_TYPE = "change_type"
    DEFER = "defer"
    LOWER_RATE = "lower_rate"
    PAYMENT_HOLIDAY = "payment_holiday"
    PART_PAYMENT = "part_payment"
    CURRENCY_CONVERSION = "currency_conversion"
    PART_FORGIVENESS = "part_forgiveness"
    CONSOLIDATE = "consolidate"


@dataclass(frozen=True, slots=True)
class Consideration:
    """Which measures were considered, and why none of them is used. `by` is who says so."""

    options: tuple[Forbearance, ...]
    why_not: str
    by: str

    def as_notes(self) -> dict[str, Any]:
        """The plain JSON that is kept with the proposal."""
        return {
            "forbearance": [one.value for one in self.options],
            "why_not": self.why_not,
            "by": self.by,
        }


def consider(options: Iterable[str], why_not: str, *, by: str) -> Consideration:
    """Make the record from what a person stated. Raises `Invalid` naming what is missing.

    Options come in the order of the law, each once, however they were stated.
    """
    stated = set(options)
    unknown = sorted(stated - {one.value for one in Forbearance})
    if unknown:
        known = ", ".join(one.value for one in Forbearance)
        raise Invalid("considered", f"{unknown[0]!r} is no known measure.", mend=f"Use: {known}.")
    if not stated:
        raise Invalid(
            "considered", "is empty.", mend="State at least one measure that was considered."
        )
    why = why_not.strip()
    if not 0 < len(why) <= LONGEST_WHY:
        raise Invalid(
            "why_not",
            f"has 1 to {LONGEST_WHY} characters.",
            mend="Say why none of the measures is used.",
        )
    if not by.strip():
        raise Invalid("by", "is empty.", mend="Say who considered them.")
    return Consideration(tuple(one for one in Forbearance if one.value in stated), why, by.strip())


def read_consideration(notes: Mapping[str, Any]) -> Consideration | None:
    """The record kept with a proposal; None when there is none, or it says too little."""
    options = notes.get("forbearance")
    if not isinstance(options, list):
        return None
    try:
        return consider(
            [str(one) for one in options],
            str(notes.get("why_not", "")),
            by=str(notes.get("by", "")),
        )
    except Invalid:
        return None
