"""Histories of accounts and instalments of loans, from CSV files as banks and lenders export them.

Amounts become whole minor units. Times are read as they stand: the zone is the caller's to name.
Every refusal names the file, the row (the header is row 1) and the column.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path

from app.domain.errors import Invalid
from app.domain.money import Money

MINUTES = 24 * 60
TRANSACTION_COLUMNS = ("account_id", "date", "amount", "balance")
# What lenders call the amount of one instalment; the first that is there counts.
INSTALMENT_COLUMNS = ("instalment", "payments")
_READ = (*TRANSACTION_COLUMNS, "time", *INSTALMENT_COLUMNS)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
# A time with a zone is refused rather than read without it.
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d+)?)?\Z", re.ASCII)
# The key of cells beyond the last name. No header can name it: names are stripped.
_BEYOND = " "


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of an account: minutes since the start of its first day, amount and balance after."""

    minute: int
    minor: int
    balance_minor: int


@dataclass(frozen=True, slots=True)
class History:
    """All rows of one account, in order. `begins_on` is the day of the first row.

    `timed` says whether the rows carry an hour; without one each stands at the start of its day.
    """

    account_id: str
    begins_on: date
    entries: tuple[Entry, ...]
    timed: bool

    @property
    def days(self) -> int:
        """Days from the first row to the last, both included."""
        return self.entries[-1].minute // MINUTES + 1

    @property
    def opening_minor(self) -> int:
        """The balance before the first row."""
        return self.entries[0].balance_minor - self.entries[0].minor


def read_transactions(path: Path, currency: str) -> list[History]:
    """The accounts of a file, in the order of their first row.

    Columns: account_id, date (YYYY-MM-DD), amount, balance (after the row) and, if there is one,
    time (HH:MM or HH:MM:SS); all others are ignored. Rows of one moment keep the file's order.
    Raises `Invalid`.
    """
    found: dict[str, list[tuple[int, int, Entry]]] = {}
    with _rows(path, TRANSACTION_COLUMNS) as (columns, rows):
        timed = "time" in columns
        for number, row in rows:
            account = row["account_id"].strip()
            if not account:
                raise _wrong(path, number, "account_id", "is empty.")
            day = _date(path, number, row["date"]).toordinal()
            minute = _minute(path, number, row["time"]) if timed else 0
            minor = _minor(path, number, "amount", row["amount"], currency)
            balance = _minor(path, number, "balance", row["balance"], currency)
            found.setdefault(account, []).append((day, minute, Entry(0, minor, balance)))
    if not found:
        raise Invalid(path.name, "holds no rows.", mend="A header and at least one row.")
    return [_history(account, rows, timed=timed) for account, rows in found.items()]


def read_instalments(path: Path, currency: str) -> dict[str, int]:
    """Instalment per account in minor units; several loans of one account add up.

    Columns: account_id and instalment (or payments). Raises `Invalid`.
    """
    found: dict[str, int] = {}
    with _rows(path, ("account_id",)) as (columns, rows):
        named = next((name for name in INSTALMENT_COLUMNS if name in columns), None)
        if named is None:
            raise Invalid(
                path.name,
                f"row 1 names no column {' or '.join(INSTALMENT_COLUMNS)}.",
                mend="Name the columns in the first row.",
            )
        for number, row in rows:
            minor = _minor(path, number, named, row[named], currency)
            if minor <= 0:
                raise _wrong(path, number, named, "is not above zero.")
            account = row["account_id"].strip()
            found[account] = found.get(account, 0) + minor
    return found


@contextmanager
def _rows(
    path: Path, wanted: tuple[str, ...]
) -> Iterator[tuple[frozenset[str], Iterator[tuple[int, dict[str, str]]]]]:
    """The columns of a CSV file, packed or not, and its rows by their number."""
    opener = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            # Strict: a quote that nobody closes would swallow all rows that follow.
            reader = csv.DictReader(file, restkey=_BEYOND, restval="", strict=True)
            reader.fieldnames = names = [name.strip() for name in reader.fieldnames or ()]
            _check_names(path, names, wanted)
            yield frozenset(names), _numbered(path, reader)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise Invalid(
            path.name, f"cannot be read: {error}.", mend="Save it as CSV in UTF-8."
        ) from None


def _check_names(path: Path, names: list[str], wanted: tuple[str, ...]) -> None:
    """Refuse a header that lacks what is wanted, or names twice what is read."""
    missing = [name for name in wanted if name not in names]
    if missing:
        raise Invalid(
            path.name,
            f"row 1 does not name the column {missing[0]}.",
            mend=f"Wanted: {', '.join(wanted)}, separated by commas.",
        )
    twice = next((name for name in _READ if names.count(name) > 1), None)
    if twice is not None:
        raise _wrong(path, 1, twice, "is named twice.", "Leave one of the two.")


def _numbered(path: Path, reader: csv.DictReader[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows by the number of their last line.

    A row with more cells than names has a comma too many somewhere before them, "1,234.56" without
    quotes most of all: whatever stands in its columns may be another column's.
    """
    for row in reader:
        beyond = row.pop(_BEYOND, ())
        if any(cell.strip() for cell in beyond):
            raise Invalid(
                f"{path.name}, row {reader.line_num}, after column {(reader.fieldnames or ())[-1]}",
                "has more cells than row 1 has names.",
                mend='Write amounts without commas, like "1234.56".',
            )
        yield reader.line_num, row


def _history(account: str, rows: list[tuple[int, int, Entry]], *, timed: bool) -> History:
    ordered = sorted(rows, key=lambda row: row[:2])
    first = ordered[0][0]
    entries = tuple(
        Entry((day - first) * MINUTES + minute, entry.minor, entry.balance_minor)
        for day, minute, entry in ordered
    )
    return History(account, date.fromordinal(first), entries, timed)


def _date(path: Path, number: int, text: str) -> date:
    # Python knows more ways to write a day than banks do: 20260131, and 2026-W05-6.
    try:
        return date.fromisoformat(text.strip() if _DAY.match(text.strip()) else "")
    except ValueError:
        raise _wrong(path, number, "date", f"{text!r} is not a day.", "YYYY-MM-DD.") from None


def _minute(path: Path, number: int, text: str) -> int:
    try:
        moment = time.fromisoformat(text.strip() if _TIME.match(text.strip()) else "")
    except ValueError:
        raise _wrong(path, number, "time", f"{text!r} is not a time.", "HH:MM.") from None
    return moment.hour * 60 + moment.minute


def _minor(path: Path, number: int, column: str, text: str, currency: str) -> int:
    try:
        return Money.parse(text.strip(), currency, field=column).minor
    except Invalid as error:
        raise Invalid(
            f"{path.name}, row {number}, column {column}", error.problem, mend=error.mend
        ) from None


def _wrong(path: Path, number: int, column: str, what: str, mend: str = "") -> Invalid:
    return Invalid(f"{path.name}, row {number}, column {column}", what, mend=mend)
