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


def new_ids(count: int) -> list[UUID]:
    """So many new ids for one batch: one look at the clock, one draw of random bits."""
    stamp = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | 0x7 << 76 | 0b10 << 62
    noise = secrets.token_bytes(10 * count)
    draws = (int.from_bytes(noise[at : at + 10], "big") for at in range(0, 10 * count, 10))
    low, high = (1 << 62) - 1, (1 << 12) - 1
    return [UUID(int=stamp | (draw >> 64 & high) << 64 | draw & low) for draw in draws]


def new_token() -> str:
    """128 random bits, URL-safe (22 characters). Only its keyed hash is ever stored."""
    return secrets.token_urlsafe(16)
