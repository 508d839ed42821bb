"""One move of running cases: what became of it, and the button that takes it back."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Invalid
from app.domain.roles import Act
from app.flows.strategies.take_back_move import Stayed, take_back_move
from app.reports.case_moves import AT_MOST, move_of, stayed_cases
from app.store.strategy_editions import version_of
from app.web.desk import back_to, brakes_in_force, desk_page
from app.web.forms import read_uuid
from app.web.pages.strategies import HERE
from app.web.seats import Seat, needs
from app.web.site import site_of

router = APIRouter()

_STAYED: Final = {
    Stayed.CLOSED: "It is closed",
    Stayed.MOVED_SINCE: "It was put under another strategy since",
    Stayed.COMPARED: "A running experiment measures it",
    Stayed.HAD_NONE: "It was under no strategy before",
}


@router.get("/strategies/moves/{move_id}")
async def show(
    request: Request, move_id: str, seat: Annotated[Seat, Depends(needs(Act.SEE_STRATEGIES))]
) -> Response:
    """How many cases it moved, how many are back, and which could not be moved back."""
    return await _show(request, seat, read_uuid(move_id))


async def _show(request: Request, seat: Seat, move_id: UUID, trouble: str = "") -> Response:
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        move = await move_of(unit, move_id)
        version = await version_of(unit, move.version_id)
        stayed = await stayed_cases(unit, move_id)
    return desk_page(
        site,
        request,
        seat,
        "desk/case_move.html",
        banners=banners,
        here=HERE,
        move=move,
        version=version,
        stayed=stayed,
        more=len(stayed) == AT_MOST,
        reasons=_STAYED,
        trouble=trouble,
    )


@router.post("/strategies/moves/{move_id}/back")
async def take_back(
    request: Request, move_id: str, seat: Annotated[Seat, Depends(needs(Act.MOVE_CASES))]
) -> Response:
    """Move back exactly those that have not moved since."""
    site, wanted = site_of(request), read_uuid(move_id)
    try:
        await take_back_move(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            move_id=wanted,
            reason=seat.posted.text("reason", longest=500),
            actor=seat.actor,
        )
    except Invalid as error:
        return await _show(request, seat, wanted, error.message)
    return back_to(f"/strategies/moves/{wanted}", "moved_back")
