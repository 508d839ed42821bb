"""Reading tables that people upload: CSV and XLSX, bounded, and never more than they look like.

A workbook is a zip of XML files. Before anything parses it, every part is unpacked here under a
bound, so that a small file cannot become a large one, and packed again without compression; and
what it would take in memory is looked up, because one cell at XFD1048576 makes readers set aside
room for seventeen thousand million others (workbook_parts.py).
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from app.domain.errors import Invalid
from app.reference.workbook_parts import Parts

LARGEST_FILE: Final = 20 * 1024 * 1024
"""Bytes of one file as it is uploaded."""

MOST_ROWS: Final = 200_000
MOST_COLUMNS: Final = 60
LONGEST_CELL: Final = 2_000

_LARGEST_UNPACKED: Final = 200 * 1024 * 1024
# Of all cells of one workbook, once they are laid out.
_MOST_CHARACTERS: Final = _LARGEST_UNPACKED
_MOST_CELLS: Final = MOST_ROWS * MOST_COLUMNS
_MOST_SHEETS: Final = 50
_MOST_PARTS: Final = 500
_CHUNK: Final = 256 * 1024
# Spreadsheet programs write and understand this line, and do not show it.
_DELIMITER_LINE: Final = re.compile(r"sep=([,;\t])\r?\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table: its header as written, and its rows with the numbers that people see.

    `hidden`: nobody sees it who looks at the workbook.
    """

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    hidden: bool = False


def read_sheets(file_name: str, content: bytes) -> list[Sheet]:
    """Every table of one file, empty ones left out.

    All cells come as text: numbers in full digits, days and times as ISO 8601 writes them. Raises
    `Invalid` naming the file for anything that is too large, broken, or no table.
    """
    if len(content) > LARGEST_FILE:
        raise Invalid(
            file_name,
            f"is larger than {LARGEST_FILE // 1024 // 1024} MB.",
            mend="Split it into several files.",
        )
    if content[:4] == b"PK\x03\x04":
        return list(_workbook(file_name, content))
    if content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise Invalid(
            file_name, "is an old or locked workbook.", mend="Save it as .xlsx, without a password."
        )
    return list(_csv(file_name, content))


# ------------------------------------------------------------------ CSV


def _csv(file_name: str, content: bytes) -> Iterator[Sheet]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid(
            file_name, "is not written in UTF-8.", mend="Export it again as CSV UTF-8."
        ) from None
    if "\x00" in text:
        raise Invalid(file_name, "is neither CSV nor XLSX.", mend="Save it as one of them.")
    stated = _DELIMITER_LINE.match(text)
    text = text[stated.end() :] if stated else text
    first = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = stated[1] if stated else max((",", ";", "\t"), key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    name = file_name.rsplit(".", 1)[0]
    yield from _sheet(file_name, name, _numbered(file_name, reader))


def _numbered(file_name: str, reader: Iterator[list[str]]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The rows as a spreadsheet would number them: a quoted line break begins no new row."""
    number = 0
    while True:
        number += 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Invalid(
                file_name,
                f"cannot be read at row {number}: {error}.",
                mend="Close every quote, and save it anew.",
            ) from None
        yield number, tuple(cell.strip() for cell in row)


# ------------------------------------------------------------------ XLSX


def _workbook(file_name: str, content: bytes) -> Iterator[Sheet]:
    safe = _repacked(file_name, content)
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(safe)) as book:
            shown = [one for one in book.sheets_metadata if one.visible == SheetVisibleEnum.Visible]
            seen = {one.name for one in shown}
            room = _Room(file_name, len(book.sheet_names))
            for name in book.sheet_names:
                read = book.get_sheet_by_name(name)
                room.take_cells(read.height * read.width)
                offset = 0 if read.start is None else read.start[0]
                rows = (
                    (number, room.take_text(tuple(_text(cell) for cell in row)))
                    for number, row in enumerate(read.to_python(), start=offset + 1)
                )
                for table in _sheet(f"{file_name}, sheet {name}", name, rows):
                    yield replace(table, hidden=name not in seen)
    except CalamineError:
        raise Invalid(
            file_name, "is not a workbook that can be read.", mend="Save it again as .xlsx."
        ) from None


class _Room:
    """How much all sheets of one workbook may hold; several may show the same part of it."""

    def __init__(self, file_name: str, sheets: int) -> None:
        self._file_name = file_name
        self._cells, self._characters = _MOST_CELLS, _MOST_CHARACTERS
        if sheets > _MOST_SHEETS:
            raise Invalid(
                file_name,
                f"has more than {_MOST_SHEETS} sheets.",
                mend="Copy the tables into a new workbook.",
            )

    def take_cells(self, cells: int) -> None:
        self._cells -= cells
        self._refuse(self._cells)

    def take_text(self, row: tuple[str, ...]) -> tuple[str, ...]:
        self._characters -= sum(map(len, row))
        self._refuse(self._characters)
        return row

    def _refuse(self, left: int) -> None:
        if left < 0:
            raise Invalid(self._file_name, "holds too much for a table.", mend="Split it.")


def _repacked(file_name: str, content: bytes) -> bytes:
    """The same workbook, uncompressed: what is unpacked here is all that anybody unpacks."""
    left = _LARGEST_UNPACKED
    packed = io.BytesIO()
    walked = Parts(file_name, rows=MOST_ROWS, columns=MOST_COLUMNS, characters=_MOST_CHARACTERS)
    try:
        with (
            zipfile.ZipFile(io.BytesIO(content)) as given,
            zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as made,
        ):
            # What cells point to is known before they are.
            parts = sorted(given.infolist(), key=lambda part: not _is_shared(part.filename))
            if len(parts) > _MOST_PARTS:
                raise Invalid(
                    file_name,
                    "holds too many parts to be a workbook.",
                    mend="Copy the table into a new workbook.",
                )
            for part in parts:
                # Pictures and the like are no tables.
                if not part.filename.endswith((".xml", ".rels")):
                    continue
                body = _unpacked(file_name, given, part, left)
                left -= len(body)
                walked.walk(body)
                made.writestr(part.filename, body)
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, ValueError):
        raise Invalid(file_name, "is broken or locked.", mend="Save it again as .xlsx.") from None
    return packed.getvalue()


def _is_shared(part_name: str) -> bool:
    return part_name.lower().endswith("sharedstrings.xml")


def _unpacked(file_name: str, given: zipfile.ZipFile, part: zipfile.ZipInfo, left: int) -> bytes:
    pieces: list[bytes] = []
    with given.open(part) as source:
        while piece := source.read(_CHUNK):
            left -= len(piece)
            if left < 0:
                raise Invalid(
                    file_name,
                    f"unpacks to more than {_LARGEST_UNPACKED // 1024 // 1024} MB.",
                    mend="Split it.",
                )
            pieces.append(piece)
    return b"".join(pieces)


def _text(cell: object) -> str:
    """A cell as a person would type it into a CSV file."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        # The shortest digits that mean this number: what the workbook shows for a typed one. A
        # computed one keeps its noise (0.30000000000000004) and is refused as an amount.
        exact = Decimal(repr(cell))
        return format(exact.to_integral() if exact == exact.to_integral() else exact, "f")
    if isinstance(cell, datetime):
        return cell.isoformat() if cell.time() != time() else cell.date().isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return str(cell).strip()


# ------------------------------------------------------------------ both


def _sheet(where: str, name: str, rows: Iterable[tuple[int, tuple[str, ...]]]) -> Iterator[Sheet]:
    """The first row that is not empty is the header; empty rows are left out."""
    header: tuple[str, ...] | None = None
    kept: list[tuple[int, tuple[str, ...]]] = []
    for number, row in rows:
        if not any(row):
            continue
        if len(row) > MOST_COLUMNS:
            raise Invalid(
                where,
                f"has more than {MOST_COLUMNS} columns in row {number}.",
                mend="Take out what stands right of the table.",
            )
        if any(len(cell) > LONGEST_CELL for cell in row):
            raise Invalid(
                where,
                f"has a cell of more than {LONGEST_CELL} signs in row {number}.",
                mend="Shorten it.",
            )
        if header is None:
            header = row
            continue
        if any(row[len(header) :]):
            raise Invalid(
                where,
                f"has more cells in row {number} than its header has names.",
                mend="Put cells that hold a comma into quotes, and nothing above the header.",
            )
        kept.append((number, row))
        if len(kept) > MOST_ROWS:
            raise Invalid(where, f"has more than {MOST_ROWS} rows.", mend="Split it.")
    if header is not None:
        yield Sheet(name, header, tuple(kept))
