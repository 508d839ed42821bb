"""Tl-Signature: each order is signed with our own key (ES512, a JWS without its payload).

What is signed: method and path, the headers that the signature names, and the exact body.
"""

from __future__ import annotations

from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP521R1,
    EllipticCurvePrivateKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA512

from app.domain.errors import Misconfigured
from connectors._jws import base64
from connectors._tls import private_key

KEY_HEADER = "Idempotency-Key"
_HALF = 66  # bytes of one number of a signature on P-521


class Signer:
    """Signs as the key that is registered under `key_id`."""

    def __init__(self, key_id: str, key: Path | None) -> None:
        """Raises Misconfigured when the key or its id cannot be used."""
        if not key_id:
            raise Misconfigured(
                "SALDO_TRUELAYER_KEY_ID", "is not set", "Copy the id of your key from the Console."
            )
        self._key_id = key_id
        self._key = load_key(key)

    def __repr__(self) -> str:
        return "Signer(…)"

    def sign(self, method: str, path: str, key: str, body: bytes) -> str:
        """The value of Tl-Signature. `key` is the Idempotency-Key; `path` has no slash at its end.

        Both are sent exactly as they are signed.
        """
        head = {
            "alg": "ES512",
            "kid": self._key_id,
            "tl_version": "2",
            "tl_headers": KEY_HEADER,
        }
        sealed = base64(orjson.dumps(head))
        payload = f"{method} {path}\n{KEY_HEADER}: {key}\n".encode() + body
        der = self._key.sign(sealed + b"." + base64(payload), ECDSA(SHA512()))
        r, s = decode_dss_signature(der)
        signature = r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")
        return b"..".join((sealed, base64(signature))).decode("ascii")


def load_key(path: Path | None) -> EllipticCurvePrivateKey:
    """The key of a PEM file. Raises Misconfigured, never with a piece of the file."""
    setting = "SALDO_TRUELAYER_SIGNING_KEY"
    key = private_key(path, setting)
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP521R1):
        raise Misconfigured(setting, f"{path} is not a key on P-521", "Make one for ES512.")
    return key
