"""GoCardless's payments API on the wire: its records, its words for them, its errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.banks import BY_ID
from sandbox.payments import status_at
from sandbox.records import Payment, PayPlan

ROOT = "/gocardless-pay"
ACCESS_TOKEN = "sandbox_gc_5a1d05"  # noqa: S105 - opens nothing but this sandbox
HOOK_SECRET = "sandbox-gc-hooks"  # noqa: S105 - as above
VERSION = "2015-07-06"
NOTIFY = "gocardless_pay"
REQUESTS, FLOWS, PAYMENTS = "billing_requests", "billing_request_flows", "payments"
# After a bank has moved the money GoCardless holds it; then it is paid out.
PAID_OUT_AFTER = timedelta(hours=12)


@dataclass(slots=True)
class BillingRequest:
    """One billing request. `payment_id`: the payment at the bank, once one is chosen."""

    id: str
    key: str
    amount: int
    currency: str
    scheme: str
    description: str
    created_at: datetime
    payment_metadata: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    bank_id: str = ""
    payment_id: str = ""
    cancelled: bool = False


@dataclass(slots=True)
class Flow:
    """One page for a billing request."""

    id: str
    request_id: str
    redirect_uri: str
    exit_uri: str


def new_id(kind: str) -> str:
    """An id as GoCardless writes them: BRQ000…"""
    return f"{kind}{uuid4().hex[:14].upper()}"


def payment_id_of(request: BillingRequest) -> str:
    return f"PM{request.id.removeprefix('BRQ')}"


def payment_word(payment: Payment, now: datetime) -> str:
    """The status of the payment behind a request; empty before the payer said yes."""
    if payment.authorised_at is None:
        return ""
    word, bank = status_at(payment, now), BY_ID[payment.bank_id]
    if word == "RJCT":
        return "charged_back" if payment.plan is PayPlan.RETURNED else "failed"
    if word not in bank.settled_at:
        return "submitted"
    moved = next(s.after for s in bank.steps_for(payment.product) if s.status in bank.settled_at)
    waits = timedelta(days=payment.pending_days) + moved + PAID_OUT_AFTER
    return "paid_out" if now >= payment.authorised_at + waits else "confirmed"


def request_word(request: BillingRequest, payment: Payment | None) -> str:
    """The status of the request. The payer's no at his bank leaves it pending."""
    if request.cancelled:
        return "cancelled"
    return "fulfilled" if payment is not None and payment.authorised_at else "pending"


def request_view(request: BillingRequest, payment: Payment | None) -> dict[str, Any]:
    word, links = request_word(request, payment), {"customer": "CU0001", "payment_request": "PRQ01"}
    if word == "fulfilled":
        links["payment_request_payment"] = payment_id_of(request)
    return {
        "id": request.id,
        "created_at": stamp(request.created_at),
        "status": word,
        "mandate_request": None,
        "payment_request": {
            "description": request.description,
            "currency": request.currency,
            "amount": request.amount,
            "scheme": request.scheme,
            "metadata": request.payment_metadata,
        },
        "actions": [],
        "metadata": request.metadata,
        "purpose_code": "loan",
        "links": links,
    }


def payment_view(request: BillingRequest, payment: Payment, now: datetime) -> dict[str, Any]:
    """Some answers write amounts as strings; this one does."""
    return {
        "id": payment_id_of(request),
        "created_at": stamp(payment.authorised_at or now),
        "amount": str(request.amount),
        "currency": request.currency,
        "description": request.description,
        "status": payment_word(payment, now),
        "scheme": request.scheme,
        "metadata": request.payment_metadata,
        "links": {"creditor": "CR0001"},
    }


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


class No(Exception):
    """A refused request in the vendor's form."""

    def __init__(
        self, status: int, kind: str, reason: str, *, links: dict[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        inner: dict[str, Any] = {"reason": reason, "message": reason.replace("_", " ")}
        if links:
            inner["links"] = links
        self.status = status
        self.body = {
            "error": {
                "type": kind,
                "code": status,
                "message": reason.replace("_", " ").capitalize(),
                "documentation_url": "https://developer.gocardless.com/api-reference#errors",
                "request_id": str(uuid4()),
                "errors": [inner],
            }
        }

    def answer(self) -> Response:
        return answer_json(self.body, self.status)


def answer_json(body: Any, status: int = 200) -> Response:
    headers = {
        "ratelimit-limit": "1000",
        "ratelimit-remaining": "999",
        "ratelimit-reset": "Mon, 23 Nov 2026 09:01:00 GMT",
    }
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def check(request: Request) -> None:
    """Raises `No` without our token or the version of the API."""
    if request.headers.get("authorization") != f"Bearer {ACCESS_TOKEN}":
        raise No(401, "invalid_api_usage", "access_token_not_found")
    if request.headers.get("gocardless-version") != VERSION:
        raise No(400, "invalid_api_usage", "version_not_found")


async def enveloped(request: Request, name: str) -> dict[str, Any]:
    """The content of a body's envelope. Raises `No`."""
    try:
        document = orjson.loads(await request.body() or b"null")
    except orjson.JSONDecodeError:
        document = None
    inside = document.get(name) if isinstance(document, dict) else None
    if document is None and name == "data":
        inside = {}
    if not isinstance(inside, dict):
        raise No(400, "invalid_api_usage", "invalid_document_structure")
    return inside
