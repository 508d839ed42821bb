"""Histories as stamps see them: every line as text, in the order of writing, and how far that is.

Each line gets its `place` from a sequence in the moment it is written, and shows when its
transaction commits: a later place may show first. So nothing is stamped up to a place before all
those have ended who were writing when that place was the newest (`writers`). A writer holds the
table's lock from before he draws a place until after his lines show, so none is missed. Nobody
waits for a stamp: no lock of ours stands in a writer's way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Table,
    Text,
    case,
    cast,
    extract,
    func,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import insert

from app.domain.stamp import History, Line, Stamp
from app.store.tables import audit, lenders, stamps, timeline
from app.store.unit import Unit

TABLES: Final[Mapping[History, Table]] = {History.TIMELINE: timeline, History.AUDIT: audit}

# What a digest is made of, in this order, for ever: old stamps were made so.
FIELDS: Final[Mapping[History, tuple[str, ...]]] = {
    History.TIMELINE: (
        "place", "id", "lender_id", "borrower_id", "case_id", "at", "kind", "actor", "details",
    ),
    History.AUDIT: (
        "place", "id", "lender_id", "at", "actor", "act", "subject", "before", "after", "reason",
    ),
}  # fmt: skip
_MAC: Final = "history stamp"
_BEFORE_ALL: Final = -(2**63)
# What a clock shows and a driver reads. Who owns the database can write any other moment, and must
# stop neither the stamps of others nor the check.
_EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Unstamped:
    """A lender with lines behind his last stamp, up to the place `newest`."""

    lender_id: UUID
    newest: int


async def unstamped(unit: Unit, history: History) -> list[Unstamped]:
    """Every lender with lines that no stamp covers yet. Needs an engine unit."""
    newest = _end_of(TABLES[history]).lateral()
    rows = await unit.conn.execute(
        select(lenders.c.id, newest.c.place)
        .where(newest.c.place > _covered(history))
        .order_by(lenders.c.id)
    )
    return [Unstamped(row.id, row.place) for row in rows]


async def unstamped_since(unit: Unit, history: History) -> datetime | None:
    """The moment of the first line of any lender that no stamp covers yet."""
    table = TABLES[history]
    first = (
        select(_readable(table.c.at).label("at"))
        .where(table.c.lender_id == lenders.c.id, table.c.place > _covered(history))
        .order_by(table.c.place)
        .limit(1)
        .correlate(lenders)
        .lateral()
    )
    since: datetime | None = await unit.conn.scalar(
        select(func.min(first.c.at)).select_from(lenders.join(first, true()))
    )
    return since


def _end_of(table: Table) -> Select[Any]:
    return (
        select(table.c.place)
        .where(table.c.lender_id == lenders.c.id)
        .order_by(table.c.place.desc())
        .limit(1)
        .correlate(lenders)
    )


def _covered(history: History) -> ColumnElement[Any]:
    """The last place that is under a stamp of the lender."""
    last = (
        select(stamps.c.last_place)
        .where(stamps.c.lender_id == lenders.c.id, stamps.c.history == history.value)
        .order_by(stamps.c.number.desc())
        .limit(1)
        .correlate(lenders)
        .scalar_subquery()
    )
    return func.coalesce(last, _BEFORE_ALL)


async def writers(unit: Unit, history: History) -> frozenset[str]:
    """The transactions that may have drawn a place in this history and not shown it yet."""
    rows = await unit.conn.scalars(_WRITERS, {"history": TABLES[history].name})
    return frozenset(rows)


_WRITERS: Final = text(
    """
    SELECT virtualtransaction || coalesce('/' || pid, '') FROM pg_locks
    WHERE locktype = 'relation' AND relation = cast(:history AS regclass) AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND mode = 'RowExclusiveLock'
    """
)


async def last_stamp(unit: Unit, lender_id: UUID, history: History) -> Stamp | None:
    """The newest stamp of one history of a lender."""
    row = (
        await unit.conn.execute(
            _stamps_of(lender_id, history).order_by(stamps.c.number.desc()).limit(1)
        )
    ).one_or_none()
    return None if row is None else _stamp(row._mapping)


async def stamps_after(
    unit: Unit, lender_id: UUID, history: History, number: int, *, at_most: int
) -> list[tuple[Stamp, bool]]:
    """The next stamps behind `number`, each with: was it made with our key?"""
    rows = await unit.conn.execute(
        _stamps_of(lender_id, history)
        .where(stamps.c.number > number)
        .order_by(stamps.c.number)
        .limit(at_most)
    )
    found = [(_stamp(row._mapping), bytes(row.mac)) for row in rows]
    return [(one, unit.vault.digest(_MAC, one.hash) == mac) for one, mac in found]


def _stamps_of(lender_id: UUID, history: History) -> Select[Any]:
    return select(stamps).where(stamps.c.lender_id == lender_id, stamps.c.history == history.value)


def _stamp(row: Mapping[Any, Any]) -> Stamp:
    values = {name: row[name] for name in Stamp.__slots__}
    return Stamp(**{**values, "history": History(row["history"])})


async def keep_stamp(unit: Unit, made: Stamp) -> bool:
    """Append it. False when somebody else made the stamp of this number a moment before."""
    values = {**asdict(made), "history": made.history.value}
    kept = await unit.conn.scalar(
        insert(stamps)
        .values(mac=unit.vault.digest(_MAC, made.hash), **values)
        .on_conflict_do_nothing()
        .returning(stamps.c.number)
    )
    return kept is not None


async def lines_between(
    unit: Unit,
    lender_id: UUID,
    history: History,
    after: Stamp | None,
    *,
    until: int,
    at_most: int,
) -> list[Line]:
    """Lines of a lender behind a stamp, in the order of writing."""
    table = TABLES[history]
    rows = await unit.conn.execute(
        _as_text(history)
        .where(
            table.c.lender_id == lender_id,
            table.c.place > (_BEFORE_ALL if after is None else after.last_place),
            table.c.place <= until,
        )
        .order_by(table.c.place)
        .limit(at_most)
    )
    return [Line(row[0], row[1], row[2], tuple(row[3:])) for row in rows]


async def count_unstamped(
    unit: Unit, lender_id: UUID, history: History, after: Stamp | None
) -> int:
    """How many lines of a lender no stamp covers yet."""
    table = TABLES[history]
    last = _BEFORE_ALL if after is None else after.last_place
    count = await unit.conn.scalar(
        select(func.count())
        .select_from(table)
        .where(table.c.lender_id == lender_id, table.c.place > last)
    )
    return int(count or 0)


@cache
def _as_text(history: History) -> Select[Any]:
    table = TABLES[history]
    fields = [_written(table, name) for name in FIELDS[history]]
    return select(table.c.place, table.c.id, _readable(table.c.at), *fields)


def _readable(moment: ColumnElement[datetime]) -> ColumnElement[datetime]:
    return func.least(func.greatest(moment, _EARLIEST), _LATEST)


def _written(table: Table, name: str) -> ColumnElement[Any]:
    column = table.c[name]
    if name == "at":
        # Whole microseconds: the same digits whatever style of dates a session is set to.
        micros = cast(cast(extract("epoch", column) * 1_000_000, BigInteger), Text)
        readable = column.between(_EARLIEST, _LATEST)
        return case((readable, micros), else_=cast(column, Text)).label("at_us")
    return cast(column, Text).label(f"{name}_text")
