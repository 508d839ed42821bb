"""What was ordered and not done: one's own, and for leads everybody's, down to the cases."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Invalid, NotAllowed
from app.domain.roles import Act, may
from app.domain.undone import Ordered
from app.reports.undone import AT_MOST, undone_lines, undone_summaries
from app.web.desk import brakes_in_force, desk_page
from app.web.forms import read_uuid
from app.web.seats import Seat, needs
from app.web.site import site_of
from app.web.undone_words import ORDERS, why_in_words

router = APIRouter()

HERE = "/undone"
NOBODY = "nobody"


@router.get("/undone")
async def overview(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.WORK_TASK))]
) -> Response:
    """One line for each person and order; a collector sees his own."""
    site, leads = site_of(request), may(seat.role, Act.GIVE_WORK)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        found = await undone_summaries(unit, site.now(), of=None if leads else seat.user_id)
    return desk_page(
        site,
        request,
        seat,
        "desk/undone.html",
        banners=banners,
        here=HERE,
        summaries=found,
        leads=leads,
        orders=ORDERS,
        why_in_words=why_in_words,
        nobody=NOBODY,
    )


@router.get("/undone/cases")
async def lines(request: Request, seat: Annotated[Seat, Depends(needs(Act.WORK_TASK))]) -> Response:
    """The cases behind one number. Those of others are a lead's to see."""
    site, asked = site_of(request), request.query_params
    whose = asked.get("whose", "") or str(seat.user_id)
    if whose != str(seat.user_id) and not may(seat.role, Act.GIVE_WORK):
        raise NotAllowed("You see what was ordered for your own cases.", code="RoleMissing")
    act, why = _order(asked.get("order", "")), asked.get("why", "")[:100]
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        found = await undone_lines(unit, site.now(), of=_person(whose), act=act, why=why)
    return desk_page(
        site,
        request,
        seat,
        "desk/undone_cases.html",
        banners=banners,
        here=HERE,
        lines=found,
        more=len(found) == AT_MOST,
        order=ORDERS[act],
        why=why_in_words(why) if why else "",
        why_in_words=why_in_words,
    )


def _person(whose: str) -> UUID | None:
    return None if whose == NOBODY else read_uuid(whose)


def _order(text: str) -> Ordered:
    if text not in set(Ordered):
        raise Invalid("order", "is none of these.", mend="Choose one on the page before.")
    return Ordered(text)
