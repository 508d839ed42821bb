"""Making things nobody can guess or repeat: row ids, tokens, and their hashes."""

from __future__ import annotations

import secrets
import time
from threading import Lock
from typing import Final
from uuid import UUID


class _Places:
    """Places in time, 4,096 to a millisecond, each later than all that this process gave before.

    Lists sort by moment and then by id, and what one batch makes has one moment: without an order
    among ids of one millisecond, the first of two rows would be a matter of luck.
    """

    def __init__(self) -> None:
        self._next = 0
        self._turn = Lock()

    def take(self, count: int) -> int:
        """The first of so many places in a row: now, or behind the last where the clock stood."""
        now = time.time_ns() * 4_096 // 1_000_000
        with self._turn:
            first = max(now, self._next)
            self._next = first + count
        return first


_PLACES: Final = _Places()


def new_id() -> UUID:
    """A UUID version 7 of real time, later than every one that this process made before.

    Milliseconds first, so that indexes stay dense; the twelve bits behind them are finer time (RFC
    9562, 6.2, method 3), and 62 bits are random.
    """
    return _written(_PLACES.take(1), secrets.randbits(62))


def new_ids(count: int) -> list[UUID]:
    """So many new ids for one batch, in order: one look at the clock, one draw of random bits."""
    first = _PLACES.take(count)
    noise = secrets.token_bytes(8 * count)
    draws = (int.from_bytes(noise[at : at + 8], "big") for at in range(0, 8 * count, 8))
    return [_written(first + at, draw & (1 << 62) - 1) for at, draw in enumerate(draws)]


def _written(place: int, noise: int) -> UUID:
    milliseconds, finer = divmod(place, 4_096)
    stamp = milliseconds & (1 << 48) - 1
    return UUID(int=stamp << 80 | 0x7 << 76 | finer << 64 | 0b10 << 62 | noise)


def new_token() -> str:
    """128 random bits, URL-safe (22 characters). Only its keyed hash is ever stored."""
    return secrets.token_urlsafe(16)
