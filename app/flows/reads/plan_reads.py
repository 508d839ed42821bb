"""Find the accounts whose time to be read has come, and hand them to workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from app.domain.provider_setup import Slot
from app.domain.read_planner import OVERDUE_AFTER, PlanQuestion, is_overdue, next_read
from app.flows.house import House
from app.flows.providers.bank_book import BankBook, bank_book
from app.store.jobs import READ_BALANCES
from app.store.reads import DueAccount, lease, set_next_reads, take_due
from app.store.unit import Unit

# Accounts per job: large enough that its statements cost next to nothing per read.
BATCH: Final = 200
PER_TRANSACTION: Final = 1000
PER_TICK: Final = 20_000

# Real seconds between handing an account to a worker and giving that up.
_LEASE_S: Final = 20.0
_SHORTEST_LEASE: Final = timedelta(minutes=15)
# Real seconds by which a tick may come late; in a warped clock that is much business time.
_TICK_S: Final = 5.0
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ReadsPlanned:
    """`handed` accounts went to workers, `moved` missed their time and got their next slot."""

    handed: int
    moved: int


@dataclass(frozen=True, slots=True)
class _Round:
    """One transaction's worth. `last` is the due time of the last account it took."""

    handed: int
    moved: int
    last: datetime


async def plan_reads(
    house: House, now: datetime, *, speed: float = 1.0, limit: int = PER_TICK
) -> ReadsPlanned:
    """Plan at most `limit` due accounts: lease them and defer their jobs, all or nothing at a time.

    A read that was missed (nobody was running, or a worker died before it began) is not made up
    for: its account waits for its own next slot, so that no start is a burst. `speed` is
    business seconds per real second, for the tolerance in a warped clock.
    """
    banks = bank_book(await house.of_everybody(Slot.AGGREGATION))
    handed = moved = 0
    since = _LONG_AGO
    while handed + moved < limit:
        size = min(PER_TRANSACTION, limit - handed - moved)
        took = await _plan_some(house, now, banks, speed, since, size)
        handed += took.handed
        moved += took.moved
        since = took.last
        if took.handed + took.moved < size:
            break
    return ReadsPlanned(handed, moved)


async def _plan_some(
    house: House, now: datetime, banks: BankBook, speed: float, since: datetime, size: int
) -> _Round:
    """One planning transaction."""
    tolerance = max(OVERDUE_AFTER, timedelta(seconds=_TICK_S * speed))
    async with house.store.engine_unit() as unit:
        due = await take_due(unit, now, since, size)
        if not due:
            return _Round(0, 0, since)
        last = due[-1].next_read_at
        late = [one for one in due if one.lapsed or is_overdue(one.next_read_at, now, tolerance)]
        if late:
            await _move(unit, now, late, banks)
            missed = {one.id for one in late}
            due = [one for one in due if one.id not in missed]
        if due:
            until = now + max(_SHORTEST_LEASE, timedelta(seconds=_LEASE_S * speed))
            await lease(unit, [one.id for one in due], until)
        for start in range(0, len(due), BATCH):
            ids = [str(one.id) for one in due[start : start + BATCH]]
            await unit.defer(READ_BALANCES, ids=ids)
        return _Round(len(due), len(late), last)


async def _move(unit: Unit, now: datetime, late: Sequence[DueAccount], banks: BankBook) -> None:
    """Give each its next slot. What else speaks against a read is asked when that comes."""
    slots = []
    for one in late:
        hours = banks.of(one.connector, one.bank_id)
        question = PlanQuestion(
            account_id=one.id,
            now=now,
            zone=hours.time_zone,
            booking_from=hours.booking_from,
            booking_until=hours.booking_until,
        )
        slots.append(next_read(question).at)
    await set_next_reads(unit, [one.id for one in late], slots)
