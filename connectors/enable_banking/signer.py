"""The token of every call: a JWT that we sign ourselves with the application's RSA key (RS256).

There is no token endpoint and no shared secret. The vendor allows 24 hours; ours live for one, so
that one that leaks is soon worth nothing.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from app.domain.errors import Misconfigured
from connectors._tls import private_key

ISSUER = "enablebanking.com"
AUDIENCE = "api.enablebanking.com"
LIFETIME = timedelta(hours=1)
# A token is made anew this long before it ends, so that none ends on its way.
_MARGIN = timedelta(minutes=5)
_SMALLEST_KEY = 2048


class Signer:
    """Makes the Authorization header. `real_now` is the real clock: the vendor checks the time."""

    def __init__(self, app_id: str, key: Path | None, real_now: Callable[[], datetime]) -> None:
        """Raises Misconfigured when the application or its key cannot be used."""
        if not app_id:
            raise Misconfigured(
                "SALDO_ENABLE_BANKING_APP_ID", "is not set", "Give your application's id."
            )
        self._app_id = app_id
        self._key = load_key(key)
        self._real_now = real_now
        self._token = ""
        self._made_at: datetime | None = None

    def __repr__(self) -> str:
        return "Signer(…)"

    def header(self) -> str:
        """The value of Authorization. One token serves until shortly before it ends."""
        now = self._real_now()
        made = self._made_at
        if made is None or not made <= now < made + LIFETIME - _MARGIN:
            self._token, self._made_at = self._sign(now), now
        return f"Bearer {self._token}"

    def _sign(self, now: datetime) -> str:
        issued = int(now.timestamp())
        head = {"typ": "JWT", "alg": "RS256", "kid": self._app_id}
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": issued,
            "exp": issued + int(LIFETIME.total_seconds()),
        }
        signed = b".".join(_base64(orjson.dumps(part)) for part in (head, claims))
        signature = self._key.sign(signed, PKCS1v15(), SHA256())
        return b".".join((signed, _base64(signature))).decode("ascii")


def load_key(path: Path | None) -> RSAPrivateKey:
    """The RSA key of a PEM file. Raises Misconfigured, never with a piece of the file."""
    setting = "SALDO_ENABLE_BANKING_PRIVATE_KEY"
    key = private_key(path, setting)
    if not isinstance(key, RSAPrivateKey) or key.key_size < _SMALLEST_KEY:
        raise Misconfigured(
            setting, f"{path} is not an RSA key of {_SMALLEST_KEY} bits", "Make a new key."
        )
    return key


def _base64(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")
