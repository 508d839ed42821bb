"""Passwords: argon2id in a thread, at most two at once, the same work for strangers."""

from __future__ import annotations

import secrets
from typing import Final

import anyio
import anyio.to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.domain.errors import Invalid

SHORTEST: Final = 12
"""Characters a new password needs at least (NIST SP 800-63B-4 asks for 15 alone, 8 with more)."""

LONGEST: Final = 256

# Each hash takes 64 MiB for about a tenth of a second: a crowd at the door must wait in line.
_AT_ONCE: Final = 2


class Passwords:
    """Makes and compares password hashes without holding up the event loop."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._turns = anyio.CapacityLimiter(_AT_ONCE)
        self._nobody = ""

    async def make(self, password: str) -> str:
        """The hash of a new password. Raises `Invalid` when it is too short or too long."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise Invalid("password", f"needs {SHORTEST} to {LONGEST} characters.")
        return await anyio.to_thread.run_sync(self._hasher.hash, password, limiter=self._turns)

    async def right(self, stored: str | None, password: str) -> bool:
        """Does the password belong to the hash? `stored=None` costs the same and is never right."""
        matches = await anyio.to_thread.run_sync(
            self._matches, stored, password[:LONGEST], limiter=self._turns
        )
        return matches and stored is not None

    def _matches(self, stored: str | None, password: str) -> bool:
        if not self._nobody:
            # Made at the first comparison, whoever it is for: the time it takes tells nothing.
            self._nobody = self._hasher.hash(secrets.token_urlsafe(32))
        try:
            return self._hasher.verify(stored or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
