"""Stamp what was written since the last stamps: timeline and audit of every lender, in batches.

Beside the work, and not in it: a chain that each writer had to move on would let the writers of one
lender through one at a time. What a stamp says, and what it cannot say, stands in
docs/adr/0023-history-is-stamped-behind-the-writers.md.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

import structlog

from app.domain.stamp import History, stamp
from app.flows.house import House
from app.store.stamps import (
    Unstamped,
    keep_stamp,
    last_stamp,
    lines_between,
    unstamped,
    writers,
)

log = structlog.get_logger("stamps")

# One stamp takes some ten milliseconds of computing; other looks have their turn in between.
LINES_AT_MOST: Final = 2_000
STAMPS_AT_MOST: Final = 100
# Real seconds. A transaction of ours ends sooner; one that does not is waited for at the next tick.
PATIENCE_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.05


async def stamp_history(house: House, now: datetime, *, patience_s: float = PATIENCE_S) -> int:
    """Stamp both histories of all lenders, bounded per tick. Returns how many lines were."""
    return sum([await _stamp_one(house, now, history, patience_s) for history in History])


async def _stamp_one(house: House, now: datetime, history: History, patience_s: float) -> int:
    async with house.store.engine_unit() as unit:
        waiting = await unstamped(unit, history)
        writing = await writers(unit, history)
    if not waiting:
        return 0
    if not await _ended(house, history, writing, patience_s):
        log.info("stamps_wait_for_a_writer", history=history.value)
        return 0
    lines = made = 0
    while waiting and made < STAMPS_AT_MOST:
        # A stamp each, and round again: a lender with much to stamp keeps nobody waiting.
        for one in tuple(waiting):
            done = await _next_stamp(house, now, history, one)
            lines, made = lines + done, made + 1
            if done < LINES_AT_MOST:
                waiting.remove(one)
    return lines


async def _ended(
    house: House, history: History, writing: frozenset[str], patience_s: float
) -> bool:
    """Have all these transactions ended, at the latest when patience has?"""
    give_up = asyncio.get_running_loop().time() + patience_s
    while writing:
        async with house.store.engine_unit() as unit:
            writing &= await writers(unit, history)
        if writing:
            if asyncio.get_running_loop().time() >= give_up:
                return False
            await asyncio.sleep(_LOOK_EVERY_S)
    return True


async def _next_stamp(house: House, now: datetime, history: History, one: Unstamped) -> int:
    async with house.store.engine_unit() as unit:
        before = await last_stamp(unit, one.lender_id, history)
        lines = await lines_between(
            unit, one.lender_id, history, before, until=one.newest, at_most=LINES_AT_MOST
        )
        if not lines:
            return 0
        made = stamp(before, lines, lender_id=one.lender_id, history=history, stamped_at=now)
        return len(lines) if await keep_stamp(unit, made) else 0
