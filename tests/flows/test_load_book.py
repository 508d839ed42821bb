"""Loading a living book: a verdict for each row, totals, and nothing in the book before release."""

from __future__ import annotations

import asyncio
import time

import pytest

from app.domain.book_totals import Expected
from app.domain.errors import Conflict, Invalid
from app.flows.books.load_book import GivenFile, load_book, try_book
from app.flows.cases.open_cases import open_cases
from app.reference.sheets import Sheet, read_sheets
from tests.flows.book_kit import Book, load, verdicts
from tests.flows.street import Street
from tests.reference.workbooks import workbook
from tests.rig import make_lender

pytestmark = pytest.mark.anyio


async def test_a_whole_book_gets_its_verdicts_and_totals(street: Street) -> None:
    book = Book().person("B1").person("B2", due="80.50")
    book.add("instalments", "B2-L,2,2026-04-20,80.50,")
    book.add("repayments", "B1-L,R-1,20.00,2026-01-05T10:00:00Z")
    book.add("contacts", "B1,sms,2026-03-01T10:00:00Z,outbound,no,sent")
    book.add("opt_outs", "B2,sms,2026-02-11")
    book.add("promises", "B1-L,2026-03-10,120.00,2026-03-01,open,")
    book.add("holds", "B2,dispute,Says it is paid.,B2-L,2026-02-25,")
    checked = await load(street, book)
    assert set(verdicts(checked)) == {"will_do"}
    assert checked.totals["sums"] == {
        "scheduled": {"EUR": 28_100},
        "owed": {"EUR": 28_100},
        "overdue": {"EUR": 20_050},
        "repaid": {"EUR": 2_000},
    }
    assert checked.totals["left_out"] == 0
    assert await street.value("SELECT count(*) FROM bulk_rows WHERE verdict = 'will_do'") == 12


async def test_until_release_no_tick_sees_any_of_it(street: Street) -> None:
    await load(street, Book().person("B1"))
    opened = await open_cases(street.house, street.now)
    assert opened.opened == 0
    for table in ("borrowers", "loans", "instalments", "cases", "messages", "tasks"):
        assert await street.value(f"SELECT count(*) FROM {table}") == 0


async def test_the_same_files_twice_are_a_conflict_under_any_name_and_order(
    street: Street,
) -> None:
    book = Book().person("B1")
    await load(street, book)
    again = [GivenFile(f"x{at}-{one.name}", one.content) for at, one in enumerate(book.files())]
    renamed = [GivenFile(one.name.split("-", 1)[1], one.content) for one in reversed(again)]
    with pytest.raises(Conflict, match="loaded before"):
        await load_book(
            street.house, street.now, street.lender_id, renamed, Expected(), actor="other"
        )
    # Another lender may have the same file: nobody learns of it.
    other = await make_lender(street.store, street.now)
    assert (await load(street, book, lender_id=other)).file_id is not None


async def test_a_try_keeps_nothing(street: Street) -> None:
    files = Book().person("B1").files()
    checked = await try_book(street.house, street.now, street.lender_id, files, Expected(9))
    assert checked.file_id is None
    assert checked.totals["differences"] == [["borrowers", "9", "1"]]
    assert await street.value("SELECT count(*) FROM bulk_files") == 0


async def test_books_are_read_one_at_a_time(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes many times its size in memory: whoever sends ten at once waits for his turn."""
    reading, most = [0], [0]

    def read(name: str, content: bytes) -> list[Sheet]:
        reading[0] += 1
        most[0] = max(most[0], reading[0])
        time.sleep(0.02)
        reading[0] -= 1
        return read_sheets(name, content)

    monkeypatch.setattr("app.flows.books.load_book.read_sheets", read)
    files = Book().person("C-1").files()
    every = [
        try_book(street.house, street.now, street.lender_id, files, Expected()) for _ in range(4)
    ]
    done = await asyncio.gather(*every)
    assert [one.totals["rows"] for one in done] == [3] * 4
    assert most == [1]


async def test_a_person_is_taken_over_whole_or_not_at_all(street: Street) -> None:
    book = Book().person("B1").person("B2")
    book.add("opt_outs", "B1,pigeon,")
    checked = await load(street, book)
    by_person = {(row.person, row.verdict.value) for row in checked.rows}
    assert by_person == {("B1", "refused"), ("B1", "invalid"), ("B2", "will_do")}
    left = next(row for row in checked.rows if row.kind.value == "loans" and row.person == "B1")
    assert "row 2 of opt_outs" in left.message
    assert checked.totals["left_out"] == 4
    assert checked.totals["sums"]["owed"] == {"EUR": 12_000}


@pytest.mark.parametrize(
    ("kind", "line", "verdict", "says"),
    [
        ("instalments", 'B1-L,2,2026-04-01,"1,234.56",', "invalid", "amount"),
        ("instalments", "B1-L,2,01/04/2026,10,", "invalid", "is not a day"),
        ("instalments", "B9-L,1,2026-04-01,10,", "not_found", "no loan 'B9-L'"),
        ("loans", "X,B9,Loan,EUR,2026-03-01", "not_found", "no borrower 'B9'"),
        ("loans", "X,B1,Loan,EUR,2026-03-01", "invalid", "no instalments"),
        ("loans", "X,B1,Loan,XYZ,2026-03-01", "invalid", "not a currency"),
        ("loans", "B1-L,B1,Loan,PLN,2026-03-03T08:00:00Z", "invalid", "something else"),
        ("loans", "B1-L,B1,Loan,EUR,2026-03-03T08:00:00Z", "duplicate", "the same as row 2"),
        ("borrowers", "B7,Ana,Narnia,es,,,,", "invalid", "country"),
        ("borrowers", "B7,Ana,ES,es,12,,,", "invalid", "phone"),
        ("borrowers", "B7,Ana,ES,es,,ana@,,", "invalid", "email"),
        ("contacts", "B1,sms,2027-01-01T10:00:00Z,,,", "invalid", "future"),
        ("contacts", "B1,sms,2026-02-29T10:00:00Z,,,", "invalid", "is not a time"),
        ("holds", "B1,dispute,,,,", "invalid", "reason: is empty"),
        ("holds", "B1,dispute,Why.,B2-L,,", "invalid", "another borrower's"),
        ("repayments", "B1-L,R,0.00,2026-01-01", "invalid", "above zero"),
    ],
)  # fmt: skip
async def test_each_fault_is_named(
    street: Street, kind: str, line: str, verdict: str, says: str
) -> None:
    checked = await load(street, Book().person("B1").person("B2").add(kind, line))
    row = [row for row in checked.rows if row.kind.value == kind][-1]
    assert row.verdict.value == verdict
    assert says in row.message
    assert {row.verdict.value for row in checked.rows if row.person == "B2"} <= {
        "will_do", "invalid", "refused",
    }  # fmt: skip


async def test_a_schedule_with_half_its_numbers_is_nobodys_guess(street: Street) -> None:
    book = Book().person("B1").add("instalments", "B1-L,,2026-04-01,10,")
    checked = await load(street, book)
    loan = next(row for row in checked.rows if row.kind.value == "loans")
    assert loan.verdict.value == "invalid"
    assert "number" in loan.message


async def test_an_instalment_that_came_twice_is_not_owed_twice(street: Street) -> None:
    book = Book().person("B2").add("loans", "B2-X,B2,Loan,EUR,2026-03-03T08:00:00Z")
    book.add("instalments", *["B2-X,,2026-02-20,50.00,"] * 2)
    checked = await load(street, book)
    loan = next(row for row in checked.rows if row.cells.get("external_ref") == "B2-X")
    assert loan.verdict.value == "invalid"
    assert "2026-02-20 stands at two instalments" in loan.message
    assert not checked.totals["sums"]


async def test_a_loan_that_two_people_are_said_to_have_is_nobodys(street: Street) -> None:
    book = Book().person("B1").person("B2").add("loans", "B1-L,B2,Loan,EUR,2026-03-03T08:00:00Z")
    checked = await load(street, book.person("B3"))
    kept = {row.person for row in checked.rows if row.usable}
    assert kept == {"B3"}, "who came first has no better right to it"


async def test_a_loan_whose_instalments_cannot_be_read_is_not_said_to_have_none(
    street: Street,
) -> None:
    book = Book().person("B1", due="1.234,56")
    loan = next(row for row in (await load(street, book)).rows if row.kind.value == "loans")
    assert loan.message == "Left out with its borrower: row 2 of instalments cannot be used."


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (("B1-L,2026-03-10,20,2026-03-01,,", "B1-L,2026-03-17,30,2026-03-01,,"), ""),
        (("B1-L,2026-03-10,20,2026-03-01,,", "B1-L,2026-03-10,30,2026-03-01,,"), "Another part"),
        (("B1-L,2026-03-10,20,2026-03-01,,", "B1-L,2026-03-17,30,2026-03-02,,"), "open already"),
        ([f"B1-L,2026-03-{10 + n},5,2026-03-01,," for n in range(13)], "at most 12 parts"),
    ],
)
async def test_rows_of_one_promise_are_its_parts(
    street: Street, lines: list[str], says: str
) -> None:
    checked = await load(street, Book().person("B1").add("promises", *lines))
    last = [row for row in checked.rows if row.kind.value == "promises"][-1]
    assert (last.usable, says in last.message) == (not says, True)


async def test_what_is_in_the_book_already_stays_as_it_is(street: Street) -> None:
    who = await street.neighbour(ref="B1")
    book = Book().person("B1")
    book.add("loans", "B1-L0,B1,Loan,EUR,2026-03-03T08:00:00Z")
    book.add("instalments", "B1-L0,1,2026-02-01,500.00,")
    checked = await load(street, book)
    assert verdicts(checked, "borrowers") == ["duplicate"]
    assert verdicts(checked, "loans") == ["will_do", "duplicate"]
    assert verdicts(checked, "instalments") == ["will_do", "duplicate"]
    assert await street.due(who) == 12_000


async def test_unknown_columns_are_kept_and_reported(street: Street) -> None:
    files = Book().person("B1").files()
    with_more = (
        files[0]
        .content.replace(b"country", b"country,Shoe size")
        .replace("España".encode(), "España,43".encode())
    )
    files[0] = GivenFile("borrowers.csv", with_more)
    checked = await load_book(
        street.house, street.now, street.lender_id, files, Expected(), actor="loader"
    )
    assert checked.totals["unknown_columns"] == {"borrowers": ["shoe_size"]}
    assert checked.rows[0].cells["shoe_size"] == "43"
    assert set(verdicts(checked)) == {"will_do"}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("Sheet1.csv", b"a,b\n1,2\n", "does not say what its rows are"),
        ("loans.csv", b"external_ref\nL\n", "lacks the column borrower_ref"),
        ("loans.csv", b"", "has no rows"),
    ],
)
async def test_a_file_that_is_no_book_is_refused(
    street: Street, name: str, content: bytes, says: str
) -> None:
    with pytest.raises(Invalid, match=says):
        await load_book(
            street.house,
            street.now,
            street.lender_id,
            [GivenFile(name, content)],
            Expected(),
            actor="loader",
        )
    assert await street.value("SELECT count(*) FROM bulk_files") == 0


async def test_a_workbook_with_one_sheet_for_each_kind(street: Street) -> None:
    content = workbook(
        {
            "Borrowers": [["External ref", "Name", "Country"], ["B1", "Ana", "ES"]],
            "Loans": [
                ["external_ref", "borrower_ref", "product", "currency", "as_of"],
                ["L1", "B1", "Loan", "eur", (2, 46083.5)],
            ],
            "Arrears": [["loan_ref", "due_on", "amount"], ["L1", (1, 46060.0), 120.5]],
            "_notes": [["whatever"], ["is left out"]],
        }
    )
    checked = await load_book(
        street.house,
        street.now,
        street.lender_id,
        [GivenFile("book.xlsx", content)],
        Expected(1, 1, {"EUR": 12_050}),
        actor="loader",
    )
    assert verdicts(checked) == ["will_do"] * 3
    assert checked.totals["sheets_left_out"] == ["_notes"]
    assert checked.totals["differences"] == []


async def test_rows_are_sealed(street: Street) -> None:
    await load(street, Book().person("B1"))
    for row in await street.rows("SELECT row_enc, message FROM bulk_rows"):
        assert b"Ana" not in bytes(row.row_enc)
