"""Plaid's webhooks about items whose login is no longer good, and the key they are signed with."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from datetime import datetime
from functools import cache
from typing import Any

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
from sandbox.faces.plaid_wire import error_json

KEY_ID = "6c5516e1-92dc-479e-a8ff-5a51992e0001"


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
