"""Four eyes: what one person proposes, another one approves or refuses. Robots never approve."""

from __future__ import annotations

from enum import StrEnum

from app.domain.lifecycle import Lifecycle


class ApprovalState(StrEnum):
    """`approved` is carried out in the same transaction; there is no approved and not done."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


APPROVAL = Lifecycle(
    "approval",
    ApprovalState,
    start=ApprovalState.PROPOSED,
    table={
        ApprovalState.PROPOSED: {
            "approve": ApprovalState.APPROVED,
            "refuse": ApprovalState.REFUSED,
            # Taken back by its proposer, or its reason is gone (the loan was paid).
            "withdraw": ApprovalState.WITHDRAWN,
        },
        ApprovalState.APPROVED: {},
        ApprovalState.REFUSED: {},
        ApprovalState.WITHDRAWN: {},
    },
)


class ApprovalKind(StrEnum):
    """Everything that needs a second person."""

    WRITE_OFF = "write_off"
    FORGIVENESS = "forgiveness"
    REVERSAL = "reversal"
    STRATEGY = "strategy"
    SEGMENT = "segment"
    TEMPLATE = "template"
    PACK = "pack"
    PLACEMENT = "placement"
    IMPORT = "import"
    PROVIDER = "provider"
    PAYEE = "payee"


# Acts about one debt; all others put something that people wrote into force.
ABOUT_A_LOAN = frozenset(
    {
        ApprovalKind.WRITE_OFF,
        ApprovalKind.FORGIVENESS,
        ApprovalKind.REVERSAL,
        ApprovalKind.PLACEMENT,
    }
)
# None of these without the record of forbearance (app/domain/forbearance.py).
AFTER_FORBEARANCE = frozenset({ApprovalKind.WRITE_OFF, ApprovalKind.PLACEMENT})
