"""Book files: load a living book, lay its totals beside one's own, release it, see the result."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.book import COLUMNS, BookKind
from app.domain.book_totals import read_expected
from app.domain.bulk_file import BulkState
from app.domain.errors import Conflict, IllegalTransition, Invalid, NotAllowed
from app.domain.money import Money
from app.domain.roles import Act
from app.flows.books.load_book import GivenFile, load_book
from app.flows.books.release_book import drop_book, release_book, stand_behind_book
from app.reference.sheets import LARGEST_FILE
from app.reports.book_files import BookFile, book_file, book_files, result_list, troubled_rows
from app.web.desk import back_to, brakes_in_force, desk_page
from app.web.forms import read_uuid
from app.web.seats import Seat, needs
from app.web.site import site_of
from app.web.words import Mark

router = APIRouter()

STATES: Final = {
    BulkState.CHECKED.value: Mark("Waits for release", "warn"),
    BulkState.RELEASED.value: Mark("Being loaded", "note"),
    BulkState.DONE.value: Mark("Loaded", "good"),
    BulkState.DROPPED.value: Mark("Dropped", ""),
}
VERDICTS: Final = {
    "will_do": "Will be loaded",
    "done": "Loaded",
    "duplicate": "A repeat",
    "invalid": "Cannot be read",
    "not_found": "Belongs to nobody",
    "refused": "Left out",
}
SUMS: Final = {
    "scheduled": "Scheduled in all",
    "owed": "Unpaid",
    "overdue": "Of that overdue",
    "repaid": "Repayments listed",
}


@router.get("/book")
async def books(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_BOOK_FILES))]
) -> Response:
    """Every file, newest first; and, for those who may, the form to load one."""
    return await _books(request, seat)


async def _books(
    request: Request, seat: Seat, trouble: str = "", typed: dict[str, str] | None = None
) -> Response:
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        found = await book_files(unit)
    return desk_page(
        site,
        request,
        seat,
        "desk/books.html",
        banners=banners,
        here="/book",
        files=found,
        states=STATES,
        kinds={kind.value: COLUMNS[kind] for kind in BookKind},
        largest=LARGEST_FILE // 1024 // 1024,
        trouble=trouble,
        typed=typed or {"borrowers": "", "loans": "", "owed": ""},
    )


@router.post("/book/load")
async def load(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.LOAD_BOOK, with_files=True))]
) -> Response:
    """Check the uploaded files and keep them until somebody else releases them."""
    site, form = site_of(request), seat.posted
    typed: dict[str, str] = {}
    try:
        typed = {name: form.text(name, longest=500) for name in ("borrowers", "loans", "owed")}
        given = [
            GivenFile(name, content) for name, content in form.files("files", largest=LARGEST_FILE)
        ]
        made = await load_book(
            site.house,
            site.now(),
            seat.lender_id,
            given,
            read_expected(**typed),
            actor=seat.actor,
            user_id=seat.user_id,
        )
    except (Invalid, Conflict) as error:
        return await _books(request, seat, error.message, typed or None)
    return back_to(f"/book/{made.file_id}", "loaded")


@router.get("/book/{file_id}")
async def one_book(
    request: Request, file_id: str, seat: Annotated[Seat, Depends(needs(Act.SEE_BOOK_FILES))]
) -> Response:
    """Totals, verdicts, what is left out and why, and how far the loading is."""
    return await _one(request, seat, file_id)


async def _one(request: Request, seat: Seat, file_id: str, trouble: str = "") -> Response:
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        file = await book_file(unit, read_uuid(file_id))
        rows = await troubled_rows(unit, file.id)
    totals = file.totals
    return desk_page(
        site,
        request,
        seat,
        "desk/book.html",
        banners=banners,
        here="/book",
        file=file,
        state=STATES[file.state],
        verdicts=VERDICTS,
        by_kind=_by_kind(file),
        sums=[
            (words, Money(minor, currency))
            for name, words in SUMS.items()
            for currency, minor in sorted(totals["sums"].get(name, {}).items())
        ],
        rows=rows,
        stated=any(totals["expected"].values()),
        own=seat.user_id == file.maker_id,
        nobody=file.key_id is not None and file.maker_id is None,
        trouble=trouble,
    )


def _by_kind(file: BookFile) -> list[tuple[str, int, int, int]]:
    """Rows that will be loaded, repeats, and rows left out, for each kind, as they were checked."""
    found = []
    for kind in BookKind:
        counts = file.totals["verdicts"].get(kind.value)
        if counts:
            usable, repeats = counts.get("will_do", 0), counts.get("duplicate", 0)
            others = sum(counts.values()) - usable - repeats
            found.append((kind.value.replace("_", " ").capitalize(), usable, repeats, others))
    return found


@router.post("/book/{file_id}/release")
async def release(
    request: Request, file_id: str, seat: Annotated[Seat, Depends(needs(Act.RELEASE_BOOK))]
) -> Response:
    """Let a checked file in."""
    site = site_of(request)
    try:
        await release_book(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            file_id=read_uuid(file_id),
            user_id=seat.user_id,
            actor=seat.actor,
            leave_out=seat.posted.ticked("leave_out"),
        )
    except (Conflict, IllegalTransition, NotAllowed) as error:
        return await _one(request, seat, file_id, error.message)
    return back_to(f"/book/{file_id}", "let-in")


@router.post("/book/{file_id}/stand-behind")
async def stand_behind(
    request: Request, file_id: str, seat: Annotated[Seat, Depends(needs(Act.LOAD_BOOK))]
) -> Response:
    """Answer for a file that a system loaded."""
    site = site_of(request)
    try:
        await stand_behind_book(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            file_id=read_uuid(file_id),
            user_id=seat.user_id,
            actor=seat.actor,
        )
    except Conflict as error:
        return await _one(request, seat, file_id, error.message)
    return back_to(f"/book/{file_id}", "endorsed")


@router.post("/book/{file_id}/drop")
async def drop(
    request: Request, file_id: str, seat: Annotated[Seat, Depends(needs(Act.LOAD_BOOK))]
) -> Response:
    """Throw a checked file away."""
    site = site_of(request)
    try:
        await drop_book(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            file_id=read_uuid(file_id),
            actor=seat.actor,
        )
    except IllegalTransition as error:
        return await _one(request, seat, file_id, error.message)
    return back_to("/book", "dropped")


@router.get("/book/{file_id}/result.csv")
async def result(
    request: Request, file_id: str, seat: Annotated[Seat, Depends(needs(Act.SEE_BOOK_FILES))]
) -> Response:
    """Every row with what became of it, in the order of the file."""
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        listed = await result_list(unit, read_uuid(file_id))
    return Response(
        listed,
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": 'attachment; filename="book-result.csv"'},
    )
