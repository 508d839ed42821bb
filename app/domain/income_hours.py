"""At which half hours of the day an account's income comes, from looks that lay hours apart.

A look rarely tells the hour: it says that income came between two moments, a *bracket*. One of
eight hours says little, several that overlap say much: an employer's file is booked at about the
same time each time, so that what all brackets have in common is where it comes. The last brackets
are kept as they are and laid on half hours together, each time anew: every income is spread over
its bracket by what the others say, until that no longer moves (expectation and maximisation for
censored observations, after Turnbull 1976). An hour that is no longer kept is forgotten with its
last bracket, and two employers make two peaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from app.domain.income_pool import HALF_HOURS
from app.domain.read_hours import SLOT_MINUTES, SLOTS

Bracket: TypeAlias = tuple[int, int]
"""The minute of the local day on which it begins, and its length in minutes, less than a day's."""

KEPT = 12
"""So many of the last brackets are kept."""
_DAY = SLOTS * SLOT_MINUTES
_ROUNDS = 20
# So many incomes the hours of all accounts weigh while brackets are laid out: little, for what
# brackets have in common is to be found and not blurred.
_FAINT = 0.3
# A bracket this many times as long as one that lies in it is no news.
_FAR_WIDER = 2
# Brackets of even reads say next to nothing of an hour, those of minutes nearly all.
_SHARPLY = 3
# From half hours that hold this share of all incomes brackets are made where none were kept.
_PEAK_SHARE = 0.1


def kept_with(brackets: Sequence[Bracket], bracket: Bracket) -> tuple[Bracket, ...]:
    """The brackets that are kept after one more, the oldest of too many left out.

    One that holds another of less than half its length is no news, and drives none out.
    """
    start, length = bracket
    for other, inner in brackets:
        if length >= _FAR_WIDER * inner and (other - start) % _DAY + inner <= length:
            return tuple(brackets)
    return (*brackets, bracket)[-KEPT:]


def lay_out(brackets: Sequence[Bracket]) -> list[float]:
    """Incomes by half hour, each laid where all of them together say that it came.

    Each counts by the share of the day that its bracket rules out.
    """
    covers = [(1 - length / _DAY, _covered(start, length)) for start, length in brackets]
    counts = [0.0] * SLOTS
    for _ in range(_ROUNDS):
        likely = [_FAINT * pool + own for pool, own in zip(HALF_HOURS, counts, strict=True)]
        counts = [0.0] * SLOTS
        for weight, cover in covers:
            by = weight / sum(likely[slot] * part for slot, part in cover)
            for slot, part in cover:
                counts[slot] += by * likely[slot] * part
    return counts


def sharpness(brackets: Sequence[Bracket]) -> float:
    """How many incomes told their hour: a bracket of minutes counts as one, a long one hardly."""
    return sum((1 - length / _DAY) ** _SHARPLY for _, length in brackets)


def brackets_of(half_hours: Sequence[float]) -> tuple[Bracket, ...]:
    """Brackets that stand for counts which were made before brackets were kept.

    Only half hours that stand out count: the others were spread over what was not known.
    """
    total = sum(half_hours)
    scale = min(KEPT / total, 1.0) if total else 1.0
    return tuple(
        (slot * SLOT_MINUTES, SLOT_MINUTES)
        for slot, count in enumerate(half_hours)
        if count >= _PEAK_SHARE * total
        for _ in range(round(count * scale))
    )[:KEPT]


def _covered(start: int, length: int) -> list[tuple[int, float]]:
    """The half hours of a bracket, each with the part of it that lies within, round the clock."""
    end, found = start + length, []
    for slot in range(start // SLOT_MINUTES, -(-end // SLOT_MINUTES)):
        low, high = max(start, slot * SLOT_MINUTES), min(end, (slot + 1) * SLOT_MINUTES)
        found.append((slot % SLOTS, (high - low) / SLOT_MINUTES))
    return found
