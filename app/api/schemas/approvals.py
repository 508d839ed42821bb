"""Proposals that need a second person: what your system may ask for, and what became of it."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from app.api.wire import AmountText, Given, Id, Instant, Line, MoneyShown, Shown
from app.domain.approval import ApprovalKind, ApprovalState
from app.domain.forbearance import LONGEST_WHY, Forbearance
from app.flows.approvals.propose_approval import LONGEST_REASON


class ProposalGiven(Given):
    """Ask that a debt be given up. Nothing happens before people at the desk agree."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "kind": "forgiveness",
                "amount": "40.00",
                "reason": "Goodwill after our mistake in March.",
                "forbearance": ["part_forgiveness"],
                "why_not": "The borrower was charged twice.",
            }
        }
    )

    kind: Annotated[
        Literal["write_off", "forgiveness"],
        Field(description="What is asked for.", examples=["forgiveness"]),
    ]
    amount: Annotated[
        AmountText | None,
        Field(
            description="How much is forgiven, in the loan's currency. A write-off is of all that "
            "is unpaid: leave it out."
        ),
    ] = None
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


class ApprovalShown(Shown):
    """One proposal. What is `approved` is done; there is no approved and not done."""

    id: Id
    kind: ApprovalKind
    state: ApprovalState
    loan_ref: Annotated[str | None, Field(description="Null: it is not about a loan.")]
    case_id: UUID | None
    amount: Annotated[MoneyShown | None, Field(examples=[{"amount": "40.00", "currency": "EUR"}])]
    reason: str
    forbearance: list[Forbearance]
    why_not: str
    proposed_by: Annotated[str, Field(description="A person, `saldo`, or `api` and a key.")]
    proposed_at: Instant
    endorsed_by: Annotated[
        str | None, Field(description="The person behind what a machine proposed.")
    ]
    decided_by: str | None
    decided_at: Instant | None
    decision_note: str
