"""Consent: what a borrower allowed, for which purpose, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from app.domain.errors import ConsentEnd
from app.domain.lifecycle import Lifecycle


class Purpose(StrEnum):
    """What a balance may be read for (PSD2 art. 67(2)(f): nothing else than what was asked).

    scoring: one read with the borrower present, handed to the lender once.
    repayment_monitoring: the scheduled, unattended reads.
    bills: the transactions of the last 90 days, looked at once with the borrower present, for what
    comes and leaves regularly. It serves the scheduled reads and is nothing without them.
    """

    SCORING = "scoring"
    REPAYMENT_MONITORING = "repayment_monitoring"
    BILLS = "bills"


def meant(granted: Iterable[Purpose]) -> frozenset[Purpose]:
    """What a borrower's ticks allow: bills are looked at for the scheduled reads alone."""
    ticked = frozenset(granted)
    return ticked if Purpose.REPAYMENT_MONITORING in ticked else ticked - {Purpose.BILLS}


class RequestState(StrEnum):
    """The lender's request for a consent, from the link to the answer."""

    OPEN = "open"
    CHOSEN = "chosen"
    AT_BANK = "at_bank"
    COMPLETED = "completed"
    REJECTED = "rejected"
    EXPIRED = "expired"


# `chosen` again is harmless: the borrower came back from the bank's list and ticked anew.
# From `at_bank` he may also start over with another bank.
REQUEST = Lifecycle(
    "consent request",
    RequestState,
    start=RequestState.OPEN,
    table={
        RequestState.OPEN: {
            "choose": RequestState.CHOSEN,
            "complete": RequestState.COMPLETED,
            "expire": RequestState.EXPIRED,
        },
        RequestState.CHOSEN: {
            "choose": RequestState.CHOSEN,
            "leave_for_bank": RequestState.AT_BANK,
            "complete": RequestState.COMPLETED,
            "expire": RequestState.EXPIRED,
        },
        RequestState.AT_BANK: {
            "choose": RequestState.CHOSEN,
            "leave_for_bank": RequestState.AT_BANK,
            "complete": RequestState.COMPLETED,
            "reject": RequestState.REJECTED,
            "expire": RequestState.EXPIRED,
        },
        RequestState.COMPLETED: {},
        # After a "no" at the bank the same link lets him try again, until it expires.
        RequestState.REJECTED: {
            "choose": RequestState.CHOSEN,
            "complete": RequestState.COMPLETED,
            "expire": RequestState.EXPIRED,
        },
        RequestState.EXPIRED: {},
    },
)


class ConsentState(StrEnum):
    """One consent at one bank."""

    PENDING = "pending"
    ACTIVE = "active"
    REJECTED = "rejected"
    ABANDONED = "abandoned"
    EXPIRED = "expired"
    REVOKED_AT_BANK = "revoked_at_bank"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"
    LOST = "lost"


CONSENT = Lifecycle(
    "consent",
    ConsentState,
    start=ConsentState.PENDING,
    table={
        ConsentState.PENDING: {
            "activate": ConsentState.ACTIVE,
            "reject": ConsentState.REJECTED,
            "abandon": ConsentState.ABANDONED,
            "expire": ConsentState.EXPIRED,
            "withdraw": ConsentState.WITHDRAWN,
            "lose": ConsentState.LOST,
            "revoke_at_bank": ConsentState.REVOKED_AT_BANK,
        },
        ConsentState.ACTIVE: {
            # The borrower reloads the return page: confirmed twice, changes nothing.
            "activate": ConsentState.ACTIVE,
            "expire": ConsentState.EXPIRED,
            "revoke_at_bank": ConsentState.REVOKED_AT_BANK,
            "withdraw": ConsentState.WITHDRAWN,
            "supersede": ConsentState.SUPERSEDED,
            # The bank no longer knows it (CONSENT_UNKNOWN): nobody said no, a person looks.
            "lose": ConsentState.LOST,
        },
        ConsentState.REJECTED: {},
        # The bank's page was finished after we gave up waiting; his yes still counts.
        ConsentState.ABANDONED: {"activate": ConsentState.ACTIVE},
        ConsentState.EXPIRED: {},
        ConsentState.REVOKED_AT_BANK: {},
        # Pressing "stop reading" twice is harmless.
        ConsentState.WITHDRAWN: {"withdraw": ConsentState.WITHDRAWN},
        ConsentState.SUPERSEDED: {},
        ConsentState.LOST: {},
    },
)

# How a provider's word for the end of a consent moves ours.
END_EVENT = {
    ConsentEnd.EXPIRED: "expire",
    ConsentEnd.REVOKED_AT_BANK: "revoke_at_bank",
    ConsentEnd.REJECTED: "reject",
    ConsentEnd.CLOSED_BY_US: "withdraw",
    ConsentEnd.UNKNOWN_AT_BANK: "lose",
}
