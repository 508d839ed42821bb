"""A lender's own providers: chosen, tried, set up, changed and taken away. Shows no secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.provider_setup import SetupState, Slot, removal_needs_second
from app.domain.roles import Act
from app.flows.providers.set_up_provider import (
    WantedSetup,
    offers_of,
    remove_provider,
    set_up_provider,
)
from app.reports.providers import ProviderLine, provider_lines
from app.side_ports import Offer
from app.store.provider_setups import AccessData
from app.web.desk import back_to, brakes_in_force, desk_page
from app.web.forms import read_uuid
from app.web.health_words import provider_name
from app.web.provider_form import (
    SLOTS,
    STATES,
    label_of,
    plain_values,
    read_fields,
    shown_fields,
)
from app.web.seats import Seat, needs
from app.web.site import Site, site_of

router = APIRouter()

HERE: Final = "/providers"


@router.get("/providers")
async def providers(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_PROVIDERS))]
) -> Response:
    """Who does which job: a provider of the lender's own, or the installation's."""
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        lines = await provider_lines(unit)
    return desk_page(
        site,
        request,
        seat,
        "desk/providers.html",
        banners=banners,
        here=HERE,
        slots=SLOTS,
        usual={slot: _usual(site, slot) for slot in Slot},
        lines={slot: [one for one in lines if one.slot is slot] for slot in Slot},
        in_force=_in_force,
        states=STATES,
        provider_name=provider_name,
    )


def _usual(site: Site, slot: Slot) -> str:
    """Who does it for lenders without their own."""
    settings = site.settings
    names = {
        Slot.AGGREGATION: (settings.aggregation_connector,),
        Slot.PAYMENTS: (settings.payment_connector,),
        Slot.MESSAGES: settings.text_routes.providers,
        Slot.EMAILS: (settings.email_connector,),
    }[slot]
    return ", ".join(provider_name(name) for name in names)


def _in_force(lines: list[ProviderLine]) -> ProviderLine | None:
    return next((one for one in lines if one.state is SetupState.IN_FORCE), None)


@router.get("/providers/{job}")
async def provider(
    request: Request, job: str, seat: Annotated[Seat, Depends(needs(Act.SEE_PROVIDERS))]
) -> Response:
    """One job; with `connector` or `change` the form of another contract, or of the one in use."""
    return await _one(request, seat, _slot(job))


def _slot(job: str) -> Slot:
    if job not in {slot.value for slot in Slot}:
        raise NotFound("There is no such job.")
    return Slot(job)


async def _one(
    request: Request,
    seat: Seat,
    slot: Slot,
    *,
    connector: str | None = None,
    same: bool | None = None,
    typed: Mapping[str, str] | None = None,
    wrong: Invalid | None = None,
    trouble: str = "",
) -> Response:
    """`wrong`: the setting that was not right, and why."""
    site = site_of(request)
    query = request.query_params
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        lines = await provider_lines(unit, slot)
    current = _in_force(list(lines))
    same = query.get("change") == "1" if same is None else same
    same = same and current is not None
    chosen = connector or query.get("connector", "")
    if same and current is not None:
        chosen = current.connector
    offers = offers_of(site.house, slot)
    offer = next((one for one in offers if one.connector == chosen), None)
    said = ("", "") if wrong is None else (wrong.field, _about(wrong))
    return desk_page(
        site,
        request,
        seat,
        "desk/provider.html",
        banners=banners,
        here=HERE,
        slot=slot,
        title=SLOTS[slot][0],
        what=SLOTS[slot][1],
        usual=_usual(site, slot),
        lines=lines,
        current=current,
        states=STATES,
        offers=offers,
        offer=offer if seat.may(Act.SET_UP_PROVIDER) else None,
        same=same,
        fields=[]
        if offer is None
        else shown_fields(offer, current if same else None, typed or {}, said),
        taken_by_two=removal_needs_second(slot),
        label_of=label_of,
        provider_name=provider_name,
        calls={one.connector: one.takes_calls for one in offers},
        hooks=f"{site.settings.public_url}/hooks/",
        typed=typed or {},
        trouble=trouble or _in_words(wrong),
    )


def _about(wrong: Invalid) -> str:
    return f"{wrong.said[:1].upper()}{wrong.said[1:]}"


def _in_words(wrong: Invalid | None) -> str:
    if wrong is None:
        return ""
    who = "The provider" if wrong.field == "provider" else label_of(wrong.field)
    return f"{who} {wrong.said} Nothing was kept."


@router.post("/providers/{job}/set-up")
async def set_up(
    request: Request,
    job: str,
    seat: Annotated[Seat, Depends(needs(Act.SET_UP_PROVIDER, with_files=True))],
) -> Response:
    """Try the access data at the provider; keep it, and propose its use, only when it works."""
    site, form, slot = site_of(request), seat.posted, _slot(job)
    connector, same = form.text("connector", longest=40), form.ticked("same")
    offer = _offer(site, slot, connector)
    typed, reason = AccessData(), form.text("reason", longest=1000)
    try:
        typed = read_fields(form, offer)
        await set_up_provider(
            site.house,
            site.now(),
            WantedSetup(slot, connector, typed, same, reason),
            lender_id=seat.lender_id,
            user_id=seat.user_id,
            actor=seat.actor,
        )
    except (Invalid, Conflict) as error:
        return await _one(
            request,
            seat,
            slot,
            connector=connector,
            same=same,
            typed={**plain_values(typed, offer), "reason": reason},
            wrong=error if isinstance(error, Invalid) else None,
            trouble="" if isinstance(error, Invalid) else error.message,
        )
    return back_to(f"{HERE}/{slot.value}", "provider_waits")


def _offer(site: Site, slot: Slot, connector: str) -> Offer:
    found = next((one for one in offers_of(site.house, slot) if one.connector == connector), None)
    if found is None:
        raise NotFound("There is no such provider for this job.")
    return found


@router.post("/providers/{setup_id}/remove")
async def remove(
    request: Request, setup_id: str, seat: Annotated[Seat, Depends(needs(Act.SET_UP_PROVIDER))]
) -> Response:
    """Take the one in use away: the installation's does the job again."""
    site, form = site_of(request), seat.posted
    slot = _slot(form.text("job", longest=40))
    try:
        proposal_id = await remove_provider(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            setup_id=read_uuid(setup_id),
            user_id=seat.user_id,
            actor=seat.actor,
            reason=form.text("reason", longest=1000),
        )
    except (Invalid, Conflict) as error:
        return await _one(request, seat, slot, trouble=error.message)
    done = "provider_gone" if proposal_id is None else "provider_going"
    return back_to(f"{HERE}/{slot.value}", done)
