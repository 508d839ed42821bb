"""Placements: a case that an agency works for a while, and the agencies that there are.

While a case is placed nothing of ours asks for money; what the borrower pays still arrives here,
and the agency keeps the same contact rules as everybody. Taking a case back gives control back and
nothing else, so one person may.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from app.domain.errors import Invalid
from app.domain.lifecycle import Lifecycle
from app.domain.money import Money

LONGEST_NAME: Final = 80
LONGEST_CONTACT: Final = 300
# An agency that keeps more than three quarters of what comes was typed wrong.
LARGEST_COMMISSION: Final = 7_500


class PlacementState(StrEnum):
    """`recalled`: a person took the case back. `ended`: the case was closed, mostly by money."""

    PLACED = "placed"
    RECALLED = "recalled"
    ENDED = "ended"


PLACEMENT = Lifecycle(
    "placement",
    PlacementState,
    start=PlacementState.PLACED,
    table={
        PlacementState.PLACED: {
            "recall": PlacementState.RECALLED,
            "end": PlacementState.ENDED,
        },
        # The same case placed again is another placement.
        PlacementState.RECALLED: {},
        PlacementState.ENDED: {},
    },
)


@dataclass(frozen=True, slots=True)
class AgencyTerms:
    """An agency as people state it. `commission_basis_points` is its share of what comes in."""

    name: str
    contact: str
    commission_basis_points: int
    active: bool = True

    def as_notes(self) -> dict[str, Any]:
        """The plain JSON that the audit keeps."""
        return {
            "name": self.name,
            "contact": self.contact,
            "commission_basis_points": self.commission_basis_points,
            "active": self.active,
        }


def agency_terms(
    name: str, contact: str, commission_basis_points: int, *, active: bool = True
) -> AgencyTerms:
    """Check what somebody stated. Raises `Invalid` naming the field."""
    called, reached = name.strip(), contact.strip()
    if not 0 < len(called) <= LONGEST_NAME:
        raise Invalid("name", f"has 1 to {LONGEST_NAME} characters.")
    if not 0 < len(reached) <= LONGEST_CONTACT:
        raise Invalid(
            "contact", f"has 1 to {LONGEST_CONTACT} characters.", mend="Say whom to write or call."
        )
    if not 0 <= commission_basis_points <= LARGEST_COMMISSION:
        raise Invalid("commission", f"lies between 0 and {LARGEST_COMMISSION // 100} per cent.")
    return AgencyTerms(called, reached, commission_basis_points, active)


def commission(recovered: Money, basis_points: int) -> Money:
    """The agency's share of what came in; a broken minor unit stays with the lender."""
    return Money(recovered.minor * basis_points // 10_000, recovered.currency)
