"""Banks and providers: who answers, since when not, what waits, and announced maintenance."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Invalid, NotFound
from app.domain.maintenance import rests_until
from app.domain.roles import Act
from app.flows.providers.bank_book import every_bank, rest_book
from app.flows.providers.set_maintenance import lift_maintenance, set_maintenance
from app.reports.health import health_report
from app.reports.own_systems import own_systems
from app.store.health import BankKey
from app.store.maintenance import rests_of_lender
from app.web.banks import bank_name
from app.web.desk import back_to, brakes_in_force, desk_page, zone_of_seat
from app.web.forms import Form, read_uuid
from app.web.health_words import HealthLine, health_line, provider_name
from app.web.seats import Seat, needs
from app.web.site import Site, site_of
from app.web.system_words import system_line
from app.web.typed import read_moment

router = APIRouter()


@router.get("/health")
async def health(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_HEALTH))]
) -> Response:
    """How every bank and provider answers that this lender has to do with."""
    return await _health(request, seat)


async def _health(request: Request, seat: Seat, trouble: str = "") -> Response:
    site = await site_of(request).of(seat.lender_id)
    now, zone = site.now(), zone_of_seat(seat)
    house = site.house
    async with house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        report = await health_report(unit, house, now)
        systems = await own_systems(unit, now)
        rests = await rest_book(unit, house, seat.lender_id, now)
        announced = await rests_of_lender(unit, now)
    lines: dict[bool, list[HealthLine]] = {True: [], False: []}
    for one in report:
        bank = bank_name(house, one.bank_id) if one.bank_id else ""
        rest = rests_until(rests.of(one.connector, one.bank_id), now) if one.bank_id else None
        lines[bool(bank)].append(health_line(one, bank, rest, now, zone))
    return desk_page(
        site,
        request,
        seat,
        "desk/health.html",
        banners=banners,
        here="/health",
        banks=lines[True],
        senders=lines[False],
        systems=[system_line(one, now, zone) for one in systems],
        down=sum(one.down for one in report),
        choices=_choices(site),
        weekly=_weekly(site),
        announced=[(one, _named(site, (one.connector, one.bank_id))) for one in announced],
        trouble=trouble,
    )


@router.post("/health/maintenance")
async def announce(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SET_MAINTENANCE))]
) -> Response:
    """Write down what a bank has announced."""
    site, form, zone = site_of(request), seat.posted, zone_of_seat(seat)
    try:
        connector, _, bank_id = form.text("bank", longest=200).partition("/")
        await set_maintenance(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            bank=(connector, bank_id),
            span=(_moment(form, "from", zone), _moment(form, "until", zone)),
            reason=form.text("reason", longest=500),
            actor=seat.actor,
        )
    except Invalid as error:
        return await _health(request, seat, error.message)
    return back_to("/health", "rests")


@router.post("/health/maintenance/{rest_id}/lift")
async def lift(
    request: Request, rest_id: str, seat: Annotated[Seat, Depends(needs(Act.SET_MAINTENANCE))]
) -> Response:
    """Take one back before its time."""
    site = site_of(request)
    wanted = read_uuid(rest_id)
    if wanted is None:
        raise NotFound("There is no such maintenance.")
    await lift_maintenance(
        site.house, site.now(), lender_id=seat.lender_id, rest_id=wanted, actor=seat.actor
    )
    return back_to("/health", "awake")


def _moment(form: Form, name: str, zone: ZoneInfo) -> datetime:
    at = read_moment(form, name, zone)
    if at is None:
        raise Invalid(name, "is missing.", mend="Say when it begins and when it ends.")
    return at


def _choices(site: Site) -> list[tuple[str, str]]:
    """Every bank that can be reached, then each provider as a whole; value and words."""
    house = site.house
    book = every_bank(house)
    banks = {
        f"{connector}/{bank_id}": f"{book.of(connector, bank_id).name} ({provider_name(connector)})"
        for connector, bank_id in book.reachable()
    }
    names = house.aggregations.keys() | house.payments.keys()
    whole = {f"{name}/": f"All banks through {provider_name(name)}" for name in names}
    return [*sorted(banks.items(), key=lambda one: one[1].casefold()), *sorted(whole.items())]


def _weekly(site: Site) -> list[tuple[str, str, str]]:
    """Hours of every week from the banks' profiles: bank, hours, zone."""
    return sorted(
        (bank.name, str(hours), bank.time_zone)
        for port in site.house.aggregations.values()
        for bank in port.banks()
        for hours in bank.maintenance
    )


def _named(site: Site, key: BankKey) -> str:
    connector, bank_id = key
    if not bank_id:
        return f"All banks through {provider_name(connector)}"
    return bank_name(site.house, bank_id)
