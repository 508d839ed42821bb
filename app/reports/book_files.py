"""The files of a lender's book: how far each is, its rows, and the list of what became of them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, func, select

from app.domain.bulk_file import RowVerdict
from app.domain.errors import NotFound
from app.flows.books.load_book import KIND, opened_row
from app.reports.slices import Key
from app.store.tables import bulk_files, bulk_rows
from app.store.unit import Unit

ROWS_SHOWN: Final = 200
FILES_BY: Final[Key] = (bulk_files.c.made_at, bulk_files.c.id)
# A spreadsheet takes a cell that begins so for a formula, and some for a command (OWASP, "CSV
# Injection"). A number may begin with a minus.
_FORMULA: Final = re.compile(r"\A\s*[=+\-@\t\r]")
_PLAIN_NUMBER: Final = re.compile(r"\A[+-]?\d+(\.\d+)?\Z")


@dataclass(frozen=True, slots=True)
class BookFile:
    """One file. `done` of its `rows` were carried out; `to_do` are waiting for it."""

    id: UUID
    name: str
    state: str
    made_by: str
    maker_id: UUID | None
    key_id: UUID | None
    made_at: datetime
    released_by: str | None
    released_at: datetime | None
    ended_at: datetime | None
    totals: dict[str, Any]
    rows: int
    done: int
    to_do: int


@dataclass(frozen=True, slots=True)
class BookFileRow:
    """One row as a page lists it."""

    sheet: str
    number: int
    verdict: str
    message: str


def files_query() -> Select[Any]:
    """The files of the unit's lender, with how many rows each has, was done, and waits."""
    counted = (
        select(
            bulk_rows.c.file_id,
            func.count().label("rows"),
            func.count().filter(bulk_rows.c.verdict == RowVerdict.DONE.value).label("done"),
            func.count().filter(bulk_rows.c.verdict == RowVerdict.WILL_DO.value).label("to_do"),
        )
        .group_by(bulk_rows.c.file_id)
        .subquery()
    )
    return (
        select(bulk_files, counted.c.rows, counted.c.done, counted.c.to_do)
        .join(counted, counted.c.file_id == bulk_files.c.id)
        .where(bulk_files.c.kind == KIND)
    )


async def book_files(unit: Unit, *, limit: int = 50) -> list[BookFile]:
    """The newest files of the unit's lender."""
    rows = await unit.conn.execute(
        files_query().order_by(bulk_files.c.made_at.desc(), bulk_files.c.id.desc()).limit(limit)
    )
    return [_file(row) for row in rows]


async def book_file(unit: Unit, file_id: UUID) -> BookFile:
    """One file. Raises `NotFound`."""
    row = (await unit.conn.execute(files_query().where(bulk_files.c.id == file_id))).one_or_none()
    if row is None:
        raise NotFound("There is no such file.")
    return _file(row)


def _file(row: Row[Any]) -> BookFile:
    return BookFile(**{name: getattr(row, name) for name in BookFile.__annotations__})


async def troubled_rows(unit: Unit, file_id: UUID) -> Sequence[BookFileRow]:
    """The first rows that are left out: the causes first, then what they took along."""
    rows = await unit.conn.execute(
        select(bulk_rows.c.sheet, bulk_rows.c.number, bulk_rows.c.verdict, bulk_rows.c.message)
        .where(
            bulk_rows.c.file_id == file_id,
            bulk_rows.c.verdict.not_in((RowVerdict.WILL_DO.value, RowVerdict.DONE.value)),
        )
        .order_by(
            bulk_rows.c.verdict.in_((RowVerdict.REFUSED.value, RowVerdict.DUPLICATE.value)),
            bulk_rows.c.sheet,
            bulk_rows.c.number,
        )
        .limit(ROWS_SHOWN)
    )
    return [BookFileRow(*row) for row in rows]


async def result_list(unit: Unit, file_id: UUID) -> str:
    """Every row with its verdict, as CSV, in the order it had in the file.

    Its own cells follow, under their names. No cell can be taken for a formula.
    """
    file = await book_file(unit, file_id)
    sheets = {name: at for at, name in enumerate(file.totals.get("sheets", []))}
    found = await unit.conn.execute(select(bulk_rows).where(bulk_rows.c.file_id == file_id))
    rows = sorted(found, key=lambda row: (sheets.get(row.sheet, len(sheets)), row.number))
    # A dropped file, or one loaded long ago, has verdicts and no cells.
    opened = [(row, opened_row(unit, row).cells if row.row_enc else {}) for row in rows]
    columns = list(dict.fromkeys(name for _, cells in opened for name in cells))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["sheet", "row", "verdict", "message", *(safe_cell(one) for one in columns)])
    for row, found_cells in opened:
        cells = [safe_cell(found_cells.get(name, "")) for name in columns]
        writer.writerow(
            [safe_cell(row.sheet), row.number, row.verdict, safe_cell(row.message), *cells]
        )
    return "\ufeff" + out.getvalue()


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe before what looks like one."""
    if _FORMULA.match(text) and not _PLAIN_NUMBER.match(text):
        return f"'{text}"
    return text
