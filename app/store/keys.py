"""Making things nobody can guess or repeat: row ids, tokens, and their hashes."""

from __future__ import annotations

import secrets
import time
from uuid import UUID


def new_id() -> UUID:
    """A UUID version 7 (RFC 9562): real milliseconds first, so that indexes stay dense."""
    stamp = time.time_ns() // 1_000_000
    value = (stamp & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | secrets.randbits(12) << 64
    value |= 0b10 << 62 | secrets.randbits(62)
    return UUID(int=value)


def new_token() -> str:
    """128 random bits, URL-safe (22 characters). Only its keyed hash is ever stored."""
    return secrets.token_urlsafe(16)
