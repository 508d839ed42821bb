"""Tables that people upload: what they hold comes out, and what they hide does not get in."""

from __future__ import annotations

import io
import zipfile

import pytest

from app.domain.errors import Invalid
from app.flows.books.read_book import read_book
from app.reference.sheets import LARGEST_FILE, MOST_ROWS, read_sheets
from tests.reference.workbooks import Cell, package, sheet_xml, workbook


def test_csv_with_any_delimiter_and_a_mark_at_its_beginning() -> None:
    for delimiter in (",", ";", "\t"):
        text = f"\ufeffa{delimiter} b \r\n1{delimiter}\r\n\r\n x {delimiter}y\r\n"
        (sheet,) = read_sheets("loans.csv", text.encode())
        assert sheet.name == "loans"
        assert sheet.header == ("a", "b")
        assert sheet.rows == ((2, ("1", "")), (4, ("x", "y")))


def test_a_quoted_line_break_belongs_to_its_cell() -> None:
    (sheet,) = read_sheets("x.csv", b'a,b\n"one\ntwo",2\n3,4\n')
    assert sheet.rows == ((2, ("one\ntwo", "2")), (3, ("3", "4")))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a\nñ".encode("latin-1"), "UTF-8"),
        (b"a,b\n\x00\x00", "neither CSV nor XLSX"),
        (b'a,b\n"open,2\n', "row 2"),
        (b"a,b\n1,2,3\n", "more cells in row 2"),
        (b"a" * 3000, "more than 2000 signs"),
        (b"a," * 70, "more than 60 columns"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"0" * 100, "old or locked"),
        (b"PK\x03\x04" + b"0" * 100, "broken or locked"),
        (b"0" * (LARGEST_FILE + 1), "20 MB"),
    ],
)
def test_what_is_no_table_is_refused_with_its_reason(content: bytes, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        read_sheets("f.csv", content)


def test_an_empty_file_has_no_tables() -> None:
    assert read_sheets("f.csv", b"") == []
    assert read_sheets("f.xlsx", workbook({"Loans": []})) == []


def test_a_workbook_comes_as_text_that_a_person_would_type() -> None:
    rows: list[list[Cell]] = [
        ["ref", "amount", "noise", "day", "moment", "flag"],
        ["L-1", 1234.5, 0.1 + 0.2, (1, 46112.0), (2, 46112.5), True],
        [42, 1e15, -3.0, "", "2026-03-31", False],
    ]
    first, second = read_sheets("book.xlsx", workbook({"Loans": rows, "Other": [["x"]]}))
    assert (first.name, second.name, second.rows) == ("Loans", "Other", ())
    assert first.rows[0] == (
        2,
        ("L-1", "1234.5", "0.30000000000000004", "2026-03-31", "2026-03-31T12:00:00", "yes"),
    )
    assert first.rows[1] == (3, ("42", "1000000000000000", "-3", "", "2026-03-31", "no"))


def test_rows_keep_the_numbers_that_people_see() -> None:
    body = sheet_xml([["a"], [""], ["b"]]).replace('r="1"', 'r="5"').replace('"A1"', '"A5"')
    body = body.replace('r="3"', 'r="7"').replace('"A3"', '"A7"').replace('r="2"', 'r="6"')
    (sheet,) = read_sheets("b.xlsx", package({"s": body.replace('"A2"', '"A6"')}))
    assert sheet.rows == ((7, ("b",)),)


def test_a_small_file_that_unpacks_to_a_large_one() -> None:
    bomb = "<worksheet>" + " " * (250 * 1024 * 1024) + "</worksheet>"
    packed = package({"s": bomb})
    assert len(packed) < 1024 * 1024
    with pytest.raises(Invalid, match="200 MB"):
        read_sheets("b.xlsx", packed)


@pytest.mark.parametrize(
    ("place", "says"),
    [("XFD1048576", "rows"), ("A200002", "rows"), ("XFD1", "columns"), ("CV9", "columns")],
)
def test_one_cell_far_out_does_not_take_all_memory(place: str, says: str) -> None:
    body = sheet_xml([["a"]]).replace("</row>", f'<c r="{place}"><v>1</v></c></row>')
    with pytest.raises(Invalid, match=says):
        read_sheets("b.xlsx", package({"s": body}))


def test_a_part_whose_length_is_a_lie_is_refused() -> None:
    packed = bytearray(workbook({"s": [["a"]]}))
    with zipfile.ZipFile(io.BytesIO(bytes(packed))) as known:
        part = known.getinfo("xl/worksheets/sheet1.xml")
    at = packed.rfind(b"PK\x01\x02", 0, packed.rfind(b"xl/worksheets/sheet1.xml"))
    packed[at + 24 : at + 28] = (part.file_size // 2).to_bytes(4, "little")
    with pytest.raises(Invalid, match="broken"):
        read_sheets("b.xlsx", bytes(packed))


def test_a_cell_in_error_is_not_taken_for_an_empty_one() -> None:
    body = sheet_xml([["a"]]).replace("</row>", '<c r="B1" t="e"><v>#N/A</v></c></row>')
    with pytest.raises(Invalid, match="#N/A"):
        read_sheets("b.xlsx", package({"s": body}))


@pytest.mark.parametrize(
    ("cell", "fine"),
    [
        ('<c r="B2"><f>1+1</f></c>', False),
        ('<c r="B2"><f>1+1</f><v></v></c>', False),
        ('<c s="1" r="B2"><f t="shared" si="0"/><v/></c>', False),
        ('<c r="B2"><f>1+1</f><v>2</v></c>', True),
        ('<c r="B2" t="str"><f>A1</f><v></v></c>', True),
        ('<c r="B2" s="1"/>', True),
    ],
)
def test_a_formula_without_a_result_is_not_taken_for_an_empty_cell(cell: str, fine: bool) -> None:
    head = sheet_xml([["a", "b"]])
    body = head.replace(
        "</sheetData>", f'<row r="2"><c r="A2"><v>1</v></c>{cell}</row></sheetData>'
    )
    if fine:
        assert read_sheets("x.xlsx", package({"loans": body}))
        return
    with pytest.raises(Invalid, match="formula without a result in B2"):
        read_sheets("x.xlsx", package({"loans": body}))


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_a_hidden_sheet_says_so(state: str) -> None:
    given = workbook({"loans": [["a"], ["1"]], "loans archive": [["a"], ["2"]]})
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(given)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            mark = f'<sheet state="{state}" name="loans archive"'.encode()
            new.writestr(name, old.read(name).replace(b'<sheet name="loans archive"', mark))
    sheets = read_sheets("x.xlsx", made.getvalue())
    assert [(one.name, one.hidden) for one in sheets] == [
        ("loans", False), ("loans archive", True),
    ]  # fmt: skip
    with pytest.raises(Invalid, match="hidden sheet"):
        read_book(sheets[1:])


def test_the_line_that_names_the_delimiter_is_no_row() -> None:
    (sheet,) = read_sheets("loans.csv", b"\xef\xbb\xbfsep=;\r\na;b,c\r\n1;2\r\n")
    assert (sheet.header, sheet.rows) == (("a", "b,c"), ((2, ("1", "2")),))


def test_a_document_type_is_refused() -> None:
    body = '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + sheet_xml([["a"]])
    with pytest.raises(Invalid, match="not written as workbooks"):
        read_sheets("b.xlsx", package({"s": body}))


def test_too_many_rows_are_refused() -> None:
    with pytest.raises(Invalid, match="rows"):
        read_sheets("x.csv", b"a\n" + b"1\n" * (MOST_ROWS + 1))
