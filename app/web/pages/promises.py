"""Promises to pay: the board of all of them, and taking or cancelling one on a case."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Conflict, IllegalTransition, Invalid
from app.domain.promise_terms import PromiseSource
from app.domain.roles import Act
from app.flows.work.cancel_promise import cancel_promise
from app.flows.work.take_promise import take_promise
from app.reports.promise_book import AT_MOST, Column, currency_of_case, promise_board
from app.web.desk import back_to, brakes_in_force, desk_page, zone_of_seat
from app.web.forms import read_uuid
from app.web.pages.cases import case_page
from app.web.seats import Seat, needs
from app.web.site import site_of
from app.web.typed import read_parts

router = APIRouter()

_COLUMNS: Final = {
    Column.TODAY: "Due today",
    Column.LATE: "In grace",
    Column.OPEN: "Open",
    Column.BROKEN: "Broken",
    Column.PART: "Part",
    Column.KEPT: "Kept",
    Column.CANCELLED: "Cancelled",
}


@router.get("/promises")
async def promises(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_CASE))]
) -> Response:
    """The promise board: one column at a time, with the counts of all."""
    site, now, zone = site_of(request), site_of(request).now(), zone_of_seat(seat)
    wanted = request.query_params.get("state", "")
    column = Column(wanted) if wanted in set(Column) else Column.TODAY
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        board = await promise_board(unit, now, column=column, zone=zone)
    return desk_page(
        site,
        request,
        seat,
        "desk/promises.html",
        banners=banners,
        here="/promises",
        board=board,
        column=column,
        columns=_COLUMNS,
        more=board.counts[column] > AT_MOST,
        today=now.astimezone(zone).date(),
    )


@router.post("/cases/{case_id}/promise")
async def take(
    request: Request, case_id: str, seat: Annotated[Seat, Depends(needs(Act.TAKE_PROMISE))]
) -> Response:
    """Write down what the borrower promised, in one part or several."""
    site, form, wanted = site_of(request), seat.posted, read_uuid(case_id)
    try:
        async with site.house.store.unit(seat.lender_id) as unit:
            currency = await currency_of_case(unit, wanted)
        parts = read_parts(form, currency)
        await take_promise(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            case_id=wanted,
            parts=parts,
            source=PromiseSource.DESK,
            made_by=seat.actor,
            note=form.text("note", longest=500),
        )
    except (Invalid, Conflict) as error:
        return await case_page(request, case_id, seat, error.message, error.status)
    return back_to(f"/cases/{wanted}", "promised")


@router.post("/cases/{case_id}/promises/{promise_id}/cancel")
async def cancel(
    request: Request,
    case_id: str,
    promise_id: str,
    seat: Annotated[Seat, Depends(needs(Act.TAKE_PROMISE))],
) -> Response:
    """End an open promise without a verdict, with a reason."""
    site, wanted = site_of(request), read_uuid(case_id)
    try:
        await cancel_promise(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            promise_id=read_uuid(promise_id),
            reason=seat.posted.text("reason", longest=500),
            actor=seat.actor,
        )
    except (Invalid, IllegalTransition) as error:
        return await case_page(request, case_id, seat, error.message, error.status)
    return back_to(f"/cases/{wanted}", "unpromised")
