"""Rate limits at the doors a stranger can knock on. Real time, per process, in memory.

The limits bound guessing; they are not the only bound: wrong identity checks are counted in the
database, per link and per person, and a token has 128 random bits.
"""

from __future__ import annotations

from enum import Enum

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.domain.errors import Refused


class TooMany(Refused):
    """Too many tries from one place; `after` is a whole number of seconds to wait."""

    status = 429

    def __init__(self, after: int) -> None:
        super().__init__("Too many tries. Please wait a little and try again.")
        self.after = after


class Door(Enum):
    """What is bounded, and how often. Per hour the bound is on persistent guessing."""

    SIGN_IN_PER_IP = (RateLimitItemPerMinute(20), RateLimitItemPerHour(100))
    # One network's tries at one person's door: a stranger uses up his own share, not the owner's.
    SIGN_IN_PER_ACCOUNT_AND_IP = (RateLimitItemPerMinute(5), RateLimitItemPerHour(30))
    # All networks together. A browser the person signed in with before is counted by itself.
    SIGN_IN_PER_ACCOUNT = (RateLimitItemPerMinute(30), RateLimitItemPerHour(150))
    SIGN_IN_PER_KNOWN_BROWSER = (RateLimitItemPerMinute(10), RateLimitItemPerHour(60))
    CHECK_PER_IP = (RateLimitItemPerMinute(20), RateLimitItemPerHour(120))
    UNKNOWN_TOKEN_PER_IP = (RateLimitItemPerMinute(20), RateLimitItemPerHour(60))
    BORROWER_POST_PER_LINK = (RateLimitItemPerMinute(30),)
    NEW_PASSWORD_PER_USER = (RateLimitItemPerHour(10),)

    def __init__(self, *bounds: RateLimitItem) -> None:
        self.bounds = bounds


class Throttle:
    """Counts knocks in moving windows."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def knock(self, door: Door, who: str) -> None:
        """Count one try. Raises `TooMany` when the place has had its share."""
        for bound in door.bounds:
            if not self._limiter.hit(bound, door.name, who):
                raise TooMany(int(bound.get_expiry()))

    def closed(self, door: Door, who: str) -> bool:
        """Whether the next try would be one too many, without counting it."""
        return not all(self._limiter.test(bound, door.name, who) for bound in door.bounds)
