"""Unnax's signatures of widgets, and the encryption of what it calls back with."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from binascii import Error as NotBase64
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from connectors._json import decoded

_BLOCK = 16
_PAD = b"$"


def merchant_signature(*parts: str) -> str:
    """Lower-case hex SHA-1 of the parts, one after the other. SHA-1 is Unnax's choice."""
    return hashlib.sha1("".join(parts).encode(), usedforsecurity=False).hexdigest()


def opened(data: str, api_id: str, api_code: str) -> Any:
    """The decoded content of an encrypted `data` (AES-128-CBC, padded with `$`).

    Raises ValueError, without a piece of it, for what these credentials do not open.
    """
    try:
        sealed = b64decode(data, validate=True)
    except NotBase64:
        sealed = b""
    if not sealed or len(sealed) % _BLOCK:
        message = "the content is not encrypted as it should be"
        raise ValueError(message)
    decryptor = Cipher(AES(_block_of(api_code)), CBC(_block_of(api_id))).decryptor()
    plain = decryptor.update(sealed) + decryptor.finalize()
    try:
        return decoded(plain.rstrip(_PAD))
    except ValueError:
        message = "the content does not open with these credentials"
        raise ValueError(message) from None


def _block_of(text: str) -> bytes:
    return text.encode()[:_BLOCK].ljust(_BLOCK, _PAD)
