"""Payments: one payment means one authorised payment.

At most one initiation per case is open. `abandoned` is an initiation whose answer was lost:
nobody ever saw the bank's redirect, so nobody can authorise it, and a new one may be made.
`unclear` is one whose end we cannot learn from the bank: a person looks. `left_open` is one at a
provider that cannot take it back: nobody is sent to its page any more, another one may be made, and
it is watched, because whoever still has the page could pay.
"""

from __future__ import annotations

from enum import StrEnum

from app.domain.lifecycle import Lifecycle


class PaymentState(StrEnum):
    REQUESTED = "requested"
    CREATING = "creating"
    OPEN = "open"
    AUTHORISED = "authorised"
    SETTLED = "settled"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"
    LEFT_OPEN = "left_open"
    UNCLEAR = "unclear"
    RETURNED = "returned"


PAYMENT = Lifecycle(
    "payment",
    PaymentState,
    start=PaymentState.REQUESTED,
    table={
        PaymentState.REQUESTED: {
            "create": PaymentState.CREATING,
            "cancel": PaymentState.CANCELLED,
        },
        PaymentState.CREATING: {
            "opened": PaymentState.OPEN,
            # The bank said clearly that nothing was made (refused connection, 429).
            "not_made": PaymentState.REQUESTED,
            "reject": PaymentState.REJECTED,
            "abandon": PaymentState.ABANDONED,
        },
        PaymentState.OPEN: {
            "authorise": PaymentState.AUTHORISED,
            "settle": PaymentState.SETTLED,
            "reject": PaymentState.REJECTED,
            "cancel": PaymentState.CANCELLED,
            "leave": PaymentState.LEFT_OPEN,
            "lose_sight": PaymentState.UNCLEAR,
        },
        PaymentState.AUTHORISED: {
            # Asked again and still on its way.
            "authorise": PaymentState.AUTHORISED,
            "settle": PaymentState.SETTLED,
            "reject": PaymentState.REJECTED,
            "cancel": PaymentState.CANCELLED,
            "lose_sight": PaymentState.UNCLEAR,
        },
        PaymentState.SETTLED: {
            # The webhook and our own look both report it.
            "settle": PaymentState.SETTLED,
            "return": PaymentState.RETURNED,
        },
        PaymentState.REJECTED: {"reject": PaymentState.REJECTED},
        PaymentState.CANCELLED: {"cancel": PaymentState.CANCELLED},
        PaymentState.ABANDONED: {},
        PaymentState.LEFT_OPEN: {
            "authorise": PaymentState.AUTHORISED,
            "settle": PaymentState.SETTLED,
            "reject": PaymentState.REJECTED,
            "cancel": PaymentState.CANCELLED,
        },
        PaymentState.UNCLEAR: {
            "authorise": PaymentState.AUTHORISED,
            "settle": PaymentState.SETTLED,
            "reject": PaymentState.REJECTED,
            "cancel": PaymentState.CANCELLED,
        },
        PaymentState.RETURNED: {"return": PaymentState.RETURNED},
    },
)

# The borrower has authorised it, and it has not ended yet.
IN_FLIGHT_STATES = (PaymentState.AUTHORISED, PaymentState.UNCLEAR)

# An initiation in one of these may still turn into money leaving the borrower's account.
LIVE_STATES = (
    PaymentState.REQUESTED,
    PaymentState.CREATING,
    PaymentState.OPEN,
    PaymentState.AUTHORISED,
    PaymentState.UNCLEAR,
)


# Nobody is to pay these any more. Where a provider takes nothing back, somebody still could: they
# are looked at for as long as they have a next look.
WATCHED_STATES = (PaymentState.LEFT_OPEN, PaymentState.SETTLED, PaymentState.REJECTED)


class LinkState(StrEnum):
    """A Click & Pay link: spent when a payment is accepted, not when it is opened."""

    LIVE = "live"
    SPENT = "spent"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


LINK = Lifecycle(
    "payment link",
    LinkState,
    start=LinkState.LIVE,
    table={
        LinkState.LIVE: {
            "spend": LinkState.SPENT,
            "expire": LinkState.EXPIRED,
            "withdraw": LinkState.WITHDRAWN,
        },
        # The bank refused the payment after all: the same link works again until its end.
        LinkState.SPENT: {"revive": LinkState.LIVE, "spend": LinkState.SPENT},
        LinkState.EXPIRED: {},
        LinkState.WITHDRAWN: {},
    },
)
