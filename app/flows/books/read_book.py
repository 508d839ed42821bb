"""From the sheets of a lender's book to rows with a kind, and from a row to what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.domain.book import BookKind, Cells, check_header, column_names, kind_named, needed
from app.domain.book import read_day as day_of
from app.domain.book_rows import (
    InstalmentRow,
    LoanRow,
    read_contact,
    read_hold,
    read_instalment,
    read_loan,
    read_opt_out,
    read_promise,
    read_ref,
    read_repayment,
)
from app.domain.bulk_file import RowVerdict
from app.domain.errors import Invalid
from app.flows.books.register_borrower import BorrowerWanted, check_borrower
from app.flows.money.confirm_owed import check_schedule
from app.reference.contact_details import country_code, email_address, phone_in
from app.reference.sheets import Sheet
from app.store.borrowers import document_tail
from app.store.loans import Scheduled

# Rows are looked at, and carried out, in this order: what others hang on comes first.
ORDER: Final = tuple(BookKind)


@dataclass(slots=True)
class BookRow:
    """One row of the file and what is to become of it. `person` is his borrower's reference."""

    sheet: str
    number: int
    kind: BookKind
    cells: dict[str, str]
    person: str = ""
    verdict: RowVerdict = RowVerdict.WILL_DO
    message: str = ""
    record: Any = None

    @property
    def usable(self) -> bool:
        """Nothing speaks against it so far."""
        return self.verdict is RowVerdict.WILL_DO

    def refuse(self, verdict: RowVerdict, message: str) -> None:
        """Give it another verdict, with the reason in words."""
        self.verdict, self.message = verdict, message

    @property
    def place(self) -> str:
        """How a person finds it again."""
        return f"row {self.number} of {self.sheet}"


@dataclass(slots=True)
class ReadBook:
    """The rows of all files together, and what was set aside."""

    rows: list[BookRow] = field(default_factory=list)
    unknown_columns: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def of(self, kind: BookKind) -> list[BookRow]:
        """The rows of one kind, in the order of the file."""
        return [row for row in self.rows if row.kind is kind]


def read_book(sheets: Iterable[Sheet]) -> ReadBook:
    """Give every row its kind and its cells their names.

    A sheet whose name begins with "_" is left out. Raises `Invalid` for any other name that says
    nothing, for a hidden sheet, for a missing column, and for two sheets of one name: a sheet that
    is silently left out may be the one with the opt-outs.
    """
    book = ReadBook()
    names: set[str] = set()
    for sheet in sheets:
        if sheet.name.startswith("_"):
            book.left_out.append(sheet.name)
            continue
        if sheet.name in names:
            raise Invalid(sheet.name, "is there twice.", mend="Give each its own name.")
        names.add(sheet.name)
        if sheet.hidden:
            raise Invalid(
                sheet.name,
                "is a hidden sheet: nobody who looks at the workbook sees its rows.",
                mend='Show it, delete it, or begin its name with "_" to leave it out.',
            )
        kind = kind_named(sheet.name)
        if kind is None:
            known = ", ".join(one.value for one in BookKind)
            raise Invalid(
                sheet.name,
                "does not say what its rows are.",
                mend=f'Begin its name with {known}, or with "_" to leave it out.',
            )
        header = column_names(sheet.header)
        unknown = check_header(kind, header)
        if unknown:
            book.unknown_columns[sheet.name] = list(unknown)
        for number, row in sheet.rows:
            cells = {name: cell for name, cell in zip(header, row, strict=False) if name and cell}
            book.rows.append(BookRow(sheet.name, number, kind, cells))
    if not book.rows:
        raise Invalid("file", "has no rows.", mend="Give at least one row below the header.")
    return book


@dataclass(frozen=True, slots=True)
class Reading:
    """What cells are read with: the lender's clock, the moment, and his language."""

    zone: ZoneInfo
    now: datetime
    language: str


def read_borrower(cells: Cells, reading: Reading) -> BorrowerWanted:
    """A person, with number, country and address in one form. Raises `Invalid`."""
    country = country_code(needed(cells, "country"))
    wanted = BorrowerWanted(
        external_ref=read_ref(cells, "external_ref"),
        name=needed(cells, "name"),
        country=country,
        language=cells.get("language", reading.language).lower(),
        phone=phone_in(cells["phone"], country) if "phone" in cells else None,
        email=email_address(cells["email"]) if "email" in cells else None,
        birth_date=day_of(cells, "birth_date") if "birth_date" in cells else None,
        document_last4=(
            document_tail(cells["document_last4"]) if "document_last4" in cells else None
        ),
        region=cells.get("region"),
        time_zone=cells.get("time_zone"),
    )
    check_borrower(wanted, reading.now)
    return wanted


def read_row(row: BookRow, reading: Reading, currency: str) -> Any:
    """What a row says. `currency` is that of its loan, where it has one. Raises `Invalid`."""
    cells, zone, now = row.cells, reading.zone, reading.now
    match row.kind:
        case BookKind.BORROWERS:
            return read_borrower(cells, reading)
        case BookKind.LOANS:
            return read_loan(cells, zone, now)
        case BookKind.INSTALMENTS:
            return read_instalment(cells, currency)
        case BookKind.REPAYMENTS:
            return read_repayment(cells, currency, zone, now)
        case BookKind.CONTACTS:
            return read_contact(cells, zone, now)
        case BookKind.OPT_OUTS:
            return read_opt_out(cells, zone, now)
        case BookKind.PROMISES:
            return read_promise(cells, currency, zone, now)
        case BookKind.HOLDS:
            return read_hold(cells, zone, now)


def schedule_of(
    loan: LoanRow, rows: Sequence[InstalmentRow], now: datetime
) -> tuple[Scheduled, ...]:
    """The schedule of one loan; without numbers its days count. Raises `Invalid`.

    Either every instalment has a number or none has one: half of them would be guesses. Without
    numbers a day stands once: a row that came twice would be owed twice.
    """
    if len({row.number is None for row in rows}) > 1:
        raise Invalid(
            "number",
            "stands at some instalments of this loan and not at others.",
            mend="Number all of them, or none.",
        )
    days = Counter(row.due_on for row in rows if row.number is None)
    twice = min((day for day, times in days.items() if times > 1), default=None)
    if twice is not None:
        raise Invalid(
            "due_on",
            f"{twice} stands at two instalments of this loan.",
            mend="Leave one out if it came twice, else number the instalments.",
        )
    ordered = sorted(rows, key=lambda row: (row.number or 0, row.due_on))
    schedule = tuple(
        Scheduled(row.number or at, row.due_on, row.amount.minor, row.paid.minor)
        for at, row in enumerate(ordered, start=1)
    )
    check_schedule(schedule, loan.as_of, now)
    return schedule
