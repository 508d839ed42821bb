"""The parts of a workbook, looked through before anything lays them out in memory.

A reader sets aside room for every cell up to the farthest one, and copies a shared text into each
cell that names it: a kilobyte can ask for terabytes. Which part is a sheet, its name does not say:
the workbook points to any part it likes. So all parts are walked by a real XML parser, as the
reader walks them. Patterns would not do: a ">" may stand in an attribute, a cell need not say its
place, and a hostile part keeps a pattern busy for hours.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping
from typing import Final
from xml.parsers.expat import ExpatError, ParserCreate

from app.domain.errors import Invalid

_PLACE: Final = re.compile(r"([A-Z]{1,3})(\d{1,7})", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,7}", re.ASCII)
_LONGEST_INDEX: Final = 8
_ODD: Final = "is not written as workbooks are."
_ANEW: Final = "Save it anew as XLSX."


class Parts:
    """Walks the parts of one workbook, `sharedStrings.xml` before the others.

    Raises `Invalid` naming the file for cells further out than `rows` and `columns`, for more
    shared text than `characters` once it is laid out, for cells in error, for a formula whose
    result was never stored, and for what is no XML or has a document type.
    """

    def __init__(self, file_name: str, *, rows: int, columns: int, characters: int) -> None:
        self._file_name = file_name
        self._rows, self._columns = rows, columns
        self._characters, self._most = characters, rows * columns
        self._shared = array("L")

    def walk(self, body: bytes) -> None:
        """Look through one part."""
        if b"\x00" in body:
            # Written in UTF-16, which the reader does not read: it would see other tags than we.
            raise self.refused(_ODD, _ANEW)
        _Walk(self, body)

    # ---------------------------------------------------------- what a walk meets

    def announce(self, given: Mapping[str, str]) -> None:
        """A list says how long it will be: a reader sets aside room for so many."""
        for name in ("count", "uniqueCount"):
            said = given.get(name, "")
            if said.isdigit() and (len(said) > _LONGEST_INDEX or int(said) > self._most):
                raise self.refused(_ODD, _ANEW)

    def share(self, length: int) -> None:
        """One more shared text of so many characters."""
        if len(self._shared) >= self._most:
            raise self.refused("holds too much text for a table.", "Split it.")
        self._shared.append(length)

    def lay_out(self, index: str) -> None:
        """A cell takes a copy of a shared text."""
        at = int(index) if _NUMBER.fullmatch(index) else -1
        if not 0 <= at < len(self._shared):
            raise self.refused(_ODD, _ANEW)
        self._characters -= self._shared[at]
        if self._characters < 0:
            raise self.refused("holds too much text for a table.", "Split it.")

    def row(self, place: str | None, before: int) -> int:
        """The number of a row that comes after another one."""
        if place is None:
            return self._bounded_row(before + 1)
        if not _NUMBER.fullmatch(place):
            raise self.refused(_ODD, _ANEW)
        return self._bounded_row(int(place))

    def column(self, place: str | None, before: int) -> int:
        """The number of the column of a cell that comes after another one."""
        if place is None:
            return self._bounded_column(before + 1)
        found = _PLACE.fullmatch(place.upper())
        if found is None:
            raise self.refused(_ODD, _ANEW)
        self._bounded_row(int(found[2]))
        number = 0
        for letter in found[1]:
            number = number * 26 + ord(letter) - 64
        return self._bounded_column(number)

    def _bounded_row(self, number: int) -> int:
        # The header is a row, too.
        if number > self._rows + 1:
            raise self.refused(f"has more than {self._rows} rows.", "Split it.")
        return number

    def _bounded_column(self, number: int) -> int:
        if number > self._columns:
            raise self.refused(
                f"has more than {self._columns} columns.",
                "Keep the columns that the format names.",
            )
        return number

    def refused(self, problem: str, mend: str) -> Invalid:
        """The refusal of this file."""
        return Invalid(self._file_name, problem, mend=mend)


class _Walk:
    """One part, from its first tag to its last."""

    def __init__(self, parts: Parts, body: bytes) -> None:
        self._parts = parts
        self._row = self._column = 0
        self._kind, self._place = "", ""
        self._formula = self._in_value = self._valued = False
        self._value = ""
        self._shared: int | None = None
        # The reader takes every part for UTF-8, whatever it says of itself.
        parser = ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        try:
            parser.Parse(body, True)
        except ExpatError:
            raise parts.refused(_ODD, _ANEW) from None

    def _doctype(self, *_: object) -> None:
        raise self._parts.refused(_ODD, _ANEW)

    def _start(self, name: str, given: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "c":
                place = given.get("r")
                self._column = self._parts.column(place, self._column)
                self._kind, self._place = given.get("t", ""), place or ""
                self._formula = self._valued = False
                self._value = ""
                if self._kind == "e":
                    raise self._parts.refused(
                        "has a cell in error, such as #N/A.", "Mend its formula."
                    )
            case "v":
                self._in_value = self._valued = True
            case "f":
                self._formula = True
            case "row":
                self._row = self._parts.row(given.get("r"), self._row)
                self._column = 0
            case "si":
                self._shared = 0
            case _ if given:
                self._parts.announce(given)

    def _text(self, text: str) -> None:
        if self._in_value:
            # Whether there is one, and which one of a list: its first signs say it.
            if len(self._value) < _LONGEST_INDEX:
                self._value += text.strip()[:_LONGEST_INDEX]
        elif self._shared is not None:
            self._shared += len(text)

    def _end(self, name: str) -> None:
        match name.rpartition(":")[2]:
            case "v":
                self._in_value = False
            case "c":
                self._end_of_cell()
            case "si" if self._shared is not None:
                self._parts.share(self._shared)
                self._shared = None

    def _end_of_cell(self) -> None:
        """A formula without a result would be taken for an empty cell."""
        if self._kind == "s" and self._valued:
            self._parts.lay_out(self._value)
        if not self._formula or self._value:
            return
        # An empty text is a result, and has its own type.
        if self._valued and self._kind == "str":
            return
        where = f" in {self._place}" if self._place else ""
        raise self._parts.refused(
            f"has a formula without a result{where}.",
            "Open it in a spreadsheet program, and save it there.",
        )
