"""Messages to borrowers: from the row in the outbox to the receipt from the phone."""

from __future__ import annotations

from enum import StrEnum

from app.domain.lifecycle import Lifecycle


class MessageState(StrEnum):
    """`unknown`: it may have left. `withheld`: observe-only mode, it would have left.

    `asked`: the lender's system was asked to show it in its app, and has not said that it did.
    """

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    WITHHELD = "withheld"
    ASKED = "asked"


MESSAGE = Lifecycle(
    "message",
    MessageState,
    start=MessageState.QUEUED,
    table={
        MessageState.QUEUED: {
            "claim": MessageState.SENDING,
            "cancel": MessageState.CANCELLED,
            "withhold": MessageState.WITHHELD,
            "ask_app": MessageState.ASKED,
            # The app confirmed it after the time for that, and before the text had left.
            "shown_after_all": MessageState.DELIVERED,
        },
        MessageState.SENDING: {
            "accepted": MessageState.SENT,
            # The provider said clearly that nothing was sent (429): back into the queue.
            "not_sent": MessageState.QUEUED,
            "refused": MessageState.FAILED,
            "lost_answer": MessageState.UNKNOWN,
            "cancel": MessageState.CANCELLED,
            # The receipt may overtake the answer to our own call.
            "delivered": MessageState.DELIVERED,
            "undelivered": MessageState.UNDELIVERED,
        },
        MessageState.SENT: {
            # A look-up and the call's own answer may both report it.
            "accepted": MessageState.SENT,
            "delivered": MessageState.DELIVERED,
            "undelivered": MessageState.UNDELIVERED,
        },
        # Receipts come twice and out of order; from a terminal state nothing goes back.
        MessageState.DELIVERED: {
            "accepted": MessageState.DELIVERED,
            "delivered": MessageState.DELIVERED,
            "undelivered": MessageState.DELIVERED,
        },
        MessageState.UNDELIVERED: {
            "accepted": MessageState.UNDELIVERED,
            "undelivered": MessageState.UNDELIVERED,
            "delivered": MessageState.UNDELIVERED,
        },
        MessageState.FAILED: {},
        MessageState.UNKNOWN: {
            "accepted": MessageState.SENT,
            "delivered": MessageState.DELIVERED,
            "undelivered": MessageState.UNDELIVERED,
            # Looked up at the provider and not there, longer ago than an answer can take.
            "not_sent": MessageState.QUEUED,
            "give_up": MessageState.FAILED,
        },
        MessageState.CANCELLED: {},
        MessageState.WITHHELD: {},
        MessageState.ASKED: {
            "delivered": MessageState.DELIVERED,
            # Not confirmed in time: the same message goes as a text, or not at all.
            "fall_back": MessageState.QUEUED,
            "undelivered": MessageState.UNDELIVERED,
        },
    },
)


class Channel(StrEnum):
    """Ways to reach a borrower."""

    SMS = "sms"
    EMAIL = "email"
    CALL = "call"
    PUSH = "push"


class CancelReason(StrEnum):
    """Why a queued message was not sent after all."""

    PAID = "paid"
    PAYMENT_IN_FLIGHT = "payment_in_flight"
    NOTHING_DUE = "nothing_due"
    HOLD = "hold"
    OPTED_OUT = "opted_out"
    CONSENT_ENDED = "consent_ended"
    STOP_SWITCH = "stop_switch"
    MONEY_GONE = "money_gone"
    SIGNAL_STALE = "signal_stale"
    GATE_REFUSED = "gate_refused"
    LINK_EXPIRED = "link_expired"
    OWED_AMOUNT_STALE = "owed_amount_stale"
    PHONE_MISSING = "phone_missing"
    ADDRESS_MISSING = "address_missing"
    CHANNEL_MISSING = "channel_missing"
    REPLACED = "replaced"
    PROMISED = "promised"
    STAGE_OVER = "stage_over"
    UNPAYABLE = "unpayable"
