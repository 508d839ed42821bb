"""Signatures of JSON Web Signatures (JWS) on elliptic curves, as providers sign their calls."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP521R1,
    EllipticCurve,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm

from app.domain.errors import NotAllowed

_BASE64 = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One of JWA's: its curve, the bytes of one number of a signature, and its hash."""

    curve_name: str
    curve: EllipticCurve
    half: int
    hashed: HashAlgorithm


ES256 = Algorithm("P-256", SECP256R1(), 32, SHA256())
ES512 = Algorithm("P-521", SECP521R1(), 66, SHA512())


def key_of(jwk: Any, algorithm: Algorithm) -> EllipticCurvePublicKey | None:
    """The key of a JWK; None for one of another kind, or that is no point of the curve."""
    if not isinstance(jwk, dict) or (jwk.get("kty"), jwk.get("crv")) != (
        "EC",
        algorithm.curve_name,
    ):
        return None
    try:
        x, y = (int.from_bytes(unbase64(jwk.get(name)), "big") for name in ("x", "y"))
        return EllipticCurvePublicNumbers(x, y, algorithm.curve).public_key()
    except (ValueError, NotAllowed):
        return None


def signed_by(
    key: EllipticCurvePublicKey, algorithm: Algorithm, signature: bytes, signed: bytes
) -> bool:
    """Whether this key made the signature, two numbers of equal length, over these bytes."""
    half = algorithm.half
    if len(signature) != 2 * half:
        return False
    r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
    try:
        key.verify(encode_dss_signature(r, s), signed, ECDSA(algorithm.hashed))
    except InvalidSignature:
        return False
    return True


def base64(raw: bytes) -> bytes:
    """Base64 for addresses, without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=")


def unbase64(text: Any) -> bytes:
    """The bytes behind it. Raises NotAllowed for what is none."""
    fits = isinstance(text, str) and len(text) <= _LONGEST and _BASE64.fullmatch(text)
    if not fits or len(text) % 4 == 1:
        raise NotAllowed("The call is not signed.")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
