"""Files of a living book: what is sent, the verdicts, and how far the loading is."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from app.api.wire import Currency, Given, Id, Instant, Line, MoneyShown, Shown

LARGEST_UPLOAD: Final = 8 * 1024 * 1024
"""Bytes of one upload. A larger book goes through the desk or the command line."""
_BORROWERS = "external_ref,name,country,language\nC-1001,Ana Núñez,ES,es\n"


class FileGiven(Given):
    """One table as CSV text, named after what it holds. Its columns are in docs/book-files.md."""

    name: Annotated[
        Line, Field(min_length=1, max_length=100, description="Its name.", examples=["loans.csv"])
    ]
    content: Annotated[
        str,
        Field(
            min_length=1, max_length=LARGEST_UPLOAD, description="The CSV.", examples=[_BORROWERS]
        ),
    ]


class OwedExpected(Given):
    """What is unpaid in one currency, by your own system."""

    amount: Annotated[
        str, Field(pattern=r"^\d{1,15}(\.\d{1,3})?$", description="Decimal.", examples=["120.00"])
    ]
    currency: Currency


class BookFileGiven(Given):
    """A book, or a part of one. Figures of your own system are laid beside those of the files."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "files": [{"name": "borrowers.csv", "content": _BORROWERS}],
                "dry_run": True,
            }
        }
    )

    files: Annotated[list[FileGiven], Field(min_length=1, max_length=20)]
    dry_run: Annotated[
        bool, Field(description="true: say what would be loaded, and keep nothing.")
    ] = False
    borrowers: Annotated[
        int | None, Field(ge=0, le=10**9, description="How many there should be; null: not said.")
    ] = None
    loans: Annotated[
        int | None, Field(ge=0, le=10**9, description="How many there should be; null: not said.")
    ] = None
    owed: Annotated[
        list[OwedExpected], Field(max_length=20, description="Unpaid, by currency.")
    ] = Field(default_factory=list)


class BookRowShown(Shown):
    """A row that is left out, and why."""

    sheet: str
    number: Annotated[int, Field(description="In the file, its header being row 1.")]
    verdict: Annotated[str, Field(description="duplicate, invalid, not_found or refused.")]
    message: str


class DifferenceShown(Shown):
    """A figure on which your system and the files do not agree. No release before it is gone."""

    what: Annotated[str, Field(examples=["loans"])]
    expected: Annotated[str, Field(examples=["12"])]
    found: Annotated[str, Field(examples=["11"])]


class BookFileShown(Shown):
    """A book as it was checked. A person at the desk releases it, and no key ever does."""

    id: Annotated[Id | None, Field(description="null: a dry run, nothing was kept.")]
    name: str
    state: Annotated[str, Field(description="tried, checked, released, done or dropped.")]
    made_by: str
    made_at: Instant
    released_by: str | None
    released_at: Instant | None
    ended_at: Instant | None
    rows: int
    left_out: Annotated[int, Field(description="Rows that would not be loaded, repeats aside.")]
    verdicts: Annotated[
        dict[str, Any],
        Field(
            description="Rows by kind and verdict.",
            examples=[{"borrowers": {"will_do": 11, "invalid": 1}}],
        ),
    ]
    owed: Annotated[list[MoneyShown], Field(description="Unpaid by the files, by currency.")]
    differences: list[DifferenceShown]
    unknown_columns: Annotated[
        list[str],
        Field(description="Kept with the rows, and not read.", examples=[["loans: branch"]]),
    ]


class BookFileDetailShown(BookFileShown):
    """The same with the rows that are left out."""

    troubled: Annotated[
        list[BookRowShown], Field(description="The first 200, causes before what they took along.")
    ]
