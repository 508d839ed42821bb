"""Tasks for a human collector: what to do, and why a machine did not."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from app.domain.lifecycle import Lifecycle


class TaskState(StrEnum):
    OPEN = "open"
    TAKEN = "taken"
    DONE = "done"
    CANCELLED = "cancelled"


TASK = Lifecycle(
    "task",
    TaskState,
    start=TaskState.OPEN,
    table={
        TaskState.OPEN: {"take": TaskState.TAKEN, "cancel": TaskState.CANCELLED},
        TaskState.TAKEN: {
            "release": TaskState.OPEN,
            "finish": TaskState.DONE,
            "cancel": TaskState.CANCELLED,
        },
        TaskState.DONE: {},
        # Two causes may cancel the same task (paid, and consent withdrawn): harmless.
        TaskState.CANCELLED: {"cancel": TaskState.CANCELLED},
    },
)


class TaskReason(StrEnum):
    """Why a person is needed. The words for each stand in the pages' catalogue."""

    LINK_UNPAID = "link_unpaid"
    SMS_UNDELIVERED = "sms_undelivered"
    SMS_BLOCKED = "sms_blocked"
    SMS_OUTCOME_UNKNOWN = "sms_outcome_unknown"
    NO_CONSENT = "no_consent"
    CONSENT_ENDED = "consent_ended"
    BANK_DOWN = "bank_down"
    ACCOUNT_BLOCKED = "account_blocked"
    BALANCE_UNREADABLE = "balance_unreadable"
    IDENTITY_CHECK_FAILED = "identity_check_failed"
    BORROWER_DISPUTES = "borrower_disputes"
    BORROWER_CANNOT_PAY = "borrower_cannot_pay"
    BORROWER_SAYS_PAID = "borrower_says_paid"
    OPTED_OUT = "opted_out"
    PAYMENT_REJECTED = "payment_rejected"
    PAYMENT_UNCLEAR = "payment_unclear"
    PAYMENT_RETURNED = "payment_returned"
    OVERPAID = "overpaid"
    OWED_AMOUNT_STALE = "owed_amount_stale"
    COLLECTOR_ACTS = "collector_acts"
    CALL_BORROWER = "call_borrower"
    CALL_BACK = "call_back"
    PROMISE_BROKEN = "promise_broken"
    NO_WAY_TO_REACH = "no_way_to_reach"
    REVIEW_CASE = "review_case"
    REMINDER = "reminder"
    RELIEF_ASKED = "relief_asked"
    LIFT_ASKED = "lift_asked"


# These ask the borrower for money or bring him to the telephone for it. Whatever takes pressure off
# takes them off the board; what he said himself, and money in the wrong place, stays.
PRESSING: Final = frozenset(
    {
        TaskReason.LINK_UNPAID,
        TaskReason.SMS_UNDELIVERED,
        TaskReason.SMS_BLOCKED,
        TaskReason.SMS_OUTCOME_UNKNOWN,
        TaskReason.NO_CONSENT,
        TaskReason.CONSENT_ENDED,
        TaskReason.OPTED_OUT,
        TaskReason.PAYMENT_REJECTED,
        TaskReason.COLLECTOR_ACTS,
        TaskReason.CALL_BORROWER,
        TaskReason.PROMISE_BROKEN,
        TaskReason.NO_WAY_TO_REACH,
    }
)

# Each of these asks a person to ring the borrower about money. A promise makes them needless, and
# none of them may be dialled while the contact gate says no.
CALLS: Final = frozenset(
    {
        TaskReason.LINK_UNPAID,
        TaskReason.SMS_UNDELIVERED,
        TaskReason.SMS_BLOCKED,
        TaskReason.SMS_OUTCOME_UNKNOWN,
        TaskReason.NO_CONSENT,
        TaskReason.COLLECTOR_ACTS,
        TaskReason.CALL_BORROWER,
        TaskReason.CALL_BACK,
        TaskReason.PROMISE_BROKEN,
    }
)


# Here he said something first: whoever calls answers him, and asks for nothing.
ANSWERING: Final = frozenset(
    {
        TaskReason.CALL_BACK,
        TaskReason.BORROWER_DISPUTES,
        TaskReason.BORROWER_CANNOT_PAY,
        TaskReason.BORROWER_SAYS_PAID,
        TaskReason.RELIEF_ASKED,
    }
)

# Money of his lies with the lender until a person has decided about it: what it could serve, on
# whichever of his loans, is not asked for.
OVER_EVERY_CASE: Final = frozenset({TaskReason.OVERPAID})


class TaskOutcome(StrEnum):
    """What a collector noted when finishing a task."""

    REACHED = "reached"
    NO_ANSWER = "no_answer"
    WRONG_NUMBER = "wrong_number"
    PAID_ALREADY = "paid_already"
    REFUSES = "refuses"
    RESOLVED = "resolved"
    PROMISE = "promise"
    CALL_BACK = "call_back"
    DISPUTE = "dispute"
    HARDSHIP = "hardship"
    THIRD_PARTY = "third_party"
