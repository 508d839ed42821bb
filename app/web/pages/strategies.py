"""Strategies: who uses which, what a version does, and how one comes into force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.edition import EditionState
from app.domain.errors import Invalid, NotFound
from app.domain.roles import Act
from app.domain.stages import parse_body
from app.domain.strategy_diff import differences
from app.flows.strategies.check_strategy import findings_of
from app.flows.strategies.choose_strategy import (
    ChoiceScope,
    ChoiceSeen,
    choose_strategy,
    look_at_choice,
)
from app.flows.strategies.write_strategy import begin_draft, begin_strategy, bring_up_to_date
from app.reports.segments import segment_lines
from app.reports.strategies import (
    choices,
    products_of,
    running_cases,
    strategy_lines,
    versions_of,
)
from app.store.strategy_editions import published_version, version_of
from app.web.desk import back_to, brakes_in_force, desk_page
from app.web.forms import read_uuid
from app.web.seats import Seat, needs
from app.web.site import site_of
from app.web.strategy_form import place_words
from app.web.strategy_picture import WIDTH, picture_of

router = APIRouter()

HERE: Final = "/strategies"


@router.get("/strategies")
async def listed(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_STRATEGIES))]
) -> Response:
    """Every strategy, what is chosen for new cases, and the segments."""
    return await _listed(request, seat)


async def _listed(
    request: Request,
    seat: Seat,
    trouble: str = "",
    *,
    seen: ChoiceSeen | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    """The page; `seen` is what a choice that was `typed` would change, to be confirmed."""
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        lines = await strategy_lines(unit)
        chosen = await choices(unit)
        products = await products_of(unit)
        segments = await segment_lines(unit)
    return desk_page(
        site,
        request,
        seat,
        "desk/strategies.html",
        banners=banners,
        here=HERE,
        lines=lines,
        chosen=chosen,
        products=products,
        scopes=list(ChoiceScope),
        segments=segments,
        seen=seen,
        typed=typed,
        trouble=trouble,
    )


@router.get("/strategies/{strategy_id}")
async def strategy(
    request: Request,
    strategy_id: str,
    seat: Annotated[Seat, Depends(needs(Act.SEE_STRATEGIES))],
) -> Response:
    """The latest version that matters: the one in force, else the newest."""
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        versions = await versions_of(unit, read_uuid(strategy_id))
    in_force = [one for one in versions if one.state == EditionState.PUBLISHED.value]
    newest = next(iter([*in_force, *versions]), None)
    if newest is None:
        raise NotFound("There is no such strategy.")
    return back_to(f"/strategies/versions/{newest.id}", request.query_params.get("done", ""))


@router.get("/strategies/versions/{version_id}")
async def version(
    request: Request,
    version_id: str,
    seat: Annotated[Seat, Depends(needs(Act.SEE_STRATEGIES))],
) -> Response:
    """One version: drawn, in words, against the one in force, and what is wrong with it."""
    return await show_version(request, seat, read_uuid(version_id))


async def show_version(
    request: Request, seat: Seat, version_id: UUID, trouble: str = "", **more: Any
) -> Response:
    """The page of one version; `trouble` when something it asked for was refused."""
    site = site_of(request)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        row = await version_of(unit, version_id)
        body = parse_body(row.body)
        in_force = await published_version(unit, row.strategy_id)
        findings = await findings_of(unit, site.house, body)
        versions = await versions_of(unit, row.strategy_id)
        running = await running_cases(unit)
    against = in_force if in_force is not None and in_force.id != row.id else None
    number = 0 if in_force is None else in_force.number
    stale = row.state == EditionState.DRAFT.value and row.published_at is None
    return desk_page(
        site,
        request,
        seat,
        "desk/strategy.html",
        banners=banners,
        here=HERE,
        version=row,
        body=body,
        picture=picture_of(body),
        width=WIDTH,
        findings=[(place_words(one.field), one.words, one.blocks) for one in findings],
        blocked=any(one.blocks for one in findings),
        against=against,
        changes=() if against is None else differences(parse_body(against.body), body),
        stale=stale and number != row.based_on,
        in_force=in_force,
        versions=versions,
        running=running,
        trouble=trouble,
        **more,
    )


@router.post("/strategies/versions/{version_id}/draft")
async def draft(
    request: Request,
    version_id: str,
    seat: Annotated[Seat, Depends(needs(Act.WRITE_STRATEGY))],
) -> Response:
    """Begin a new draft from this version."""
    site = site_of(request)
    made = await begin_draft(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        source_id=read_uuid(version_id),
        actor=seat.actor,
    )
    return back_to(f"/strategies/versions/{made.version_id}/edit", "draft")


@router.post("/strategies/versions/{version_id}/begin")
async def begin(
    request: Request,
    version_id: str,
    seat: Annotated[Seat, Depends(needs(Act.WRITE_STRATEGY))],
) -> Response:
    """Begin a new strategy from this version."""
    site = site_of(request)
    source_id = read_uuid(version_id)
    try:
        made = await begin_strategy(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            name=seat.posted.text("name"),
            source_id=source_id,
            actor=seat.actor,
        )
    except Invalid as error:
        return await show_version(request, seat, source_id, error.message)
    return back_to(f"/strategies/versions/{made.version_id}/edit", "draft")


@router.post("/strategies/versions/{version_id}/compare")
async def compare(
    request: Request,
    version_id: str,
    seat: Annotated[Seat, Depends(needs(Act.WRITE_STRATEGY))],
) -> Response:
    """The differences to the version in force were looked at: the draft stands against that one."""
    site = site_of(request)
    await bring_up_to_date(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        version_id=read_uuid(version_id),
        actor=seat.actor,
    )
    return back_to(f"/strategies/versions/{read_uuid(version_id)}", "compared")


@router.post("/strategies/choose")
async def choose(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.MOVE_CASES))]
) -> Response:
    """Choose the strategy of new cases for one loan, borrower, product, or all."""
    site, form = site_of(request), seat.posted
    scope, chosen = form.text("scope"), form.text("strategy")
    target = form.text("product") if scope == ChoiceScope.PRODUCT.value else form.text("target")
    if scope not in {one.value for one in ChoiceScope}:
        return await _listed(request, seat, "Say for which cases.")
    what: dict[str, Any] = {
        "lender_id": seat.lender_id,
        "scope": ChoiceScope(scope),
        "target": target,
        "strategy_id": read_uuid(chosen) if chosen else None,
    }
    reason = form.text("reason", longest=500)
    try:
        wide = scope == ChoiceScope.PRODUCT.value or (scope == ChoiceScope.LENDER.value and chosen)
        if wide and reason:
            # So much is chosen by one person: he has looked at what becomes different.
            seen = await look_at_choice(site.house, **what)
            if form.text("seen") != seen.mark:
                typed = {"scope": scope, "product": target, "strategy": chosen, "reason": reason}
                return await _listed(request, seat, seen=seen, typed=typed)
        await choose_strategy(site.house, site.now(), reason=reason, actor=seat.actor, **what)
    except Invalid as error:
        return await _listed(request, seat, error.message)
    return back_to(HERE, "chosen")
