"""Rules of contact: what each country demands, and the lender's own, stricter ones beside it."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.approval import ApprovalKind
from app.domain.edition import EditionState
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.jurisdiction import Pack
from app.domain.pack_edition import NOTHING, Edition, orphans, read_edition
from app.domain.roles import Act
from app.flows.strategies.preview_rules import Preview, preview_rules
from app.flows.strategies.write_pack_edition import propose_pack_edition, slug, write_pack_edition
from app.store.approvals import waiting
from app.store.pack_editions import countries_of, edition_of, editions_of, published_editions
from app.web.desk import back_to, brakes_in_force, desk_page
from app.web.forms import read_uuid
from app.web.rules_form import lines_of, read_rules, typed_of
from app.web.seats import Seat, needs
from app.web.site import Site, site_of
from app.web.words import Mark

router = APIRouter()

HERE: Final = "/rules"
STATES: Final = {
    EditionState.DRAFT.value: Mark("Draft"),
    EditionState.PROPOSED.value: Mark("Waits for compliance", "warn"),
    EditionState.PUBLISHED.value: Mark("In force", "good"),
    EditionState.RETIRED.value: Mark("Retired"),
}


def _pack(site: Site, place: str) -> Pack:
    packs = site.house.packs
    pack = packs.elsewhere if place == "elsewhere" else packs.packs.get(place.upper())
    if pack is None:
        raise NotFound("There is no such country here.")
    return pack


@router.get("/rules")
async def rules(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_STRATEGIES))]
) -> Response:
    """Every pack, those of the lender's borrowers first, with its own edition in force."""
    site = site_of(request)
    packs = site.house.packs
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        people: dict[str, int] = {}
        for country, count in (await countries_of(unit)).items():
            key = packs.of(country).country
            people[key] = people.get(key, 0) + count
        force = await published_editions(unit)
    listed = sorted(
        (*packs.packs.values(), packs.elsewhere),
        key=lambda pack: (-people.get(pack.country, 0), pack.name),
    )
    return desk_page(
        site,
        request,
        seat,
        "desk/rules.html",
        banners=banners,
        here=HERE,
        packs=listed,
        people=people,
        force=force,
        slug=slug,
    )


@router.get("/rules/{place}")
async def country(
    request: Request, place: str, seat: Annotated[Seat, Depends(needs(Act.SEE_STRATEGIES))]
) -> Response:
    """One country: its rules, one edition beside them (`edition`), and what it would block."""
    return await _country(request, seat, _pack(site_of(request), place))


async def _country(
    request: Request,
    seat: Seat,
    pack: Pack,
    trouble: str = "",
    typed: dict[str, str] | None = None,
) -> Response:
    site = site_of(request)
    wanted = request.query_params.get("edition", "")
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        editions = await editions_of(unit, pack.country)
        picked = _picked(editions, read_uuid(wanted) if wanted else None)
        waits = None if picked is None else await waiting(unit, ApprovalKind.PACK, picked.id)
    shown = NOTHING if picked is None else read_edition(picked.body)
    preview = await _preview(site, seat, pack, picked, shown)
    return desk_page(
        site,
        request,
        seat,
        "desk/rules_country.html",
        banners=banners,
        here=HERE,
        pack=pack,
        place=slug(pack.country),
        editions=editions,
        picked=picked,
        waits=waits,
        shown=shown,
        lost=orphans(shown, pack),
        preview=preview,
        lines=lines_of(pack, shown, typed or {}),
        typed=typed or {},
        states=STATES,
        trouble=trouble,
    )


def _picked(editions: list[Any], wanted: UUID | None) -> Any:
    """The edition asked for; else the one in force; else none."""
    if wanted is not None:
        found = next((row for row in editions if row.id == wanted), None)
        if found is None:
            raise NotFound("There is no such edition.")
        return found
    published = (row for row in editions if row.state == EditionState.PUBLISHED.value)
    return next(published, None)


async def _preview(
    site: Site, seat: Seat, pack: Pack, picked: Any, shown: Edition
) -> Preview | None:
    if picked is None or picked.state == EditionState.PUBLISHED.value:
        return None
    return await preview_rules(
        site.house, site.now(), lender_id=seat.lender_id, pack=pack, edition=shown
    )


@router.post("/rules/{place}/write")
async def write(
    request: Request, place: str, seat: Annotated[Seat, Depends(needs(Act.WRITE_RULES))]
) -> Response:
    """Keep a draft of one's own rules; what would loosen the country's is refused by name."""
    site, form = site_of(request), seat.posted
    pack = _pack(site, place)
    try:
        edition_id = await write_pack_edition(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            pack=pack,
            edition=read_rules(form, pack),
            actor=seat.actor,
        )
    except (Invalid, Conflict) as error:
        return await _country(request, seat, pack, error.message, typed_of(form, pack))
    return back_to(f"{HERE}/{place}", "saved", edition=str(edition_id))


@router.post("/rules/editions/{edition_id}/propose")
async def propose(
    request: Request, edition_id: str, seat: Annotated[Seat, Depends(needs(Act.WRITE_RULES))]
) -> Response:
    """Ask for an edition to come into force, an older one too."""
    site = site_of(request)
    wanted = read_uuid(edition_id)
    async with site.house.store.unit(seat.lender_id) as unit:
        pack = site.house.packs.of((await edition_of(unit, wanted)).country)
    try:
        await propose_pack_edition(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            edition_id=wanted,
            reason=seat.posted.text("reason", longest=1000),
            user_id=seat.user_id,
            actor=seat.actor,
        )
    except (Invalid, Conflict) as error:
        return await _country(request, seat, pack, error.message)
    return back_to(f"{HERE}/{slug(pack.country)}", "proposed", edition=str(wanted))
