"""Chance that is the same on every start: picks are hashes of a seed and of named keys.

A pick depends on its own keys alone, never on what was drawn before, so that a restart, a new
person or another order of questions changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

Key = str | int


@dataclass(frozen=True, slots=True)
class Chance:
    """A source of repeatable picks under one seed and prefix."""

    seed: int
    prefix: tuple[Key, ...] = ()

    def under(self, *keys: Key) -> Chance:
        """The same source with a longer prefix, for one person or one month."""
        return Chance(self.seed, (*self.prefix, *keys))

    def whole(self, *keys: Key) -> int:
        """A number of 64 bits."""
        text = "\x1f".join(str(key) for key in (self.seed, *self.prefix, *keys))
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")

    def fraction(self, *keys: Key) -> float:
        """A number from 0 up to, but not including, 1."""
        return (self.whole(*keys) >> 11) / float(1 << 53)

    def between(self, low: int, high: int, *keys: Key) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + self.whole(*keys) % (high - low + 1)

    def pick(self, choices: Sequence[T], *keys: Key) -> T:
        """One of `choices`, all equally likely."""
        return choices[self.whole(*keys) % len(choices)]

    def weighted(self, choices: Sequence[tuple[T, int]], *keys: Key) -> T:
        """One of `choices`, each as likely as its weight."""
        total = sum(weight for _, weight in choices)
        rest = self.whole(*keys) % total
        for choice, weight in choices:
            if rest < weight:
                return choice
            rest -= weight
        raise AssertionError("weights are positive, so one choice was met")
