"""How fast a caller may go. Counted in this process, in real time.

With several web processes each counts for itself, so the limit is per process: it keeps one
runaway script from starving the others, it is not a price list.
"""

from __future__ import annotations

import math
import time
from uuid import UUID

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.api.problems import TooMany


class Pace:
    """The counters of one process."""

    def __init__(self, calls_per_minute: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._calls = RateLimitItemPerMinute(calls_per_minute, namespace="key")

    def count(self, key_id: UUID) -> None:
        """One call with this key. Raises `TooMany` that says when to go on."""
        name = str(key_id)
        if not self._limiter.hit(self._calls, name):
            free_at = self._limiter.get_window_stats(self._calls, name).reset_time
            raise TooMany(max(1, math.ceil(free_at - time.time())))
