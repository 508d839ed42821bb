"""Agencies and the cases they work: what your system may ask for, report and take back."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from app.api.schemas.people import RuleAsked
from app.api.wire import Given, Id, Instant, Line, MoneyShown, Shown
from app.domain.forbearance import LONGEST_WHY, Forbearance
from app.domain.placement import PlacementState
from app.flows.approvals.propose_approval import LONGEST_REASON


class AgencyShown(Shown):
    """One agency. They are written down at the desk."""

    id: Id
    name: Annotated[str, Field(examples=["Norte Recobros"])]
    contact: Annotated[str, Field(examples=["cases@norte.example"])]
    commission_basis_points: Annotated[
        int, Field(description="Its share of what comes in, in hundredths of a per cent.")
    ]
    active: Annotated[bool, Field(description="false: it gets no new cases.")]


class PlacementGiven(Given):
    """Ask that a case be placed. Nothing happens before two people at the desk agree."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "agency_id": "0190d9a4-7c1b-7e34-9a52-3f8a1f0b7c11",
                "reason": "Nobody answers, and all reminders were sent.",
                "forbearance": ["defer"],
                "why_not": "The borrower answers no call.",
            }
        }
    )

    agency_id: Annotated[Id, Field(description="One of `GET /v1/agencies`.")]
    reason: Annotated[Line, Field(min_length=1, max_length=LONGEST_REASON, description="Why.")]
    forbearance: Annotated[
        list[Annotated[Forbearance, Field(strict=False)]],
        Field(
            max_length=len(Forbearance),
            description="Measures of Directive (EU) 2023/2225, article 35, that were considered.",
        ),
    ] = Field(default_factory=list)
    why_not: Annotated[
        Line, Field(max_length=LONGEST_WHY, description="Why none of the measures is used.")
    ] = ""


class RecallGiven(Given):
    """Why a case is taken back from its agency."""

    model_config = ConfigDict(json_schema_extra={"example": {"reason": "He pays us directly."}})

    reason: Annotated[Line, Field(min_length=1, max_length=500, description="It is kept.")]


class PlacementShown(Shown):
    """A case with an agency, now or before."""

    id: Id
    state: Annotated[
        PlacementState,
        Field(description="`ended`: the case was closed, mostly because it was paid."),
    ]
    agency_id: UUID
    agency: Annotated[str, Field(examples=["Norte Recobros"])]
    case_id: UUID
    borrower_ref: str
    loan_ref: str
    amount: Annotated[MoneyShown, Field(description="All that was unpaid on that day.")]
    recovered: Annotated[MoneyShown, Field(description="What was paid while it lasted.")]
    commission: Annotated[MoneyShown, Field(description="The agency's share of that.")]
    placed_at: Instant
    ended_at: Instant | None
    ended_why: str


class WindowShown(Shown):
    """The contact gate's answer for the agency: the rules are the same for everybody."""

    allowed: bool
    because: Annotated[str, Field(description="The rules that refuse; empty when none does.")]
    opens_at: Annotated[
        Instant | None, Field(description="When a no may become a yes; null: waiting is no help.")
    ]
    until: Annotated[Instant | None, Field(description="When a yes ends.")]
    zone: Annotated[str, Field(description="Where the borrower's clock is.")]
    rules: Annotated[list[RuleAsked], Field(description="Every rule that was asked.")]
    pack: Annotated[str, Field(description="Whose rules, and of which version.")]
