"""Agencies: who they are and what came in, and cases placed with them and taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Conflict, IllegalTransition, Invalid, NotFound, Refused
from app.domain.forbearance import Forbearance
from app.domain.placement import LARGEST_COMMISSION, AgencyTerms, PlacementState, agency_terms
from app.domain.roles import Act, may
from app.flows.cases.propose_placement import MOST_AT_ONCE, PlacementWanted, propose_placements
from app.flows.cases.recall_case import recall_case
from app.flows.cases.write_agency import write_agency
from app.reports.placing import PlacementLine, agency_lines, chosen_cases, placement_lines
from app.web import approval_words
from app.web.desk import back_to, brakes_in_force, desk_page
from app.web.forms import Form, read_uuid
from app.web.seats import Seat, local_path, needs
from app.web.site import site_of
from app.web.typed import read_share, share_text
from app.web.words import Mark

router = APIRouter()

STATES: Final = {
    PlacementState.PLACED: Mark("With the agency", "note"),
    PlacementState.RECALLED: Mark("Taken back"),
    PlacementState.ENDED: Mark("Over", "good"),
}


# ------------------------------------------------------------------ agencies


@router.get("/agencies")
async def agencies(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_AGENCIES))]
) -> Response:
    """Every agency with what it has, what came in and its share, and the placements."""
    return await _agencies(request, seat)


async def _agencies(request: Request, seat: Seat, trouble: str = "", status: int = 200) -> Response:
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        lines = await agency_lines(unit)
        # An admin writes agencies down, and does not see whom they ask.
        placed: tuple[PlacementLine, ...] = ()
        last = None
        if may(seat.role, Act.SEE_CASE):
            after = _read_key(request.query_params.get("after", ""))
            placed, last = await placement_lines(unit, after=after)
    return desk_page(
        site,
        request,
        seat,
        "desk/agencies.html",
        banners=banners,
        here="/agencies",
        status=status,
        agencies=lines,
        placements=placed,
        states=STATES,
        after="" if last is None else f"{last[0].isoformat()}~{last[1]}",
        largest=LARGEST_COMMISSION // 100,
        percent=share_text,
        trouble=trouble,
    )


def _read_key(text: str) -> tuple[datetime, UUID] | None:
    at, _, row_id = text.partition("~")
    try:
        return datetime.fromisoformat(at), UUID(row_id)
    except ValueError:
        return None


def _terms(form: Form, *, active: bool) -> AgencyTerms:
    return agency_terms(
        form.text("name"),
        form.text("contact", longest=500),
        read_share(form, "commission"),
        active=active,
    )


@router.post("/agencies/add")
async def add(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.WRITE_AGENCY))]
) -> Response:
    """Write a new agency down."""
    return await _write(request, seat, None)


@router.post("/agencies/{agency_id}/change")
async def change(
    request: Request, agency_id: str, seat: Annotated[Seat, Depends(needs(Act.WRITE_AGENCY))]
) -> Response:
    """New terms of a known one; what is placed stays as it was agreed."""
    return await _write(request, seat, read_uuid(agency_id))


async def _write(request: Request, seat: Seat, agency_id: UUID | None) -> Response:
    site = site_of(request)
    try:
        await write_agency(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            terms=_terms(seat.posted, active=agency_id is None or seat.posted.ticked("active")),
            user_id=seat.user_id,
            actor=seat.actor,
            agency_id=agency_id,
        )
    except (Invalid, Conflict) as error:
        return await _agencies(request, seat, error.message, error.status)
    return back_to("/agencies", "agency")


# ------------------------------------------------------------------ placing and taking back


@router.get("/placements/propose")
async def place(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.PROPOSE_RELIEF))]
) -> Response:
    """The chosen cases (`case`, repeated), what forbids each, and the form for the rest."""
    return await _place(request, seat, _ids(request.query_params.getlist("case")))


def _ids(texts: Sequence[str]) -> list[UUID]:
    return [read_uuid(text) for text in texts[:MOST_AT_ONCE]]


async def _place(
    request: Request, seat: Seat, case_ids: list[UUID], trouble: str = "", status: int = 200
) -> Response:
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        chosen = await chosen_cases(unit, site.now(), case_ids)
        lines = await agency_lines(unit)
    if not chosen:
        raise NotFound("Choose at least one case.")
    return desk_page(
        site,
        request,
        seat,
        "desk/place.html",
        banners=banners,
        here="/cases",
        status=status,
        chosen=chosen,
        free=[one for one in chosen if not one.why_not and one.waits is None],
        agencies=[one for one in lines if one.active],
        percent=share_text,
        measures=list(Forbearance),
        said=approval_words,
        trouble=trouble,
    )


@router.post("/placements/propose")
async def propose(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.PROPOSE_RELIEF))]
) -> Response:
    """Propose each of the cases; the page that follows says of each what became of it."""
    site, form = site_of(request), seat.posted
    case_ids = _ids(form.every("case"))
    try:
        agency = form.text("agency")
        if not agency:
            raise Invalid("agency", "is missing.", mend="Choose one.")
        await propose_placements(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            case_ids=case_ids,
            user_id=seat.user_id,
            actor=seat.actor,
            wanted=PlacementWanted(
                read_uuid(agency),
                form.text("reason", longest=1000),
                form.every("option"),
                form.text("why_not", longest=2000),
            ),
        )
    except Refused as refused:
        if refused.status in (403, 404):
            raise
        return await _place(request, seat, case_ids, refused.message, refused.status)
    query = "&".join(f"case={case_id}" for case_id in case_ids)
    return back_to(f"/placements/propose?{query}&done=proposed")


@router.post("/placements/{placement_id}/recall")
async def recall(
    request: Request, placement_id: str, seat: Annotated[Seat, Depends(needs(Act.RECALL_CASE))]
) -> Response:
    """Take a case back from its agency."""
    site, form = site_of(request), seat.posted
    try:
        await recall_case(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            placement_id=read_uuid(placement_id),
            reason=form.text("reason", longest=500),
            user_id=seat.user_id,
            actor=seat.actor,
        )
    except (Invalid, IllegalTransition) as error:
        return await _agencies(request, seat, error.message, error.status)
    back = local_path(form.text("back", longest=200))
    return back_to(back if back != "/" else "/agencies", "recalled")
