"""GoCardless's webhooks about billing requests and payments: batches of events, one signature."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import Any

import orjson

from sandbox.faces.gateway_calls import Prepared
from sandbox.faces.gc_wire import (
    HOOK_SECRET,
    NOTIFY,
    PAYMENTS,
    REQUESTS,
    BillingRequest,
    payment_id_of,
    payment_word,
    stamp,
)
from sandbox.faces.told import Told
from sandbox.payments import status_at
from sandbox.records import Payment
from sandbox.world import World


def word(payment: Payment, now: datetime) -> str:
    """The last thing that happened; empty before the payer or his creditor has done anything."""
    if payment.cancelled_at is not None:
        return "cancelled"
    if payment.refused_at is not None:
        return "bank_authorisation_denied"
    if payment.authorised_at is None:
        return "bank_authorisation_expired" if status_at(payment, now) == "RJCT" else ""
    stands = payment_word(payment, now)
    return "fulfilled" if stands == "submitted" else stands


def prepare(world: World, told: Told) -> Prepared:
    """One call. With a fulfilled request come the first events of its payment."""
    found = world.store.all_of("gc_request", BillingRequest)
    request = next(one for one in found if one.payment_id == told.payment.id)
    about_payment = {"payment": payment_id_of(request)}
    links = {"billing_request": request.id}
    events: list[tuple[str, str, dict[str, str]]] = []
    if told.word in ("confirmed", "paid_out", "failed", "charged_back"):
        events.append((PAYMENTS, told.word, about_payment))
    else:
        events.append((REQUESTS, told.word, links))
    if told.word == "fulfilled":
        events.append((PAYMENTS, "submitted", about_payment))
    body = orjson.dumps(
        {
            "events": [_event(told, *one) for one in events],
            "meta": {"webhook_id": f"WB{told.payment.id[:8].upper()}"},
        }
    )
    headers = {"Content-Type": "application/json", "User-Agent": "gocardless-webhook-service/1.1"}
    if told.signature != "none":
        secret = HOOK_SECRET if told.signature == "good" else "guessed"
        headers["Webhook-Signature"] = signature(secret, body)
    return Prepared(world.hooks.urls[NOTIFY], headers, body)


def signature(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _event(told: Told, kind: str, action: str, links: dict[str, str]) -> dict[str, Any]:
    seed = hashlib.sha256(f"{told.event_id}{kind}{action}".encode()).hexdigest()[:16].upper()
    return {
        "id": f"EV{seed}",
        "created_at": stamp(told.signed_at),
        "resource_type": kind,
        "action": action,
        "links": links,
        "details": {"origin": "gocardless", "cause": action, "description": action},
        "metadata": {},
    }
