"""A share of counted things with its interval, and when there are too few to tell one at all.

The interval is Wilson's (E. B. Wilson, JASA 22, 1927), which stays within 0 and 1 and keeps its
promise for shares near either end, where the usual one does not. It supposes things that do not
depend on each other and a number fixed beforehand: look at it as often as you like, but do not
stop an experiment by it (app/domain/lift.py is for that).

Floats are at home here: these are shares, never money.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

# The normal quantile of 97.5 %.
Z95: Final = 1.959963984540054
# Below so many a percentage says more than is known: with 15 of 30 its interval is 33 % to 67 %.
SMALL: Final = 30


@dataclass(frozen=True, slots=True)
class Proportion:
    """So many `hits` of `of`. Raises `ValueError` for more hits than there can be."""

    hits: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.of:
            raise ValueError(f"{self.hits} of {self.of} is no share")

    @property
    def share(self) -> float:
        """0 to 1; 0 of nothing."""
        return self.hits / self.of if self.of else 0.0

    @property
    def small(self) -> bool:
        """Too few to be told as a percentage."""
        return self.of < SMALL

    @property
    def interval(self) -> tuple[float, float]:
        """The Wilson interval of 95 %; everything where nothing was counted."""
        if not self.of:
            return 0.0, 1.0
        square = Z95 * Z95 / self.of
        middle = (self.share + square / 2) / (1 + square)
        spread = self.share * (1 - self.share) / self.of + square / (4 * self.of)
        half = Z95 * sqrt(spread) / (1 + square)
        # The ends are exact there, and rounding must not make them less.
        low = 0.0 if not self.hits else max(0.0, middle - half)
        return low, 1.0 if self.hits == self.of else min(1.0, middle + half)
