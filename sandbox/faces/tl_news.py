"""TrueLayer's webhooks about payments, and the key set that they are verified with."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

import orjson

from sandbox.banks import BY_ID
from sandbox.faces.gateway_calls import Prepared
from sandbox.faces.tl_signature import sign_call
from sandbox.faces.tl_wire import ROOT
from sandbox.faces.told import Told
from sandbox.payments import status_at
from sandbox.records import Payment
from sandbox.world import World

KEYS = f"{ROOT}/webhooks/.well-known/jwks"
TIME = "X-Tl-Webhook-Timestamp"


def word(payment: Payment, now: datetime) -> str:
    """The event's type; empty before the payer has answered."""
    stands = status_at(payment, now)
    if stands == "RCVD":
        return ""
    if stands in ("CANC", "RJCT"):
        return "payment_failed"
    done = stands in BY_ID[payment.bank_id].settled_at
    return "payment_executed" if done else "payment_authorized"


def prepare(world: World, told: Told) -> Prepared:
    """The call: signed with the vendor's key, with somebody else's, or not at all."""
    url, stated = world.hooks.urls["truelayer"], f"{world.hooks.origin}{KEYS}"
    at = told.signed_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    body = orjson.dumps(
        {
            "type": told.word,
            "event_version": 1,
            "event_id": str(uuid5(NAMESPACE_URL, told.event_id)),
            "payment_id": told.payment.id,
            "payment_method": {"type": "bank_transfer"},
            f"{told.word.removeprefix('payment_')}_at": at,
        }
    )
    headers = {"Content-Type": "application/json", TIME: at}
    if told.signature != "none":
        path = urlsplit(url).path
        forged = told.signature == "bad"
        headers["Tl-Signature"] = sign_call(path, at, body, stated, forged=forged)
    return Prepared(url, headers, body)
