"""Is history what it was when it was stamped? Every line and every stamp is computed anew."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.domain.errors import Invalid
from app.domain.stamp import (
    BACKDATED,
    Difference,
    History,
    Kind,
    Line,
    Stamp,
    first_difference,
)
from app.reports.findings import Finding, ok, wrong
from app.store.stamps import count_unstamped, lines_between, stamps_after, unstamped_since
from app.store.unit import Store, Unit

STAMPS_AT_ONCE: Final = 20
# Behind so many there is something to look into, whatever else there is.
FAULTS_AT_MOST: Final = 20
# Stamps come a real minute after the lines. More than this takes a long halt, or a demo's clock.
LATE: Final = timedelta(days=1)
# Business time; they come every minute.
STAMPS_LATE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is not as it was stamped; of a line with its place and id."""

    kind: Kind
    number: int
    place: int | None = None
    id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain, or what somebody wrote down of it: the number and hash of a stamp."""

    number: int
    hash: str

    @classmethod
    def read(cls, text: str) -> tuple[str, History, Head]:
        """Read what was written down: "lender/history/number/hash". Raises `Invalid`."""
        try:
            slug, history, number, digest = text.strip().rsplit("/", 3)
            return slug, History(history), cls(int(number), digest.lower())
        except ValueError:
            raise Invalid(
                "--head", "is not lender/history/number/hash.", mend="Copy it as it was printed."
            ) from None


@dataclass(frozen=True, slots=True)
class Late:
    """Stamps over lines of more than a day before: how many, and the last one's number and moment.

    Whoever takes stamps away has the scheduler make them anew, over whatever stands there by then.
    What it cannot give them is the moment of the old ones.
    """

    stamps: int
    number: int
    stamped_at: datetime


@dataclass(slots=True)
class Checked:
    """One history of a lender: how far the check has come, and what it found.

    `backdated` is the first line that states a much earlier moment than one written before it.
    """

    history: History
    stamps: int = 0
    lines: int = 0
    unstamped: int = 0
    head: Head | None = None
    stamped_at: datetime | None = None
    faults: list[Fault] = field(default_factory=list)
    backdated: Difference | None = None
    late: Late | None = None
    _newest: datetime | None = None

    def look_back(self, lines: Sequence[Line]) -> None:
        """Keep the first line that says it is older than what stands before it."""
        for line in lines:
            if self._newest is None or line.at > self._newest:
                self._newest = line.at
            elif self.backdated is None and line.at < self._newest - BACKDATED:
                self.backdated = Difference(Kind.INSERTED, line.place, line.id)

    def look_when(self, one: Stamp, lines: Sequence[Line]) -> None:
        """Keep the last stamp that was made long after its lines were written."""
        if any(line.at < one.stamped_at - LATE for line in lines):
            before = 0 if self.late is None else self.late.stamps
            self.late = Late(before + 1, one.number, one.stamped_at)


async def check_history(
    store: Store, lender_id: UUID, history: History, written_down: Sequence[Head] = ()
) -> AsyncIterator[Checked]:
    """Check all stamps of one history, in order; yields the same record now and then, and at last.

    A broken stamp ends the check: where it ended is not known, so nothing behind it can be judged.
    No transaction lasts longer than one stamp takes: `store` is looked into in many small ones.
    """
    checked, before = Checked(history), None
    heads: dict[int, str] = {}
    wanted = {one.number for one in written_down}
    while not _given_up(checked):
        async with store.engine_unit() as unit:
            some = await stamps_after(
                unit, lender_id, history, checked.stamps, at_most=STAMPS_AT_ONCE
            )
        for one, ours in some:
            fault = _stamp_fault(before, one, ours)
            if fault is not None:
                checked.faults.append(fault)
                break
            await _check_lines(store, checked, before, one)
            checked.stamps, checked.stamped_at, before = one.number, one.stamped_at, one
            checked.head = Head(one.number, one.hash.hex())
            if one.number in wanted:
                heads[one.number] = one.hash.hex()
        if len(some) < STAMPS_AT_ONCE:
            break
        yield checked
    if not _given_up(checked):
        checked.faults += _compare(written_down, heads)
    async with store.engine_unit() as unit:
        checked.unstamped = await count_unstamped(unit, lender_id, history, before)
    yield checked


def _given_up(checked: Checked) -> bool:
    of_stamps = (Kind.STAMP_CHANGED, Kind.STAMP_REMOVED)
    return len(checked.faults) >= FAULTS_AT_MOST or any(
        one.kind in of_stamps for one in checked.faults
    )


def _stamp_fault(before: Stamp | None, one: Stamp, ours: bool) -> Fault | None:
    number = 1 if before is None else before.number + 1
    if one.number != number:
        return Fault(Kind.STAMP_REMOVED, number)
    last = None if before is None else before.hash
    if not ours or one.chained(last) != one.hash:
        return Fault(Kind.STAMP_CHANGED, one.number)
    return None


async def _check_lines(store: Store, checked: Checked, before: Stamp | None, one: Stamp) -> None:
    async with store.engine_unit() as unit:
        lines = await lines_between(
            unit,
            one.lender_id,
            one.history,
            before,
            until=one.last_place,
            at_most=one.lines + 1,
        )
    checked.lines += len(lines)
    found = first_difference(one, lines)
    if found is None:
        checked.look_back(lines)
        checked.look_when(one, lines)
    elif len(checked.faults) < FAULTS_AT_MOST:
        checked.faults.append(Fault(found.kind, one.number, found.place, found.id))


def _compare(written_down: Sequence[Head], heads: Mapping[int, str]) -> list[Fault]:
    """What was written down is in the chain still, or the chain was cut, or made anew."""
    return [
        Fault(Kind.STAMPED_ANEW if one.number in heads else Kind.CUT_OFF, one.number)
        for one in written_down
        if heads.get(one.number) != one.hash
    ]


async def check_stamps(unit: Unit, now: datetime) -> list[Finding]:
    """Stamps are made. What they cover is another command's work: that takes its time."""
    since = [one for history in History if (one := await unstamped_since(unit, history))]
    if since and min(since) < now - STAMPS_LATE:
        what = f"history is not stamped since {min(since):%Y-%m-%d %H:%M} UTC"
        mend = "Look into the scheduler's log, and for a transaction that does not end."
        return [wrong("stamps", what, mend)]
    return [ok("stamps", "history is stamped; `saldo audit verify` checks it")]
