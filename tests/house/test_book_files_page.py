"""The page about book files names the very columns that are read."""

from __future__ import annotations

from pathlib import Path

from app.domain.book import COLUMNS, BookKind

PAGE = Path(__file__).resolve().parents[2] / "docs" / "book-files.md"


def test_the_page_lists_every_column() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = {
        cells[0].strip(): tuple(cells[1:3])
        for line in lines
        if line.startswith("| ") and len(cells := line.strip("|").split("|")) == 3
    }
    for kind in BookKind:
        must, may = (
            tuple(filter(None, map(str.strip, one.split(",")))) for one in rows[kind.value]
        )
        assert must == COLUMNS[kind].required, kind
        assert may == COLUMNS[kind].optional, kind
