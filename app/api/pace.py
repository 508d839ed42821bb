"""How fast a caller may go. Counted in this process, in real time.

With several web processes each counts for itself, so the limit is per process: it keeps one
runaway script from starving the others, it is not a price list.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from app.api.problems import TooMany


@dataclass(slots=True)
class _Bucket:
    """What a key has left, as of a moment of the monotonic clock."""

    left: float
    at: float


class Pace:
    """A bucket a key: it holds one minute's calls and fills at that rate.

    There are as many buckets as keys were used, and only valid keys are counted, so the memory
    is bounded by what operators made. (The counting library used at the desk's doors starts a
    thread a call to forget old entries; here that cost more than the call.)
    """

    def __init__(
        self, calls_per_minute: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._full = float(calls_per_minute)
        self._per_second = calls_per_minute / 60
        self._monotonic = monotonic
        self._buckets: dict[UUID, _Bucket] = {}

    def count(self, key_id: UUID) -> None:
        """One call with this key. Raises `TooMany` that says when to go on."""
        now = self._monotonic()
        bucket = self._buckets.setdefault(key_id, _Bucket(self._full, now))
        bucket.left = min(self._full, bucket.left + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.left < 1:
            raise TooMany(max(1, math.ceil((1 - bucket.left) / self._per_second)))
        bucket.left -= 1
