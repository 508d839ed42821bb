"""A lender's living book as files, for tests: two people, and whatever a test adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.domain.book_totals import Expected
from app.flows.books.load_book import CheckedBook, GivenFile, load_book
from tests.flows.street import Street

HEADERS = {
    "borrowers": "external_ref,name,country,language,phone,email,birth_date,time_zone",
    "loans": "external_ref,borrower_ref,product,currency,as_of",
    "instalments": "loan_ref,number,due_on,amount,paid",
    "repayments": "loan_ref,external_ref,amount,paid_at",
    "contacts": "borrower_ref,channel,made_at,direction,conversation,outcome",
    "opt_outs": "borrower_ref,channel,since",
    "promises": "loan_ref,due_on,amount,made_at,state,ended_at",
    "holds": "borrower_ref,kind,reason,loan_ref,starts_at,ends_at",
}


@dataclass(slots=True)
class Book:
    """Rows by kind, as lines of CSV without their header."""

    rows: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, *lines: str) -> Book:
        """Append lines to one kind."""
        self.rows.setdefault(kind, []).extend(lines)
        return self

    def person(self, ref: str, *, due: str = "120.00", due_on: str = "2026-02-20") -> Book:
        """A borrower with one loan of one instalment; the street's day is 2026-03-03."""
        number = sum(ord(letter) for letter in ref) % 10_000
        self.add(
            "borrowers", f"{ref},Ana Núñez,España,es,61200{number:04d},,1988-05-17,Europe/Madrid"
        )
        self.add("loans", f"{ref}-L,{ref},Loan,EUR,2026-03-03T08:00:00Z")
        return self.add("instalments", f"{ref}-L,1,{due_on},{due},")

    def files(self) -> list[GivenFile]:
        """One CSV file for each kind."""
        return [
            GivenFile(f"{kind}.csv", "\n".join([HEADERS[kind], *lines, ""]).encode())
            for kind, lines in self.rows.items()
        ]


async def load(
    street: Street, book: Book, expected: Expected | None = None, **more: Any
) -> CheckedBook:
    """Load a book at the street's lender, as the loading desk would."""
    return await load_book(
        street.house,
        street.now,
        more.pop("lender_id", street.lender_id),
        book.files(),
        expected or Expected(),
        actor="loader@sol.example",
        **more,
    )


def verdicts(checked: CheckedBook, kind: str = "") -> Sequence[str]:
    """The verdicts of the rows, in the order of the files."""
    return [row.verdict.value for row in checked.rows if kind in ("", row.kind.value)]
