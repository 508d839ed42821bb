"""The desk's list of permissions, and stopping one because the borrower asked for it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.consent import CONSENT, ConsentState
from app.domain.roles import Act
from app.flows.consents.withdraw_consent import withdraw_consent
from app.reports.consent_list import consent_list
from app.web.banks import bank_name
from app.web.desk import back_to, brakes_in_force, desk_page
from app.web.forms import read_uuid
from app.web.seats import Seat, needs
from app.web.site import site_of

router = APIRouter()


@router.get("/consents")
async def consents(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_CONSENTS))]
) -> Response:
    """Permissions, newest first, of one state if wanted."""
    site = await site_of(request).of(seat.lender_id)
    wanted = request.query_params.get("state", "")
    state = ConsentState(wanted) if wanted in {one.value for one in ConsentState} else None
    after = request.query_params.get("after", "")
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        found = await consent_list(unit, state=state, after=_key(after))
    return desk_page(
        site,
        request,
        seat,
        "desk/consents.html",
        banners=banners,
        here="/consents",
        found=found,
        state=state,
        states=list(ConsentState),
        can_withdraw=lambda one: "withdraw" in CONSENT.events(one) and not CONSENT.is_final(one),
        bank_name=lambda bank_id: bank_name(site.house, bank_id),
    )


def _key(text: str) -> UUID | None:
    return read_uuid(text) if text else None


@router.post("/consents/{consent_id}/withdraw")
async def withdraw(
    request: Request,
    consent_id: str,
    seat: Annotated[Seat, Depends(needs(Act.WITHDRAW_CONSENT))],
) -> Response:
    """The borrower asked to stop the reading: from this moment there is none."""
    site = site_of(request)
    await withdraw_consent(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        consent_id=read_uuid(consent_id),
        via="api",
    )
    return back_to("/consents", "withdrawn")
