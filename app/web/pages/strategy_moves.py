"""Trying a version on the live book, proposing it, and moving running cases to it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Conflict, Invalid
from app.domain.roles import Act
from app.flows.strategies.move_cases import MOST_AT_ONCE, Selection, move_cases
from app.flows.strategies.preview_strategy import MOST_CASES, preview_strategy
from app.flows.strategies.publish_strategy import propose_version
from app.reports.case_moves import moves_to
from app.reports.strategies import products_of, strategy_lines
from app.store.strategy_editions import version_of
from app.web.desk import back_to, brakes_in_force, desk_page
from app.web.forms import read_uuid
from app.web.pages.strategies import HERE, show_version
from app.web.seats import Seat, needs
from app.web.site import site_of
from app.web.strategy_form import place_words
from app.web.typed import read_whole

router = APIRouter()


@router.get("/strategies/versions/{version_id}/preview")
async def preview(
    request: Request,
    version_id: str,
    seat: Annotated[Seat, Depends(needs(Act.SEE_STRATEGIES))],
) -> Response:
    """What would happen today if every case of the selection were under this version."""
    return await _preview(request, seat, read_uuid(version_id), moving=False)


@router.get("/strategies/versions/{version_id}/move")
async def ask_to_move(
    request: Request,
    version_id: str,
    seat: Annotated[Seat, Depends(needs(Act.MOVE_CASES))],
) -> Response:
    """The same for the cases that are not under it yet, with the button that moves them."""
    return await _preview(request, seat, read_uuid(version_id), moving=True)


def _selection(under: str, product: str) -> Selection:
    """Under which strategy, of which product; empty means any."""
    return Selection(read_uuid(under) if under else None, product[:200])


async def _preview(
    request: Request, seat: Seat, version_id: UUID, *, moving: bool, trouble: str = ""
) -> Response:
    site = site_of(request)
    asked = seat.posted if seat.form is not None else None
    under = asked.text("under") if asked else request.query_params.get("under", "")
    product = asked.text("product") if asked else request.query_params.get("product", "")
    selection = _selection(under, product)
    after = request.query_params.get("after", "")
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        row = await version_of(unit, version_id)
        lines = await strategy_lines(unit)
        products = await products_of(unit)
        moves = await moves_to(unit, version_id) if moving else ()
    found = await preview_strategy(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        version_id=version_id,
        selection=selection,
        behind_only=moving,
        after=read_uuid(after) if after else None,
    )
    return desk_page(
        site,
        request,
        seat,
        "desk/strategy_preview.html",
        banners=banners,
        here=HERE,
        version=row,
        found=found,
        lines=lines,
        products=products,
        under=under,
        product=product,
        moving=moving,
        moves=moves,
        later=bool(after),
        most=MOST_CASES,
        at_once=MOST_AT_ONCE,
        left=request.query_params.get("left", ""),
        kept=request.query_params.get("kept", ""),
        compared=request.query_params.get("compared", ""),
        trouble=trouble,
    )


@router.post("/strategies/versions/{version_id}/move")
async def move(
    request: Request,
    version_id: str,
    seat: Annotated[Seat, Depends(needs(Act.MOVE_CASES))],
) -> Response:
    """Move what the page showed."""
    site, form = site_of(request), seat.posted
    target = read_uuid(version_id)
    under, product = form.text("under"), form.text("product")
    try:
        done = await move_cases(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            version_id=target,
            selection=_selection(under, product),
            reason=form.text("reason", longest=500),
            actor=seat.actor,
            seen=read_whole(form, "seen", longest=9),
            with_care=form.ticked("with_care"),
        )
    except (Invalid, Conflict) as error:
        return await _preview(request, seat, target, moving=True, trouble=error.message)
    told = {
        "under": under,
        "product": product,
        **({"left": str(done.left)} if done.left else {}),
        **({"kept": str(done.kept)} if done.kept else {}),
        **({"compared": str(done.compared)} if done.compared else {}),
    }
    return back_to(f"/strategies/versions/{target}/move", "moved", **told)


@router.post("/strategies/versions/{version_id}/propose")
async def propose(
    request: Request,
    version_id: str,
    seat: Annotated[Seat, Depends(needs(Act.WRITE_STRATEGY))],
) -> Response:
    """Put a version before a second person."""
    site, target = site_of(request), read_uuid(version_id)
    try:
        await propose_version(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            version_id=target,
            reason=seat.posted.text("reason", longest=1000),
            user_id=seat.user_id,
            actor=seat.actor,
        )
    except Invalid as error:
        return await show_version(
            request, seat, target, f"Not proposed. {place_words(error.field)}: {error.said}"
        )
    return back_to(f"/strategies/versions/{target}", "proposed")
