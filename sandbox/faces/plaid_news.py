"""Plaid's items, its webhooks about payments and items in trouble, and the key of these."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sandbox.faces.gateway_calls import Prepared
from sandbox.faces.plaid_pay import PlaidPayment, word_of
from sandbox.faces.plaid_wire import error_json
from sandbox.faces.told import Told
from sandbox.records import ConsentStatus, Payment
from sandbox.world import World

KEY_ID = "6c5516e1-92dc-479e-a8ff-5a51992e0001"


@dataclass(slots=True)
class Item:
    """One page of Link and the item that comes of it. Its id is the consent's at the bank."""

    id: str
    bank_id: str
    link_token: str
    created_at: datetime
    redirect: str = ""
    webhook: str = ""
    visited: bool = False
    exchanged: bool = False
    removed: bool = False

    @property
    def public_token(self) -> str:
        return f"public-sandbox-{uuid5(NAMESPACE_URL, f'public/{self.id}')}"

    @property
    def access_token(self) -> str:
        return f"access-sandbox-{uuid5(NAMESPACE_URL, f'access/{self.id}')}"

    def account_id(self, iban: str) -> str:
        """Plaid's id of an account, new with every item."""
        return uuid5(NAMESPACE_URL, f"{self.id}/{iban}").hex


class PlaidItems:
    """The items of Plaid's one customer, by their ids."""

    def __init__(self, world: World) -> None:
        self._world = world

    def troubled(self) -> Iterator[tuple[str, str]]:
        """Items whose consent has ended at the bank, where the customer wants to be called."""
        now = self._world.now()
        for item in self._world.store.all_of("plaid_item", Item):
            consent = self._world.consents.get(item.bank_id, item.id)
            if not item.webhook or not item.exchanged or item.removed or consent is None:
                continue
            if self._world.consents.status(consent, now) is not ConsentStatus.VALID:
                yield item.id, "ERROR"

    def call(self, connection_id: str, word: str, at: datetime) -> Prepared:
        """One call, to the address that came with the page of Link."""
        items = self._world.store.all_of("plaid_item", Item)
        item = next(one for one in items if one.id == connection_id)
        return trouble(item.webhook, item.id, at, word)


def word(payment: Payment, now: datetime) -> str:
    """What is told of a payment: its status, once its payer has answered."""
    stands = word_of(payment, now)
    return "" if stands in ("INPUT_NEEDED", "AUTHORISING") else stands


def prepare(world: World, told: Told) -> Prepared:
    """One call about a payment: signed, signed over another body, or not at all."""
    found = world.store.all_of("plaid_payment", PlaidPayment)
    about = next(one for one in found if one.at_bank == told.payment.id)
    body = orjson.dumps(
        {
            "webhook_type": "PAYMENT_INITIATION",
            "webhook_code": "PAYMENT_STATUS_UPDATE",
            "payment_id": about.id,
            "new_payment_status": f"PAYMENT_STATUS_{told.word}",
            "old_payment_status": "PAYMENT_STATUS_AUTHORISING",
            "original_reference": about.reference,
            "environment": "production",
        }
    )
    headers = {"Content-Type": "application/json"}
    if told.signature != "none":
        other = body if told.signature == "good" else b"another body"
        headers["Plaid-Verification"] = signed(other, told.signed_at)
    return Prepared(about.webhook, headers, body)


@cache
def _key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def public_key(key_id: object) -> dict[str, Any] | None:
    """The JWK of an id, as /webhook_verification_key/get shows it."""
    if key_id != KEY_ID:
        return None
    numbers = _key().public_key().public_numbers()
    places = {"x": numbers.x, "y": numbers.y}
    return {
        "alg": "ES256",
        "crv": "P-256",
        "kid": KEY_ID,
        "kty": "EC",
        "use": "sig",
        "created_at": 1560466150,
        "expired_at": None,
        **{name: _base64(value.to_bytes(32, "big")).decode() for name, value in places.items()},
    }


def trouble(url: str, item_id: str, at: datetime, code: str = "ERROR") -> Prepared:
    """The call about an item that has to be connected anew."""
    body = orjson.dumps(
        {
            "webhook_type": "ITEM",
            "webhook_code": code,
            "item_id": item_id,
            "error": error_json("ITEM_ERROR", "ITEM_LOGIN_REQUIRED"),
            "environment": "production",
        }
    )
    headers = {"Content-Type": "application/json", "Plaid-Verification": signed(body, at)}
    return Prepared(url, headers, body)


def signed(body: bytes, at: datetime, **head: Any) -> str:
    """The token that goes with this body."""
    first = orjson.dumps({"alg": "ES256", "kid": KEY_ID, "typ": "JWT", **head})
    digest = hashlib.sha256(body).hexdigest()
    claims = orjson.dumps({"iat": int(at.timestamp()), "request_body_sha256": digest})
    sealed = _base64(first) + b"." + _base64(claims)
    r, s = decode_dss_signature(_key().sign(sealed, ECDSA(SHA256())))
    return (sealed + b"." + _base64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))).decode()


def _base64(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")
