"""At which times of a day money is best looked for, by how incomes are spread over its half hours.

A read at a time sees what came before it; what comes later waits for the next read, of that day
or of the one after. The times of a day are chosen one by one, each where it shortens the mean
wait most, so that fewer reads are always a part of more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from operator import mul

from app.domain.income_pool import HALF_HOURS

SLOTS = 48
SLOT_MINUTES = 30
MOST_READS = 4
# Times are moved for no gain below this many half hours.
_SAME = 1e-9
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
def best_times(shares: tuple[float, ...]) -> tuple[tuple[tuple[int, ...], ...], tuple[float, ...]]:
    """The best times with one read a day, with two, up to four, and the mean wait with as many.

    Times are minutes of the day in order, waits are days. The wait of income within its half hour
    counts from the middle. From the best with one read fewer and the best place for another each
    is moved in turn to where it is better, until none is.
    """
    passed = (*accumulate(shares, initial=0.0),)
    weighed = (*accumulate(map(mul, shares, range(SLOTS)), initial=0.0),)

    def wait(reads: Sequence[int]) -> float:
        total, before = 0.0, 0
        for read in (*reads, reads[0] + SLOTS):
            end = min(read, SLOTS)
            total += (read - 0.5) * (passed[end] - passed[before])
            total -= weighed[end] - weighed[before]
            before = end
        return total

    chosen: tuple[int, ...] = ()
    found, waits = [], []
    for _ in range(MOST_READS):
        least, chosen = min(_one_more(chosen, wait))
        moved = True
        while moved:
            moved = False
            for place in range(len(chosen)):
                cost, better = min(_one_more(chosen[:place] + chosen[place + 1 :], wait))
                if cost < least - _SAME:
                    least, chosen, moved = cost, better, True
        found.append(tuple(slot * SLOT_MINUTES for slot in chosen))
        waits.append(round(least / SLOTS, 5))
    return tuple(found), tuple(waits)


def _one_more(
    reads: tuple[int, ...], wait: Callable[[Sequence[int]], float]
) -> Iterator[tuple[float, tuple[int, ...]]]:
    """What each further read would come to, and all reads with it."""
    for slot in range(1, SLOTS + 1):
        if slot not in reads:
            every = (*sorted((*reads, slot)),)
            yield wait(every), every
