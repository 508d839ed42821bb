"""What GoCardless's words for billing requests and payments mean for the borrower's money."""

from __future__ import annotations

from typing import Any

import structlog

from app.domain.ids import Secret
from app.pay_ports import PaymentNow, PayStatus
from connectors._words import pay_status
from connectors.gocardless_pay.settings import NAME

log = structlog.get_logger(NAME)

FULFILLED = "fulfilled"
CONFIRMED = "confirmed"
_REQUEST = {
    "pending": PayStatus.OPEN,
    "ready_to_fulfil": PayStatus.OPEN,
    "fulfilling": PayStatus.AUTHORISED,
    FULFILLED: PayStatus.AUTHORISED,
    "cancelled": PayStatus.CANCELLED,
}
_PAYMENT = {
    "pending_customer_approval": PayStatus.AUTHORISED,
    "pending_submission": PayStatus.AUTHORISED,
    "submitted": PayStatus.AUTHORISED,
    CONFIRMED: PayStatus.AUTHORISED,
    "paid_out": PayStatus.SETTLED,
    "cancelled": PayStatus.CANCELLED,
    "customer_approval_denied": PayStatus.REJECTED,
    "failed": PayStatus.REJECTED,
    "charged_back": PayStatus.RETURNED,
}


def request_now(request: dict[str, Any]) -> PaymentNow:
    """Where the billing request stands, as long as there is no payment of it."""
    return _now(_REQUEST, request.get("status"))


def payment_now(
    payment: dict[str, Any], payment_id: str, *, confirmed_is_settled: bool
) -> PaymentNow:
    """Where the payment of a fulfilled request stands. `confirmed`: GoCardless has the money."""
    found = _now(_PAYMENT, payment.get("status"))
    status = found.status
    if found.raw_status == CONFIRMED and confirmed_is_settled:
        status = PayStatus.SETTLED
    return PaymentNow(status, found.raw_status, hook_ref=Secret(payment_id))


def _now(words: dict[str, PayStatus], word: Any) -> PaymentNow:
    """A word we do not know is open, with an alarm."""
    return PaymentNow(*pay_status(words, word, log))
