"""Look at every row of a lender's book and say what will become of it. Changes nothing.

A person is taken over whole or not at all: who came in without the row that cannot be read might
be asked for money although he disputes it, or more often than the law allows.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from app.domain.book import BookKind
from app.domain.book_rows import ContactRow, InstalmentRow, LoanRow, PromiseRow, RepaymentRow
from app.domain.bulk_file import RowVerdict
from app.domain.errors import Invalid
from app.domain.promise import PromiseState
from app.domain.stages import MOST_PARTS
from app.flows.books.read_book import ORDER, BookRow, ReadBook, Reading, read_row, schedule_of

IN_THE_BOOK: Final = "Is in Saldo's book already and stays as it is there."
_OF_LOANS: Final = (BookKind.INSTALMENTS, BookKind.REPAYMENTS, BookKind.PROMISES)
_SPOILS: Final = frozenset({RowVerdict.INVALID, RowVerdict.NOT_FOUND})


@dataclass(frozen=True, slots=True)
class KnownLoan:
    """A loan that is in the book already."""

    borrower_ref: str
    currency: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the lender's book holds of all that the file speaks about."""

    borrowers: frozenset[str] = frozenset()
    loans: Mapping[str, KnownLoan] = field(default_factory=dict)
    repayments: frozenset[tuple[str, str]] = frozenset()
    contacts: frozenset[tuple[str, str, datetime]] = frozenset()


@dataclass(slots=True)
class _Desk:
    """What is known so far, while the rows are gone through kind by kind."""

    known: Known
    reading: Reading
    borrowers: dict[str, BookRow] = field(default_factory=dict)
    loans: dict[str, BookRow] = field(default_factory=dict)
    instalments: dict[str, list[BookRow]] = field(default_factory=dict)
    seen: dict[tuple[Any, ...], BookRow] = field(default_factory=dict)
    promises: dict[tuple[Any, ...], dict[date, BookRow]] = field(default_factory=dict)
    open_promises: dict[str, BookRow] = field(default_factory=dict)


def check_book(book: ReadBook, known: Known, reading: Reading) -> None:
    """Give every row its verdict, its record and the person it belongs to."""
    desk = _Desk(known, reading)
    for kind in ORDER:
        for row in book.of(kind):
            _check(desk, row)
    _check_schedules(desk)
    _whole_or_not_at_all(book.rows)


def refs_of(book: ReadBook) -> tuple[frozenset[str], frozenset[str]]:
    """The borrowers and loans that the file speaks about, as the lender calls them."""
    own = {BookKind.BORROWERS: "external_ref"}
    people = {row.cells.get(own.get(row.kind, "borrower_ref"), "") for row in book.rows}
    debts = {row.cells.get("loan_ref", "") for row in book.rows}
    debts |= {row.cells.get("external_ref", "") for row in book.of(BookKind.LOANS)}
    return frozenset(people - {""}), frozenset(debts - {""})


def _check(desk: _Desk, row: BookRow) -> None:
    currency = _place_of(desk, row)
    if not row.usable:
        return
    try:
        row.record = read_row(row, desk.reading, currency)
    except Invalid as error:
        row.refuse(RowVerdict.INVALID, error.message)
        _remember(desk, row)
        return
    match row.kind:
        case BookKind.BORROWERS:
            _once(desk.borrowers, row, row.cells["external_ref"], desk.known.borrowers)
        case BookKind.LOANS:
            _check_loan(desk, row)
        case BookKind.INSTALMENTS:
            desk.instalments.setdefault(row.cells["loan_ref"], []).append(row)
        case _:
            _check_repeat(desk, row)


def _remember(desk: _Desk, row: BookRow) -> None:
    """Others may speak of what this row failed to say: they are told that, not "no such loan"."""
    if row.kind is BookKind.INSTALMENTS:
        desk.instalments.setdefault(row.cells["loan_ref"], []).append(row)
    listed = {BookKind.BORROWERS: desk.borrowers, BookKind.LOANS: desk.loans}.get(row.kind)
    if listed is not None and "external_ref" in row.cells:
        listed.setdefault(row.cells["external_ref"], row)


def _place_of(desk: _Desk, row: BookRow) -> str:
    """Whose row it is, and the currency of its loan; refuses it when that is nobody's."""
    if row.kind is BookKind.BORROWERS:
        row.person = row.cells.get("external_ref", "")
        return ""
    if row.kind in _OF_LOANS:
        return _loan_of(desk, row, row.cells.get("loan_ref", ""))
    row.person = row.cells.get("borrower_ref", "")
    if row.person not in desk.borrowers and row.person not in desk.known.borrowers:
        row.refuse(RowVerdict.NOT_FOUND, f"There is no borrower {row.person!r}.")
        return ""
    about = row.cells.get("loan_ref", "")
    if row.kind is BookKind.HOLDS and about:
        person = row.person
        currency = _loan_of(desk, row, about)
        if row.usable and row.person != person:
            row.person = person
            row.refuse(RowVerdict.INVALID, f"The loan {about!r} is another borrower's.")
        return currency
    return ""


def _loan_of(desk: _Desk, row: BookRow, ref: str) -> str:
    here, there = desk.loans.get(ref), desk.known.loans.get(ref)
    if here is None and there is None:
        row.refuse(RowVerdict.NOT_FOUND, f"There is no loan {ref!r}.")
        return ""
    row.person = here.person if here is not None else there.borrower_ref if there else ""
    if there is not None:
        if row.kind is BookKind.INSTALMENTS:
            row.refuse(RowVerdict.DUPLICATE, IN_THE_BOOK)
        return there.currency
    if here is None or not isinstance(here.record, LoanRow):
        row.refuse(RowVerdict.REFUSED, f"Its loan ({here.place if here else ref}) is not right.")
        return ""
    return here.record.currency


def _check_loan(desk: _Desk, row: BookRow) -> None:
    ref = row.cells["external_ref"]
    there = desk.known.loans.get(ref)
    if there is not None and there.borrower_ref != row.person:
        row.refuse(RowVerdict.INVALID, f"The loan {ref!r} is another borrower's.")
        return
    _once(desk.loans, row, ref, desk.known.loans)
    first = desk.loans[ref]
    if first is not row and first.person != row.person:
        # Nobody knows whose it is: the first one to say so has no better right to it.
        first.refuse(RowVerdict.INVALID, f"Says something else than {row.place}.")


def _once(seen: dict[str, BookRow], row: BookRow, ref: str, known: Container[str]) -> None:
    """Keep the first row of a reference. One that says something else under it is no repeat."""
    before = seen.get(ref)
    if before is None:
        seen[ref] = row
        if ref in known:
            row.refuse(RowVerdict.DUPLICATE, IN_THE_BOOK)
    elif before.cells == row.cells:
        row.refuse(RowVerdict.DUPLICATE, f"Says the same as {before.place}.")
    else:
        row.refuse(RowVerdict.INVALID, f"Says something else than {before.place}.")


def _check_repeat(desk: _Desk, row: BookRow) -> None:
    record = row.record
    if isinstance(record, RepaymentRow):
        mark: tuple[Any, ...] = (row.kind, record.loan_ref, record.ref)
        there = (record.loan_ref, record.ref) in desk.known.repayments
    elif isinstance(record, ContactRow):
        mark = (row.kind, record.borrower_ref, record.channel, record.made_at, record.direction)
        there = (record.borrower_ref, record.channel.value, record.made_at) in desk.known.contacts
    else:
        mark = (row.kind, *sorted(row.cells.items()))
        there = False
    before = desk.seen.setdefault(mark, row)
    if there:
        row.refuse(RowVerdict.DUPLICATE, IN_THE_BOOK)
    elif before is not row:
        same = not isinstance(record, RepaymentRow) or before.cells == row.cells
        row.refuse(
            RowVerdict.DUPLICATE if same else RowVerdict.INVALID,
            f"Says {'the same as' if same else 'something else than'} {before.place}.",
        )
    elif isinstance(record, PromiseRow):
        _check_promise(desk, row, record)


def _check_promise(desk: _Desk, row: BookRow, record: PromiseRow) -> None:
    """Rows that say the same of when it was made and how it ended are the parts of one promise."""
    parts = desk.promises.setdefault(record.promise, {})
    same_day = parts.setdefault(record.due_on, row)
    if same_day is not row:
        words = f"Another part for {record.due_on}: {same_day.place}. Put them together."
        row.refuse(RowVerdict.INVALID, words)
    elif len(parts) > MOST_PARTS:
        row.refuse(RowVerdict.INVALID, f"A promise has at most {MOST_PARTS} parts.")
    elif record.state is PromiseState.OPEN:
        first = desk.open_promises.setdefault(record.loan_ref, row)
        if first.record.promise != record.promise:
            words = f"A promise is open already: {first.place}. Parts of one have the same made_at."
            row.refuse(RowVerdict.INVALID, words)


def _check_schedules(desk: _Desk) -> None:
    """Each new loan needs a schedule that somebody can have meant."""
    for ref, row in desk.loans.items():
        if not row.usable:
            continue
        parts = desk.instalments.get(ref, [])
        records = [one.record for one in parts if isinstance(one.record, InstalmentRow)]
        if not parts:
            row.refuse(RowVerdict.INVALID, "Has no instalments.")
            continue
        try:
            if len(records) == len(parts):
                schedule_of(row.record, records, desk.reading.now)
        except Invalid as error:
            row.refuse(RowVerdict.INVALID, error.message)


def _whole_or_not_at_all(rows: Iterable[BookRow]) -> None:
    spoilt: dict[str, BookRow] = {}
    for row in rows:
        if row.person and row.verdict in _SPOILS:
            spoilt.setdefault(row.person, row)
    for row in rows:
        cause = spoilt.get(row.person)
        if cause is not None and row.usable:
            row.refuse(
                RowVerdict.REFUSED, f"Left out with its borrower: {cause.place} cannot be used."
            )
