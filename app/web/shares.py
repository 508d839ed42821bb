"""Shares of counted things as the desk shows them: with their numbers, and few told as few."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.proportion import Proportion


@dataclass(frozen=True, slots=True)
class ShareShown:
    """A share in words. `share` and `interval` are empty where there are too few to tell."""

    counts: str
    share: str = ""
    interval: str = ""
    any: bool = True


def percent(share: float) -> str:
    """A share of one in words; what is there is never shown as nothing, nor what lacks as all."""
    if 0 < share < 0.0005:
        return "<0.1%"
    if 0.9995 <= share < 1:
        return ">99.9%"
    return f"{share * 100:.1f}%"


def share_shown(one: Proportion) -> ShareShown:
    """Such as "27 of 40"; from thirty on the percentage and its interval besides."""
    counts = f"{one.hits} of {one.of}"
    if one.small:
        return ShareShown(counts, any=one.of > 0)
    low, high = one.interval
    return ShareShown(counts, percent(one.share), f"{percent(low)} to {percent(high)}")
