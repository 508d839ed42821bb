"""Who gets what: which work needs a skill, who has it, when he works, and who is away."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.assignment import Rules
from app.domain.desk_profile import DAYS, USUAL_CAP, Profile, hours_text, make_profile, make_rules
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import UserId
from app.domain.money import Money
from app.domain.roles import Act
from app.flows.work.note_absence import call_off_absence, note_absence
from app.flows.work.set_assignment import set_profile, set_rules
from app.reference.formats import plain_amount, read_amount
from app.reports.assignment import DeskPerson, currencies_of, desk_people, leaves
from app.reports.strategies import products_of
from app.store.desk_team import RuleBook, rule_book
from app.web import assignment_words
from app.web.desk import back_to, brakes_in_force, desk_page, zone_of_seat
from app.web.forms import Form, read_uuid
from app.web.seats import Seat, needs
from app.web.site import site_of
from app.web.typed import read_day, read_whole

router = APIRouter()

HERE = "/assignment"


@router.get("/assignment")
async def overview(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_ASSIGNMENT))]
) -> Response:
    """The rules, the people with their skills and hours, and the leaves of this moment."""
    return await _overview(request, seat)


async def _overview(request: Request, seat: Seat, trouble: str = "", status: int = 200) -> Response:
    site, now = site_of(request), site_of(request).now()
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        book = await rule_book(unit)
        people = await desk_people(unit, now)
        away = await leaves(unit, now)
        products = await products_of(unit)
        currencies = await currencies_of(unit)
    typed = _typed_rules(seat.form) if seat.form is not None else None
    typed = typed or _noted_rules(book)
    return desk_page(
        site,
        request,
        seat,
        "desk/assignment.html",
        banners=banners,
        here=HERE,
        status=status,
        active=book is not None and book.active,
        typed=typed,
        bounds={
            one: typed["bounds"].get(one, "") for one in sorted({*currencies, *typed["bounds"]})
        },
        products=sorted({*products, *typed["products"]}),
        kinds=assignment_words.KINDS,
        languages=assignment_words.LANGUAGES,
        people=people,
        leaves=away,
        today=now.astimezone(zone_of_seat(seat)).date(),
        skills_in_words=assignment_words.skills_in_words,
        hours_in_words=assignment_words.hours_in_words,
        trouble=trouble,
    )


def _noted_rules(book: RuleBook | None) -> dict[str, Any]:
    rules = Rules() if book is None else book.rules
    return {
        "active": book is not None and book.active,
        "languages": rules.languages,
        "products": rules.products,
        "kinds": rules.kinds,
        "bounds": {one.currency: plain_amount(one, "en") for one in rules.large_from},
    }


def _typed_rules(form: Form) -> dict[str, Any] | None:
    """What was sent just now; None when another form of the page was."""
    if not form.text("of_rules"):
        return None
    return {
        "active": form.ticked("active"),
        "languages": form.every("languages"),
        "products": form.every("products"),
        "kinds": form.every("kinds"),
        "bounds": {one: form.text(f"large_{one}") for one in form.every("currencies")},
    }


@router.post("/assignment/rules")
async def rules(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SET_ASSIGNMENT))]
) -> Response:
    """Say which work needs a skill, and whether tasks are given by that."""
    site, form = site_of(request), seat.posted
    try:
        await set_rules(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            active=form.ticked("active"),
            rules=make_rules(
                languages=form.every("languages"),
                products=form.every("products"),
                kinds=form.every("kinds"),
                large_from=_bounds(form),
            ),
            actor=seat.actor,
        )
    except Invalid as error:
        return await _overview(request, seat, error.message, error.status)
    return back_to(HERE, "rules_set")


def _bounds(form: Form) -> list[Money]:
    """The amounts typed beside the currencies that the page names."""
    found = []
    for currency in form.every("currencies"):
        typed = form.text(f"large_{currency}", longest=20)
        if typed:
            found.append(read_amount(typed, currency))
    return found


# ------------------------------------------------------------------ one person


@router.get("/assignment/people/{user_id}")
async def person(
    request: Request,
    user_id: str,
    seat: Annotated[Seat, Depends(needs(Act.SEE_ASSIGNMENT))],
) -> Response:
    """What somebody can do, when he works, and how much at most."""
    return await _person(request, seat, read_uuid(user_id))


async def _person(
    request: Request, seat: Seat, user_id: UUID, trouble: str = "", status: int = 200
) -> Response:
    site, now = site_of(request), site_of(request).now()
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        found = next((one for one in await desk_people(unit, now) if one.work.id == user_id), None)
        products = await products_of(unit)
    if found is None:
        raise NotFound("There is no such person who works tasks.")
    return desk_page(
        site,
        request,
        seat,
        "desk/assignment_person.html",
        banners=banners,
        here=HERE,
        status=status,
        person=found,
        typed=_typed(found, seat),
        products=sorted({*products, *(found.profile.skills.products if found.profile else ())}),
        kinds=assignment_words.KINDS,
        languages=assignment_words.LANGUAGES,
        days=DAYS,
        trouble=trouble,
    )


def _typed(found: DeskPerson, seat: Seat) -> dict[str, Any]:
    """What stands in the form: what was sent just now, what is noted, or what is usual."""
    if seat.form is not None:
        form = seat.form
        return {
            "languages": form.every("languages"),
            "products": form.every("products"),
            "kinds": form.every("kinds"),
            "large": form.ticked("large"),
            "time_zone": form.text("time_zone"),
            "hours": _hours(form),
            "cap": form.text("cap", longest=6),
        }
    profile = found.profile
    if profile is None:
        zone = seat.session.lender_zone
        week = ("09:00-17:00",) * 5 + ("", "")
        return {
            "languages": (), "products": (), "kinds": (), "large": False, "time_zone": zone,
            "hours": week, "cap": USUAL_CAP,
        }  # fmt: skip
    return {
        "languages": profile.skills.languages,
        "products": profile.skills.products,
        "kinds": profile.skills.kinds,
        "large": profile.skills.large,
        "time_zone": profile.time_zone,
        "hours": [hours_text(day) for day in profile.hours],
        "cap": profile.cap,
    }


@router.post("/assignment/people/{user_id}")
async def note_person(
    request: Request,
    user_id: str,
    seat: Annotated[Seat, Depends(needs(Act.SET_ASSIGNMENT))],
) -> Response:
    """Note what somebody can do, when he works, and how much at most."""
    site, wanted = site_of(request), read_uuid(user_id)
    try:
        await set_profile(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            user_id=UserId(wanted),
            profile=_profile(seat.posted),
            actor=seat.actor,
        )
    except Invalid as error:
        return await _person(request, seat, wanted, error.message, error.status)
    return back_to(HERE, "profile_set")


def _profile(form: Form) -> Profile:
    return make_profile(
        languages=form.every("languages"),
        products=form.every("products"),
        kinds=form.every("kinds"),
        large=form.ticked("large"),
        time_zone=form.text("time_zone"),
        hours=_hours(form),
        cap=read_whole(form, "cap"),
    )


def _hours(form: Form) -> list[str]:
    return [form.text(f"hours_{number}", longest=60) for number in range(len(DAYS))]


# ------------------------------------------------------------------ leave


@router.post("/assignment/leave")
async def leave(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SET_ASSIGNMENT))]
) -> Response:
    """Note days on which somebody does not work."""
    site, form = site_of(request), seat.posted
    try:
        await note_absence(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            user_id=UserId(read_uuid(form.text("person") or _nobody())),
            starts_on=read_day(form, "starts_on"),
            until_on=read_day(form, "until_on"),
            actor=seat.actor,
        )
    except (Invalid, Conflict) as error:
        return await _overview(request, seat, error.message, error.status)
    return back_to(HERE, "away")


def _nobody() -> str:
    raise Invalid("person", "is missing.", mend="Say who is away.")


@router.post("/assignment/leave/{absence_id}/call-off")
async def call_off(
    request: Request,
    absence_id: str,
    seat: Annotated[Seat, Depends(needs(Act.SET_ASSIGNMENT))],
) -> Response:
    """He works on these days after all."""
    site = site_of(request)
    await call_off_absence(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        absence_id=read_uuid(absence_id),
        actor=seat.actor,
    )
    return back_to(HERE, "not_away")
