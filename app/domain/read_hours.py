"""At which times of a day money is best looked for, by how incomes are spread over its half hours.

A read at a time sees what came before it; what comes later waits for the next read, of that day
or of the one after. The times of a day are chosen one by one, each where it shortens the mean
wait most, so that fewer reads are always a part of more.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from app.domain.income_pool import HALF_HOURS

SLOTS = 48
SLOT_MINUTES = 30
MOST_READS = 4
_POOLED = (*accumulate(HALF_HOURS, initial=0.0),)


def shares_of(counts: Sequence[float], prior: float) -> tuple[float, ...]:
    """The share of income by half hour: own counts, and the pool as `prior` more incomes."""
    total = prior + sum(counts)
    return tuple((prior * pool + own) / total for pool, own in zip(HALF_HOURS, counts, strict=True))


def share_by(shares: Sequence[float], minute: int) -> float:
    """The share of a day's income that has come by a minute of it (0 to 1440)."""
    slot, rest = divmod(minute, SLOT_MINUTES)
    part = shares[slot] * rest / SLOT_MINUTES if rest else 0.0
    return sum(shares[:slot]) + part


def share_passed(counts: Sequence[float], prior: float, minute: int) -> float:
    """`share_by` from the counts, for a single question."""
    slot, rest = divmod(minute, SLOT_MINUTES)
    passed = prior * _POOLED[slot] + sum(counts[:slot])
    if rest:
        passed += (prior * HALF_HOURS[slot] + counts[slot]) * rest / SLOT_MINUTES
    return passed / (prior + sum(counts))


@lru_cache(maxsize=1024)
def best_times(shares: tuple[float, ...]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Up to four times in the order of their use, and the mean wait with as many of them.

    Times are minutes of the day, waits are days. The wait of income within its half hour counts
    from the middle.
    """
    chosen: list[int] = []
    waits: list[float] = []
    for _ in range(MOST_READS):
        found = [
            (_wait(shares, sorted({*chosen, slot})), slot)
            for slot in range(1, SLOTS + 1)
            if slot not in chosen
        ]
        wait, slot = min(found)
        chosen.append(slot)
        waits.append(round(wait / SLOTS, 5))
    return tuple(slot * SLOT_MINUTES for slot in chosen), tuple(waits)


def _wait(shares: Sequence[float], reads: Sequence[int]) -> float:
    """The mean wait, in half hours, from income to the next read, round the clock."""
    total, following = 0.0, 0
    for slot, share in enumerate(shares):
        while following < len(reads) and reads[following] <= slot:
            following += 1
        until = reads[following] if following < len(reads) else reads[0] + SLOTS
        total += share * (until - slot - 0.5)
    return total
