"""How fast a caller may go. Counted in this process, in real time.

With several web processes each counts for itself, so the limit is per process: it keeps one
runaway script from starving the others, it is not a price list.
"""

from __future__ import annotations

import math
import time
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.api.problems import TooMany

STRANGER_TRIES: Final = 30
"""Wrong keys from one address in a minute before even right ones have to wait."""


class Pace:
    """The counters of one process."""

    def __init__(self, calls_per_minute: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._calls = RateLimitItemPerMinute(calls_per_minute, namespace="key")
        self._strangers = RateLimitItemPerMinute(STRANGER_TRIES, namespace="stranger")

    def count_call(self, key_hash: bytes) -> None:
        """One call with this key, known or not. Raises `TooMany`."""
        name = key_hash.hex()
        if not self._limiter.hit(self._calls, name):
            raise TooMany(self._wait(self._calls, name))

    def check_stranger(self, address: str) -> None:
        """Raises `TooMany` while this address has tried too many wrong keys."""
        if not self._limiter.test(self._strangers, address):
            raise TooMany(self._wait(self._strangers, address))

    def count_stranger(self, address: str) -> None:
        """One wrong key from this address."""
        self._limiter.hit(self._strangers, address)

    def _wait(self, item: RateLimitItemPerMinute, name: str) -> int:
        free_at = self._limiter.get_window_stats(item, name).reset_time
        return max(1, math.ceil(free_at - time.time()))
