"""Book files over the API: upload, verdicts, progress. Released by a person at the desk alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Response

from app.api.caller import ByKey
from app.api.paging import Page, Paged, page
from app.api.route import SaldoRoute
from app.api.routes.shared import CONFLICT, NOT_FOUND, IdInPath
from app.api.schemas.book_files import (
    BookFileDetailShown,
    BookFileGiven,
    BookFileShown,
    BookRowShown,
    DifferenceShown,
)
from app.api.wire import money
from app.domain.book_totals import Expected
from app.domain.errors import Invalid
from app.domain.money import Money
from app.flows.books.load_book import GivenFile, load_book, try_book
from app.reports import book_files
from app.reports.book_files import BookFile, BookFileRow, book_file, troubled_rows
from app.reports.slices import take

router = APIRouter(prefix="/v1/book-files", tags=["Book files"], route_class=SaldoRoute)


@router.get("", summary="List book files")
async def list_book_files(caller: ByKey, asked: Paged) -> Page[BookFileShown]:
    """Every file that was loaded, at the desk or by a key, the latest first."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(
            unit,
            book_files.files_query(),
            book_files.FILES_BY,
            after=asked.after,
            limit=asked.limit,
        )
    return page(BookFileShown, found, asked, lambda row: BookFileShown(**_shown(row)))


@router.get("/{file_id}", summary="Read a book file", responses=NOT_FOUND)
async def get_book_file(file_id: IdInPath, caller: ByKey) -> BookFileDetailShown:
    """One file: its totals, what is left out and why, and how far the loading is."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        file = await book_file(unit, file_id)
        rows = await troubled_rows(unit, file.id)
    return BookFileDetailShown(**_shown(file), troubled=_rows(rows))


@router.post(
    "",
    status_code=201,
    summary="Load a book file",
    responses={
        200: {"description": "A dry run: nothing was kept.", "model": BookFileDetailShown},
        **CONFLICT,
    },
)
async def post_book_file(
    given: BookFileGiven, caller: ByKey, response: Response
) -> BookFileDetailShown:
    """Check every row and keep the book until two people at the desk let it in.

    The first one stands behind it, as if he had loaded it; another one releases it.

    The same files twice are a conflict. At most 8 MB; larger books go through the desk.
    """
    files = [GivenFile(one.name, one.content.encode()) for one in given.files]
    expected = Expected(given.borrowers, given.loans, _owed(given))
    if given.dry_run:
        made = await try_book(caller.house, caller.now, caller.lender_id, files, expected)
    else:
        made = await load_book(
            caller.house,
            caller.now,
            caller.lender_id,
            files,
            expected,
            actor=caller.actor,
            key_id=caller.key_id,
        )
    if made.file_id is not None:
        response.headers["Location"] = f"/v1/book-files/{made.file_id}"
        return await get_book_file(made.file_id, caller)
    response.status_code = 200
    left_out = [
        BookFileRow(row.sheet, row.number, row.verdict.value, row.message)
        for row in made.rows
        if not row.usable
    ]
    return BookFileDetailShown(
        id=None,
        name=", ".join(one.name for one in files)[:200],
        state="tried",
        made_by=caller.actor,
        made_at=caller.now,
        released_by=None,
        released_at=None,
        ended_at=None,
        **_totals(made.totals),
        troubled=_rows(left_out[: book_files.ROWS_SHOWN]),
    )


def _owed(given: BookFileGiven) -> dict[str, int]:
    sums: dict[str, int] = {}
    for place, one in enumerate(given.owed):
        if one.currency in sums:
            raise Invalid(
                f"owed[{place}].currency", "is named twice.", mend="Give each currency one total."
            )
        sums[one.currency] = Money.parse(
            one.amount, one.currency, field=f"owed[{place}].amount"
        ).minor
    return sums


def _rows(rows: Sequence[BookFileRow]) -> list[BookRowShown]:
    return [BookRowShown.model_validate(row) for row in rows]


def _shown(file: BookFile | Any) -> dict[str, Any]:
    names = ("id", "name", "state", "made_by", "made_at", "released_by", "released_at", "ended_at")
    return {name: getattr(file, name) for name in names} | _totals(file.totals)


def _totals(totals: Mapping[str, Any]) -> dict[str, Any]:
    """What the check found, as it is shown; a file from elsewhere may have said less."""
    owed = totals.get("sums", {}).get("owed", {})
    return {
        "rows": totals.get("rows", 0),
        "left_out": totals.get("left_out", 0),
        "verdicts": totals.get("verdicts", {}),
        "owed": [money(minor, currency) for currency, minor in sorted(owed.items())],
        "differences": [
            DifferenceShown(what=what, expected=expected, found=found)
            for what, expected, found in totals.get("differences", [])
        ],
        "unknown_columns": _columns(totals.get("unknown_columns", {})),
    }


def _columns(found: Mapping[str, Sequence[str]]) -> list[str]:
    """Names with their sheet: "loans: branch"."""
    return [f"{sheet}: {name}" for sheet, names in found.items() for name in names]
