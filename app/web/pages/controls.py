"""The lender's brakes: stop switches, observe-only mode, the protected floor; and who set them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Invalid
from app.domain.money import Money
from app.domain.roles import Act
from app.flows.lenders.set_observe_only import set_observe_only
from app.flows.lenders.stop_switch import set_switch
from app.flows.signals.lower_floor import lower_floor
from app.reference.formats import read_amount
from app.reports.book import lender_of, switches
from app.store import audit
from app.store.brakes import Brake
from app.web.desk import back_to, brakes_in_force, desk_page
from app.web.seats import Seat, needs
from app.web.site import site_of

router = APIRouter()


@router.get("/controls")
async def controls(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_CONTROLS))]
) -> Response:
    """Every brake, how it stands, and the latest changes with their reasons."""
    return await _controls(request, seat)


async def _controls(request: Request, seat: Seat, trouble: str = "") -> Response:
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        lender = await lender_of(unit)
        thrown = await switches(unit)
        changes = await audit.latest(unit)
    pack = site.house.packs.of(lender.jurisdiction)
    own_floor = None
    if lender.floor_minor is not None:
        own_floor = Money(lender.floor_minor, lender.floor_currency)
    return desk_page(
        site,
        request,
        seat,
        "desk/controls.html",
        banners=banners,
        here="/controls",
        lender=lender,
        brakes=[Brake.ALL, *(brake for brake in Brake if brake is not Brake.ALL)],
        thrown=thrown,
        changes=changes,
        pack=pack,
        own_floor=own_floor,
        trouble=trouble,
    )


@router.post("/controls/halt")
async def halt(request: Request, seat: Annotated[Seat, Depends(needs(Act.HALT))]) -> Response:
    """Throw one stop switch."""
    return await _switch(request, seat, halted=True)


@router.post("/controls/go-on")
async def go_on(request: Request, seat: Annotated[Seat, Depends(needs(Act.LET_GO_ON))]) -> Response:
    """Release one stop switch."""
    return await _switch(request, seat, halted=False)


async def _switch(request: Request, seat: Seat, *, halted: bool) -> Response:
    site, form = site_of(request), seat.posted
    wanted = form.text("brake")
    if wanted not in {brake.value for brake in Brake}:
        raise Invalid("brake", "is not a stop switch.", mend="Use the switches on the page.")
    try:
        await set_switch(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            brake=Brake(wanted),
            halted=halted,
            reason=form.text("reason", longest=500),
            actor=seat.actor,
        )
    except Invalid as error:
        return await _controls(request, seat, error.message)
    return back_to("/controls", "halted" if halted else "going")


@router.post("/controls/observe-only")
async def observe_only(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SET_OBSERVE_ONLY))]
) -> Response:
    """Send nothing from now on."""
    return await _observe(request, seat, on=True)


@router.post("/controls/send")
async def send(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.LEAVE_OBSERVE_ONLY))]
) -> Response:
    """Send from now on."""
    return await _observe(request, seat, on=False)


async def _observe(request: Request, seat: Seat, *, on: bool) -> Response:
    site, form = site_of(request), seat.posted
    try:
        await set_observe_only(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            on=on,
            reason=form.text("reason", longest=500),
            actor=seat.actor,
        )
    except Invalid as error:
        return await _controls(request, seat, error.message)
    return back_to("/controls", "observing" if on else "sending")


@router.post("/controls/floor")
async def floor(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.LOWER_FLOOR))]
) -> Response:
    """Replace the protected floor of the jurisdiction, or go back to it (an empty field)."""
    site, form = site_of(request), seat.posted
    typed = form.text("amount")
    try:
        amount = read_amount(typed, form.text("currency")) if typed else None
        await lower_floor(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            floor=amount,
            reason=form.text("reason", longest=500),
            actor=seat.actor,
            user_id=seat.user_id,
        )
    except Invalid as error:
        return await _controls(request, seat, error.message)
    return back_to("/controls", "floor")
