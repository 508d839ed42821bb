"""Carry released books out: person by person, in short transactions, each row exactly once.

A row is marked in the transaction of its effect. A process that dies leaves whole people behind
it and whole people before it, and the next tick goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Row, select

from app.domain.bulk_file import BULK, BulkState, RowVerdict
from app.domain.errors import Refused
from app.domain.ids import LenderId
from app.flows.books.load_book import KIND, opened_row
from app.flows.books.read_book import BookRow, Reading
from app.flows.books.take_person import take_person
from app.flows.house import House
from app.store import audit, driver
from app.store.moves import move
from app.store.tables import bulk_files, bulk_rows, lenders
from app.store.unit import Unit

log = structlog.get_logger("flows")

# People in one transaction, and transactions in one tick for one file.
PEOPLE: Final = 25
MOST_BATCHES: Final = 8
_MOST_FILES: Final = 5

_MARK: Final = """
    UPDATE bulk_rows r SET verdict = m.verdict, message = m.message, done_at = %(now)b
    FROM unnest(%(sheets)b::text[], %(numbers)b::bigint[], %(verdicts)b::text[],
        %(messages)b::text[]) AS m (sheet, number, verdict, message)
    WHERE r.file_id = %(file)b AND r.sheet = m.sheet AND r.number = m.number
"""


@dataclass(frozen=True, slots=True)
class BooksApplied:
    """`people` were gone through in this tick; `finished` files are done."""

    people: int
    finished: int


async def apply_books(house: House, now: datetime) -> BooksApplied:
    """Go on with every released book, a bounded piece of each. Two ticks at once do no harm."""
    async with house.store.engine_unit() as unit:
        found = await unit.conn.execute(
            select(bulk_files.c.id, bulk_files.c.lender_id)
            .where(bulk_files.c.kind == KIND, bulk_files.c.state == BulkState.RELEASED.value)
            .order_by(bulk_files.c.released_at)
            .limit(_MOST_FILES)
        )
        files = found.all()
    people = finished = 0
    for file in files:
        for _ in range(MOST_BATCHES):
            batch = await _batch(house, now, LenderId(file.lender_id), file.id)
            people += batch.people
            finished += batch.finished
            if batch.finished or not batch.people:
                break
    return BooksApplied(people, finished)


async def _batch(house: House, now: datetime, lender_id: LenderId, file_id: UUID) -> BooksApplied:
    """The next people of one file, or its end when there are none."""
    async with house.store.unit(lender_id) as unit:
        file = await _take(unit, file_id)
        if file is None:
            return BooksApplied(0, 0)
        rows = await _waiting(unit, file_id)
        if not rows:
            await move(unit, bulk_files, file_id, BULK, "finish", ended_at=now)
            await audit.record(
                unit,
                now,
                actor=file.released_by,
                act="book_loaded",
                subject=str(file_id),
                after={"name": file.name},
            )
            return BooksApplied(0, 1)
        reading = await _reading(unit, now)
        people, marked = 0, []
        for _, of_one in groupby(rows, key=lambda row: row.person):
            marked += await _person(unit, now, reading, list(of_one), file)
            people += 1
        await _mark(unit, now, file_id, marked)
        return BooksApplied(people, 0)


async def _take(unit: Unit, file_id: UUID) -> Row[Any] | None:
    """Lock the file; None when another process is at it, or it is over."""
    return (
        await unit.conn.execute(
            select(bulk_files)
            .where(bulk_files.c.id == file_id, bulk_files.c.state == BulkState.RELEASED.value)
            .with_for_update(skip_locked=True)
        )
    ).one_or_none()


async def _waiting(unit: Unit, file_id: UUID) -> Sequence[Row[Any]]:
    """The rows of the next people, whole people each."""
    waiting = (
        bulk_rows.c.file_id == file_id,
        bulk_rows.c.verdict == RowVerdict.WILL_DO.value,
    )
    people = (
        select(bulk_rows.c.person)
        .where(*waiting)
        .distinct()
        .order_by(bulk_rows.c.person)
        .limit(PEOPLE)
    )
    rows = await unit.conn.execute(
        select(bulk_rows)
        .where(*waiting, bulk_rows.c.person.in_(people))
        .order_by(bulk_rows.c.person, bulk_rows.c.sheet, bulk_rows.c.number)
    )
    return rows.all()


async def _reading(unit: Unit, now: datetime) -> Reading:
    lender = (
        await unit.conn.execute(
            select(lenders.c.time_zone, lenders.c.language).where(lenders.c.id == unit.lender_id)
        )
    ).one()
    return Reading(ZoneInfo(lender.time_zone), now, lender.language)


async def _person(
    unit: Unit, now: datetime, reading: Reading, kept: Sequence[Row[Any]], file: Row[Any]
) -> list[BookRow]:
    """Take one person over, and return his rows with what became of them.

    Who cannot be taken over now is left out whole, with the reason.
    """
    rows = [opened_row(unit, one) for one in kept]
    try:
        async with unit.conn.begin_nested():
            await take_person(unit, now, reading, rows, actor=file.released_by)
    except Refused as error:
        log.info("person_left_out", file=str(file.id), row=rows[0].number)
        rows = [opened_row(unit, one) for one in kept]
        for row in rows:
            row.refuse(RowVerdict.REFUSED, error.message)
    return rows


async def _mark(unit: Unit, now: datetime, file_id: UUID, rows: Sequence[BookRow]) -> None:
    """Write down what became of the rows of a batch, in one statement."""
    await driver.run(
        unit,
        _MARK,
        {
            "file": file_id,
            "now": now,
            "sheets": [row.sheet for row in rows],
            "numbers": [row.number for row in rows],
            "verdicts": [
                RowVerdict.DONE.value if row.usable else row.verdict.value for row in rows
            ],
            "messages": [row.message for row in rows],
        },
    )
