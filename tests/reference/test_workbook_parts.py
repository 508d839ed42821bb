"""Workbooks that would take all memory, or all day, are refused before anything lays them out."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import pytest

from app.domain.errors import Invalid
from app.reference.sheets import MOST_ROWS, read_sheets
from tests.reference.workbooks import package, workbook

_HEAD = '<row r="1"><c r="A1"><v>1</v></c></row>'


def sheet(data: str) -> str:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<worksheet xmlns="{main}"><sheetData>{data}</sheetData></worksheet>'


def shared(*texts: str, said: str = "") -> str:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    listed = "".join(f"<si><t>{text}</t></si>" for text in texts)
    return f'<sst xmlns="{main}"{said}>{listed}</sst>'


def with_parts(book: bytes, parts: Mapping[str, str]) -> bytes:
    """The same workbook with other parts, or more of them."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(made, "w", 8) as new:
        for name in old.namelist():
            if name not in parts:
                new.writestr(name, old.read(name))
        for name, body in parts.items():
            new.writestr(name, body)
    return made.getvalue()


def pointing_to(place: str, body: str) -> bytes:
    """A workbook whose one sheet stands somewhere else than sheets do."""
    book = package({"loans": "<worksheet/>"})
    with zipfile.ZipFile(io.BytesIO(book)) as old:
        related = old.read("xl/_rels/workbook.xml.rels").decode()
    moved = related.replace("worksheets/sheet1.xml", place)
    return with_parts(book, {"xl/_rels/workbook.xml.rels": moved, f"xl/{place}": body})


def refusal(book: bytes) -> str:
    with pytest.raises(Invalid) as caught:
        read_sheets("book.xlsx", book)
    return caught.value.message


@pytest.mark.parametrize("place", ["other/sheet1.xml", "sheet1.rels", "WORKSHEETS/sheet1.xml"])
def test_a_sheet_is_looked_through_wherever_it_stands(place: str) -> None:
    far = f'<row r="{MOST_ROWS + 2}"><c r="A{MOST_ROWS + 2}"><v>1</v></c></row>'
    assert f"{MOST_ROWS} rows" in refusal(pointing_to(place, sheet(_HEAD + far)))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        # No row and no cell need say where it is.
        (_HEAD + "<row/>" * MOST_ROWS + "<row><c><v>1</v></c></row>", "200000 rows"),
        (f"{_HEAD}<row>{'<c/>' * 60}<c><v>1</v></c></row>", "60 columns"),
        # A ">" may stand in an attribute, and a place may be written small.
        (f'{_HEAD}<row s=">" r="200002"><c><v>1</v></c></row>', "200000 rows"),
        (f'{_HEAD}<row><c s=">" r="BI2"><v>1</v></c></row>', "60 columns"),
        (f'{_HEAD}<row><c r="bi2"><v>1</v></c></row>', "60 columns"),
        # A cell says its row by itself, whatever row it stands in.
        (f'{_HEAD}<row r="2"><c r="A200002"><v>1</v></c></row>', "200000 rows"),
        # Nor need tags end: a pattern would look through the rest at each of these again.
        ("<c " * 20_000, "not written as workbooks are"),
        (f'{_HEAD}<row r="2"><c r="A2" s="<" t="n"><v>1</v></c></row>', "not written"),
    ],
)  # fmt: skip
def test_a_place_is_found_however_it_is_written(data: str, says: str) -> None:
    assert says in refusal(package({"loans": sheet(data)}))


def test_a_shared_text_counts_in_each_cell_that_names_it() -> None:
    row = "<row>" + '<c t="s"><v>0</v></c>' * 50 + "</row>"
    book = package({"loans": sheet(row * 2_400)})
    assert len(book) < 20_000
    parts = {"xl/sharedStrings.xml": shared("x" * 1_999)}
    assert "too much text" in refusal(with_parts(book, parts))


def test_sheets_that_show_the_same_part_count_each() -> None:
    names = {f"loans {number}": sheet(_HEAD) for number in range(2)}
    wide = sheet(f'{_HEAD}<row r="{MOST_ROWS}"><c r="AJ{MOST_ROWS}"><v>1</v></c></row>')
    parts = {f"xl/worksheets/sheet{number}.xml": wide for number in (1, 2)}
    assert "too much for a table" in refusal(with_parts(package(names), parts))


def test_more_sheets_than_a_book_has_are_refused() -> None:
    assert "50 sheets" in refusal(workbook({f"s{number}": [["a"]] for number in range(51)}))


def test_a_list_that_says_it_is_endless_is_refused() -> None:
    book = with_parts(
        workbook({"loans": [["a"], ["b"]]}),
        {"xl/sharedStrings.xml": shared("a", said=' uniqueCount="40000000"')},
    )
    assert "not written as workbooks are" in refusal(book)


def test_a_shared_text_that_is_not_there_is_refused() -> None:
    data = '<row r="1"><c r="A1" t="s"><v>7</v></c></row>'
    assert "not written as workbooks are" in refusal(package({"loans": sheet(data)}))


def test_a_part_in_another_encoding_is_refused() -> None:
    book = pointing_to("sheet1.xml", sheet(_HEAD))
    with zipfile.ZipFile(io.BytesIO(book)) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as new:
        for name, body in parts.items():
            wide = name == "xl/sheet1.xml"
            new.writestr(name, body.decode().encode("utf-16") if wide else body)
    assert "not written as workbooks are" in refusal(made.getvalue())


def test_shared_texts_and_numbers_of_any_size_are_read() -> None:
    data = (
        '<row r="1"><c r="A1" t="s"><v>1</v></c><c r="B1" t="s"><v>0</v></c></row>'
        '<row r="2"><c r="A2"><v>1E+30</v></c><c r="B2" t="s"/></row>'
    )
    parts = {"xl/sharedStrings.xml": shared("name", "ref", said=' count="2" uniqueCount="2"')}
    (read,) = read_sheets("book.xlsx", with_parts(package({"loans": sheet(data)}), parts))
    assert read.header == ("ref", "name")
    assert read.rows == ((2, ("1" + "0" * 30, "")),)
