"""The desk's words for proposals, decisions, tiers and forbearance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from app.domain.approval import ApprovalKind, ApprovalState
from app.domain.forbearance import Forbearance
from app.domain.four_eyes import Tier
from app.domain.task import TaskOutcome
from app.web.telling import day_in_words
from app.web.words import OUTCOMES, Mark

KINDS: Final[Mapping[str, str]] = {
    ApprovalKind.WRITE_OFF: "Write-off",
    ApprovalKind.FORGIVENESS: "Forgiveness",
    ApprovalKind.REVERSAL: "Reversal",
    ApprovalKind.STRATEGY: "Strategy",
    ApprovalKind.SEGMENT: "Segment",
    ApprovalKind.TEMPLATE: "Template",
    ApprovalKind.PACK: "Rule pack",
    ApprovalKind.PLACEMENT: "Placement with an agency",
    ApprovalKind.IMPORT: "Loading of a book",
    ApprovalKind.PROVIDER: "Own provider",
    ApprovalKind.PAYEE: "Account you are paid to",
}
STATES: Final[Mapping[ApprovalState, Mark]] = {
    ApprovalState.PROPOSED: Mark("Waiting", "warn"),
    ApprovalState.APPROVED: Mark("Approved and done", "good"),
    ApprovalState.REFUSED: Mark("Refused", "bad"),
    ApprovalState.WITHDRAWN: Mark("Withdrawn"),
}

NEEDS: Final[Mapping[Tier, str]] = {
    Tier.SMALL: "one supervisor or approver",
    Tier.SINGLE: "one approver",
    Tier.DOUBLE: "two approvers",
}

FORBEARANCE: Final[Mapping[Forbearance, str]] = {
    Forbearance.REFINANCE: "Refinance, wholly or in part",
    Forbearance.EXTEND_TERM: "Extend the term",
    Forbearance.CHANGE_TYPE: "Change the type of credit",
    Forbearance.DEFER: "Defer all or part of an instalment",
    Forbearance.LOWER_RATE: "Lower the interest rate",
    Forbearance.PAYMENT_HOLIDAY: "Payment holiday",
    Forbearance.PART_PAYMENT: "Part payments",
    Forbearance.CURRENCY_CONVERSION: "Convert the currency",
    Forbearance.PART_FORGIVENESS: "Forgive a part",
    Forbearance.CONSOLIDATE: "Consolidate debts",
}


def calls_in_words(calls: Iterable[str]) -> str:
    """What the calls brought, from lines such as "2026-04-10 no_answer"."""
    said = []
    for call in calls:
        on, _, outcome = call.partition(" ")
        brought = OUTCOMES[TaskOutcome(outcome)] if outcome in set(TaskOutcome) else outcome
        said.append(f"{day_in_words(on)}: {brought.lower()}")
    return "; ".join(said)


# Keys of a proposal's notes that the page shows in places of their own.
SHOWN_ELSEWHERE: Final = frozenset({"forbearance", "why_not", "by", "title", "link", "agency_id"})
