"""Tl-Signature as TrueLayer checks it, and the key pair of the sandbox's one customer.

A detached JWS: ES512 over `METHOD path`, the headers that it names, and the body. The pair is made
anew in each process that asks for it, unless KEY_FILE names one; a program that wants to pay here
signs with `customer_key`.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP521R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from sandbox.keys import kept_key

KEY_FILE = "SANDBOX_TRUELAYER_KEY"
"""Variable of the environment that names a PEM file, where several processes share the key."""
KEY_ID = "0a5a1d05-6b1f-4c0e-9d55-4d1f0c0a7e11"
HOOK_KEY_ID = "7c1d0e52-90a5-4d8e-8f44-0a5a1d05b6f1"
_HALF = 66


@cache
def _key() -> EllipticCurvePrivateKey:
    kept = kept_key(KEY_FILE)
    found = load_pem_private_key(kept, None) if kept else None
    if isinstance(found, EllipticCurvePrivateKey):
        return found
    return generate_private_key(SECP521R1())


@cache
def _hook_key(*, forged: bool = False) -> EllipticCurvePrivateKey:
    """The vendor's own key for its calls, or that of somebody who would like to be the vendor."""
    del forged
    return generate_private_key(SECP521R1())


def key_set() -> dict[str, Any]:
    """The vendor's public keys (JWK set). One kind it also publishes signs nothing for us."""
    numbers = _hook_key(forged=False).public_key().public_numbers()
    ours = {"kty": "EC", "alg": "ES512", "crv": "P-521", "kid": HOOK_KEY_ID}
    places = {name: _base64(value.to_bytes(_HALF, "big")).decode() for name, value in
              (("x", numbers.x), ("y", numbers.y))}  # fmt: skip
    return {"keys": [{"kty": "RSA", "alg": "RS512", "kid": "old"}, {**ours, **places}]}


def sign_call(path: str, at: str, body: bytes, keys_url: str, *, forged: bool = False) -> str:
    """Tl-Signature of a call to the customer."""
    names = ("X-Tl-Webhook-Timestamp", "Content-Type")
    head = {
        "alg": "ES512",
        "kid": HOOK_KEY_ID,
        "tl_version": "2",
        "tl_headers": ",".join(names),
        "jku": keys_url,
    }
    sealed = _base64(orjson.dumps(head))
    payload = f"POST {path}\n{names[0]}: {at}\n{names[1]}: application/json\n".encode() + body
    signed = _hook_key(forged=forged).sign(sealed + b"." + _base64(payload), ECDSA(SHA512()))
    raw = b"".join(number.to_bytes(_HALF, "big") for number in decode_dss_signature(signed))
    return b"..".join((sealed, _base64(raw))).decode()


def customer_key() -> bytes:
    """The private key of the one customer, as PEM."""
    return _key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def of_customer(jws: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the customer signed this request, with its Idempotency-Key."""
    head = head_of(jws)
    named = str(head.get("tl_headers", "")).lower().split(",")
    return (
        head.get("kid") == KEY_ID
        and "idempotency-key" in named
        and verifies(_key().public_key(), jws, method, path, headers, body)
    )


def head_of(jws: str) -> dict[str, Any]:
    """The first part of a signature; empty where it cannot be read."""
    try:
        head = orjson.loads(_unbase64(jws.partition(".")[0]))
    except ValueError:
        return {}
    return head if isinstance(head, dict) else {}


def verifies(
    key: EllipticCurvePublicKey,
    jws: str,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
) -> bool:
    """Whether this key made the signature. A path counts with and without a slash at its end."""
    sealed, _, rest = jws.partition(".")
    attached, _, signature = rest.partition(".")
    head = head_of(jws)
    if attached or head.get("alg") != "ES512" or head.get("tl_version") != "2":
        return False
    given = {name.lower(): value for name, value in headers.items()}
    names = [one for one in str(head.get("tl_headers", "")).split(",") if one]
    if any(name.lower() not in given for name in names):
        return False
    lines = "".join(f"{name}: {given[name.lower()]}\n" for name in names)
    try:
        raw = _unbase64(signature)
    except ValueError:
        return False
    if len(raw) != 2 * _HALF:
        return False
    r, s = (int.from_bytes(half, "big") for half in (raw[:_HALF], raw[_HALF:]))
    der = encode_dss_signature(r, s)
    bare = path.rstrip("/")
    for one in (bare, f"{bare}/"):
        payload = _base64(f"{method} {one}\n{lines}".encode() + body)
        try:
            key.verify(der, sealed.encode() + b"." + payload, ECDSA(SHA512()))
        except InvalidSignature:
            continue
        return True
    return False


def _base64(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _unbase64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
