"""Segments: the rules, what they do to the live book, and changing one by two people."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.case_facts import FIELDS
from app.domain.conditions import OP_WORDS
from app.domain.edition import EditionState
from app.domain.errors import Invalid, NotFound
from app.domain.flag_results import HORIZONS
from app.domain.roles import Act
from app.domain.segments import Segment
from app.flows.strategies.publish_segment import propose_segment
from app.reports.case_list import cases_among
from app.reports.flag_results import Which, cases_behind, flag_results
from app.reports.segments import SegmentLine, book_coverage, segment_lines
from app.reports.strategies import strategy_lines
from app.web.desk import back_to, brakes_in_force, desk_page, zone_of_seat
from app.web.flag_words import BEHIND, TOGETHER, read_horizon, rules_shown
from app.web.forms import read_uuid
from app.web.pages.strategies import HERE
from app.web.seats import Seat, needs
from app.web.segment_form import (
    EMPTY,
    TypedSegment,
    read_segment_form,
    segment_from,
    typed_segment,
)
from app.web.site import site_of

router = APIRouter()

_EVERY: Final = tuple(EditionState)


@router.get("/segments")
async def listed(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_STRATEGIES))]
) -> Response:
    """Rules in the order in which they are asked, with overlaps and gaps over the live book."""
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        lines = await segment_lines(unit)
        others = await segment_lines(
            unit, states=(EditionState.PROPOSED, EditionState.DRAFT, EditionState.RETIRED)
        )
        found, cut = await book_coverage(unit, site.now())
        results = await flag_results(unit, site.now(), read_horizon(request))
    titles = {line.segment.name: line.segment.title for line in lines}
    return desk_page(
        site,
        request,
        seat,
        "desk/segments.html",
        banners=banners,
        here=HERE,
        lines=lines,
        others=others,
        found=found,
        cut=cut,
        titles=titles,
        results=rules_shown(results, (*lines, *others), zone_of_seat(seat)),
        horizon=results.horizon_days,
        horizons=HORIZONS,
    )


@router.get("/segments/new")
async def new(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.WRITE_STRATEGY))]
) -> Response:
    """An empty form."""
    return await _form(request, seat, None, EMPTY)


@router.get("/segments/{segment_id}")
async def one(
    request: Request,
    segment_id: str,
    seat: Annotated[Seat, Depends(needs(Act.SEE_STRATEGIES))],
) -> Response:
    """One rule in words, and the form to change it for whoever may."""
    line = await _line(request, seat, read_uuid(segment_id))
    return await _form(request, seat, line, typed_segment(line.segment))


@router.get("/segments/{segment_id}/cases")
async def behind(
    request: Request,
    segment_id: str,
    seat: Annotated[Seat, Depends(needs(Act.SEE_STRATEGIES))],
) -> Response:
    """The cases behind one of the numbers that say how well a rule does, or all together."""
    site, days = site_of(request), read_horizon(request)
    asked = request.query_params.get("which", "")
    which = Which(asked) if asked in set(Which) else Which.BAD
    line = None if segment_id == TOGETHER else await _line(request, seat, read_uuid(segment_id))
    ids = cases_behind(which, line.id if line else None, site.now(), days)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        found = await cases_among(unit, site.now(), ids, after=request.query_params.get("after"))
    return desk_page(
        site,
        request,
        seat,
        "desk/cases_behind.html",
        banners=banners,
        here=HERE,
        found=found,
        title=BEHIND[which].format(days=days),
        about=f"{line.segment.title}, edition {line.number}" if line else "All rules together",
        way=(("/strategies", "Strategies"), ("/segments", "Segments")),
        back=f"/segments?horizon={days}#results",
        older=urlencode({"which": which.value, "horizon": days, "after": found.after}),
    )


async def _line(request: Request, seat: Seat, segment_id: UUID) -> SegmentLine:
    async with site_of(request).house.store.unit(seat.lender_id) as unit:
        lines = await segment_lines(unit, states=_EVERY)
    found = next((line for line in lines if line.id == segment_id), None)
    if found is None:
        raise NotFound("There is no such rule.")
    return found


async def _form(
    request: Request,
    seat: Seat,
    line: SegmentLine | None,
    typed: TypedSegment,
    trouble: str = "",
    **more: Any,
) -> Response:
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        strategies = [one.name for one in await strategy_lines(unit) if one.in_force]
    return desk_page(
        site,
        request,
        seat,
        "desk/segment.html",
        banners=banners,
        here=HERE,
        line=line,
        typed=typed,
        fields=FIELDS.values(),
        ops=OP_WORDS,
        strategies=strategies,
        trouble=trouble,
        tried=more.get("tried"),
    )


@router.post("/segments/propose")
async def propose(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.WRITE_STRATEGY))]
) -> Response:
    """Put a rule as it stands in the form before a second person."""
    typed = read_segment_form(seat.posted)
    try:
        await _propose(request, seat, segment_from(typed))
    except Invalid as error:
        return await _form(request, seat, None, typed, error.message)
    return back_to("/segments", "proposed")


@router.post("/segments/{segment_id}/remove")
async def remove(
    request: Request,
    segment_id: str,
    seat: Annotated[Seat, Depends(needs(Act.WRITE_STRATEGY))],
) -> Response:
    """Propose to take a rule out of force."""
    line = await _line(request, seat, read_uuid(segment_id))
    try:
        await _propose(request, seat, line.segment, removed=True)
    except Invalid as error:
        return await _form(request, seat, line, typed_segment(line.segment), error.message)
    return back_to("/segments", "proposed")


async def _propose(
    request: Request, seat: Seat, segment: Segment, *, removed: bool = False
) -> None:
    site = site_of(request)
    await propose_segment(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        segment=segment,
        removed=removed,
        reason=seat.posted.text("reason", longest=1000),
        user_id=seat.user_id,
        actor=seat.actor,
    )


@router.post("/segments/try")
async def attempt(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.WRITE_STRATEGY))]
) -> Response:
    """Ask the live book with this rule among the others; nothing is written."""
    site = site_of(request)
    typed = read_segment_form(seat.posted)
    try:
        wanted = segment_from(typed)
    except Invalid as error:
        return await _form(request, seat, None, typed, error.message)
    async with site.house.store.unit(seat.lender_id) as unit:
        others = [line.segment for line in await segment_lines(unit)]
        rules = (*(one for one in others if one.name != wanted.name), wanted)
        found, cut = await book_coverage(unit, site.now(), instead=rules)
    return await _form(request, seat, None, typed, tried=(found, cut, wanted.name))
