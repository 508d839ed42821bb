"""Take a lender's living book in: read it, check every row, and keep it until it is released.

Nothing of it is in the book yet: no borrower, no loan, so no tick can see one. It waits, sealed,
until a person has laid its totals beside those of the system it came from (release_book.py).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select

from app.domain.book import BookKind
from app.domain.book_rows import InstalmentRow, RepaymentRow
from app.domain.book_totals import Expected, differences
from app.domain.bulk_file import BulkState, RowVerdict
from app.domain.errors import Conflict, Invalid
from app.domain.ids import LenderId, UserId
from app.flows.books.check_book import check_book, refs_of
from app.flows.books.known_book import known_of
from app.flows.books.read_book import BookRow, ReadBook, Reading, read_book
from app.flows.house import House
from app.reference.sheets import Sheet, read_sheets
from app.store import audit
from app.store.keys import new_id
from app.store.tables import bulk_files, bulk_rows, lenders
from app.store.unit import Unit

KIND: Final = "book"
_CHUNK: Final = 2_000

# A book takes ten times its size in memory while it is read: one at a time in each process.
_READER: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="book")


@dataclass(frozen=True, slots=True)
class GivenFile:
    """One file as it was handed over."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class CheckedBook:
    """The verdicts, and totals as plain JSON. `file_id` is None when nothing was kept."""

    rows: Sequence[BookRow]
    totals: dict[str, Any]
    file_id: UUID | None = None


async def try_book(
    house: House,
    now: datetime,
    lender_id: LenderId,
    files: Sequence[GivenFile],
    expected: Expected,
) -> CheckedBook:
    """Say what loading these files would do, and keep nothing. Raises what `load_book` raises."""
    book = await _read_alone(files)
    async with house.store.unit(lender_id) as unit:
        await _refuse_twice(unit, _digest(unit, files))
        return await _checked(unit, now, book, expected)


async def load_book(
    house: House,
    now: datetime,
    lender_id: LenderId,
    files: Sequence[GivenFile],
    expected: Expected,
    *,
    actor: str,
    user_id: UserId | None = None,
    key_id: UUID | None = None,
) -> CheckedBook:
    """Check the files and keep them, with a verdict per row, until somebody releases them.

    `user_id` is the person who loads them, `key_id` the key of the system that does.

    Raises `Invalid` for files that are no tables of a book, and `Conflict` when these very files
    are waiting or were loaded before.
    """
    book = await _read_alone(files)
    async with house.store.unit(lender_id) as unit:
        digest = _digest(unit, files)
        await _refuse_twice(unit, digest)
        checked = await _checked(unit, now, book, expected)
        file_id = new_id()
        name = ", ".join(one.name for one in files)
        await unit.conn.execute(
            insert(bulk_files).values(
                id=file_id,
                lender_id=lender_id,
                kind=KIND,
                name=name[:200],
                digest=digest,
                state=BulkState.CHECKED.value,
                totals=checked.totals,
                made_by=actor,
                maker_id=user_id,
                key_id=key_id,
                made_at=now,
            )
        )
        await _keep(unit, file_id, checked.rows)
        await audit.record(
            unit,
            now,
            actor=actor,
            act="load_book",
            subject=str(file_id),
            after={"name": name[:200], "rows": checked.totals["rows"]},
        )
        return CheckedBook(checked.rows, checked.totals, file_id)


def row_key(file_id: UUID, sheet: str, number: int) -> bytes:
    """What a kept row's ciphertext is bound to."""
    return file_id.bytes + f"{sheet}|{number}".encode()


async def _read_alone(files: Sequence[GivenFile]) -> ReadBook:
    """Read beside the event loop, and behind whoever came before."""
    return await asyncio.get_running_loop().run_in_executor(_READER, _read, files)


def _read(files: Sequence[GivenFile]) -> ReadBook:
    if not files:
        raise Invalid("files", "are missing.", mend="Choose at least one.")
    sheets: list[Sheet] = []
    for one in files:
        sheets += read_sheets(one.name, one.content)
    return read_book(sheets)


def _digest(unit: Unit, files: Sequence[GivenFile]) -> bytes:
    """The same for the same contents, whatever the files are called and in whatever order."""
    each = sorted(hashlib.sha256(one.content).digest() for one in files)
    return unit.vault.digest("bulk file", b"".join(each))


async def _refuse_twice(unit: Unit, digest: bytes) -> None:
    before = (
        await unit.conn.execute(
            select(bulk_files.c.name, bulk_files.c.made_at).where(
                bulk_files.c.digest == digest, bulk_files.c.state != BulkState.DROPPED.value
            )
        )
    ).one_or_none()
    if before is not None:
        raise Conflict(
            f"This very file was loaded before, on {before.made_at:%Y-%m-%d}, as {before.name}."
        )


async def _checked(unit: Unit, now: datetime, book: ReadBook, expected: Expected) -> CheckedBook:
    lender = (
        await unit.conn.execute(
            select(lenders.c.time_zone, lenders.c.language).where(lenders.c.id == unit.lender_id)
        )
    ).one()
    people, debts = refs_of(book)
    known = await known_of(unit, people, debts)
    reading = Reading(ZoneInfo(lender.time_zone), now, lender.language)
    # Seconds of computing for a large book: the process has others to answer meanwhile.
    await asyncio.to_thread(check_book, book, known, reading)
    today = now.astimezone(ZoneInfo(lender.time_zone)).date()
    totals = _totals(book, expected, today.isoformat())
    return CheckedBook(book.rows, {**totals, "time_zone": lender.time_zone})


def _totals(book: ReadBook, expected: Expected, today: str) -> dict[str, Any]:
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for row in book.rows:
        verdicts[row.kind.value][row.verdict.value] += 1
        record = row.record
        if not row.usable:
            continue
        if isinstance(record, InstalmentRow):
            unpaid = record.amount.minor - record.paid.minor
            sums["scheduled"][record.amount.currency] += record.amount.minor
            sums["owed"][record.amount.currency] += unpaid
            if record.due_on.isoformat() < today:
                sums["overdue"][record.amount.currency] += unpaid
        elif isinstance(record, RepaymentRow):
            sums["repaid"][record.amount.currency] += record.amount.minor
    counts = {kind: found[RowVerdict.WILL_DO.value] for kind, found in verdicts.items()}
    left_out = sum(
        count
        for found in verdicts.values()
        for verdict, count in found.items()
        if verdict not in (RowVerdict.WILL_DO.value, RowVerdict.DUPLICATE.value)
    )
    return {
        "rows": len(book.rows),
        "sheets": list(dict.fromkeys(row.sheet for row in book.rows)),
        "verdicts": {kind: dict(found) for kind, found in verdicts.items()},
        "sums": {name: dict(found) for name, found in sums.items()},
        "left_out": left_out,
        "expected": expected.notes(),
        "differences": [
            [one.what, one.expected, one.found]
            for one in differences(expected, counts, sums["owed"])
        ],
        "unknown_columns": book.unknown_columns,
        "sheets_left_out": book.left_out,
    }


async def _keep(unit: Unit, file_id: UUID, rows: Sequence[BookRow]) -> None:
    """Seal and store the rows, each with the number of its person within the file."""
    people: dict[str, int] = {}
    for row in rows:
        if row.person:
            people.setdefault(row.person, len(people) + 1)
    for start in range(0, len(rows), _CHUNK):
        await unit.conn.execute(
            insert(bulk_rows),
            [_kept(unit, file_id, row, people) for row in rows[start : start + _CHUNK]],
        )


def _kept(unit: Unit, file_id: UUID, row: BookRow, people: dict[str, int]) -> dict[str, Any]:
    body = json.dumps({"kind": row.kind.value, "cells": row.cells, "person": row.person})
    return {
        "lender_id": unit.lender_id,
        "file_id": file_id,
        "sheet": row.sheet,
        "number": row.number,
        "person": people.get(row.person, 0),
        "verdict": row.verdict.value,
        "message": row.message,
        "row_enc": unit.seal("bulk_rows.row_enc", row_key(file_id, row.sheet, row.number), body),
    }


def opened_row(unit: Unit, kept: Any) -> BookRow:
    """A kept row of `bulk_rows` as it was read."""
    plain = json.loads(
        unit.open("bulk_rows.row_enc", row_key(kept.file_id, kept.sheet, kept.number), kept.row_enc)
    )
    return BookRow(
        kept.sheet,
        kept.number,
        BookKind(plain["kind"]),
        plain["cells"],
        plain["person"],
        RowVerdict(kept.verdict),
        kept.message,
    )


def usable_kinds(rows: Iterable[BookRow]) -> dict[BookKind, list[BookRow]]:
    """The rows that are to be carried out, by kind, in the order of the file."""
    found: dict[BookKind, list[BookRow]] = {kind: [] for kind in BookKind}
    for row in rows:
        if row.usable:
            found[row.kind].append(row)
    return found
