"""Performance: what came of what entered collections, how late the rest is, the cases behind."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Invalid, NotFound
from app.domain.performance import (
    AFTER,
    AFTER_CONTACT,
    LEAST_COVERED,
    USUAL_DAYS,
    Overdue,
    Recovery,
)
from app.domain.roles import Act
from app.reports.case_list import cases_among
from app.reports.performance_csv import performers_csv, recovery_csv
from app.reports.performers import Kind, name_of, performers
from app.reports.performers import cases_behind as cases_of
from app.reports.recovery import Cohort, Which, cases_behind, cohorts, days_overdue
from app.web.desk import brakes_in_force, desk_page
from app.web.forms import read_uuid
from app.web.performer_words import performers_shown
from app.web.period import EARLIEST, Asked, read_period
from app.web.seats import Seat, needs
from app.web.shares import ShareShown, percent
from app.web.site import site_of

router = APIRouter()

HERE: Final = "/performance"
_PEOPLE: Final = "/performance/people"
_BEHIND: Final = {
    Which.ENTERED: "Cases that opened",
    Which.WHOLE: "Cases of which all had come {days} days after they opened",
    Which.SHORT: "Cases of which something was missing {days} days after they opened",
}

_OF_PEOPLE: Final = {
    Which.ENTERED: "Cases whose first {days} days are over",
    Which.WHOLE: "Cases of which all came within {days} days",
    Which.SHORT: "Cases of which something was missing after {days} days",
}


@router.get("/performance")
async def page(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_REPORTS))]
) -> Response:
    """What came of what entered in a period, as known at the end of a day."""
    site = site_of(request)
    asked = read_period(request, site, seat)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        found = await cohorts(unit, asked.period)
        overdue = await days_overdue(unit, asked.period.as_of)
    return desk_page(
        site,
        request,
        seat,
        "desk/performance.html",
        banners=banners,
        here=HERE,
        trouble=asked.trouble,
        asked=asked,
        earliest=EARLIEST,
        after=AFTER,
        currencies=_by_currency(found.lines),
        unknown=found.unknown,
        overdue=overdue,
        days=days_shown,
        recovery=recovery_shown,
    )


@router.get("/performance/people")
async def people(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_REPORTS))]
) -> Response:
    """How people and agencies do, over the same days."""
    site = site_of(request)
    asked = read_period(request, site, seat)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        collectors = await performers(unit, asked.period, Kind.COLLECTOR)
        agencies = await performers(unit, asked.period, Kind.AGENCY)
    return desk_page(
        site,
        request,
        seat,
        "desk/performance_people.html",
        banners=banners,
        here=HERE,
        trouble=asked.trouble,
        asked=asked,
        earliest=EARLIEST,
        groups=(
            ("collectors", "People", performers_shown(collectors)),
            ("agencies", "Agencies", performers_shown(agencies)),
        ),
        person_days=USUAL_DAYS,
        wait=AFTER_CONTACT.days,
        least=round(LEAST_COVERED * 100),
    )


@router.get("/performance.csv")
async def as_csv(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_REPORTS))]
) -> Response:
    """The recovery by month, as a spreadsheet reads it."""
    site = site_of(request)
    asked = _sure(request, seat)
    async with site.house.store.unit(seat.lender_id) as unit:
        found = await cohorts(unit, asked.period)
    return csv_answer(recovery_csv(found, asked.period), f"recovery-{asked.period.as_of}.csv")


@router.get("/performance/people.csv")
async def people_as_csv(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_REPORTS))]
) -> Response:
    """How people and agencies do, as a spreadsheet reads it."""
    site = site_of(request)
    asked = _sure(request, seat)
    async with site.house.store.unit(seat.lender_id) as unit:
        found = {kind: await performers(unit, asked.period, kind) for kind in Kind}
    return csv_answer(performers_csv(found, asked.period), f"performance-{asked.period.as_of}.csv")


@router.get("/performance/collectors/{user_id}/cases")
async def of_collector(
    request: Request,
    user_id: str,
    seat: Annotated[Seat, Depends(needs(Act.SEE_REPORTS))],
) -> Response:
    """The cases that count for one person."""
    return await _cases_of(request, seat, Kind.COLLECTOR, read_uuid(user_id))


@router.get("/performance/agencies/{agency_id}/cases")
async def of_agency(
    request: Request,
    agency_id: str,
    seat: Annotated[Seat, Depends(needs(Act.SEE_REPORTS))],
) -> Response:
    """The cases that count for one agency."""
    return await _cases_of(request, seat, Kind.AGENCY, read_uuid(agency_id))


async def _cases_of(request: Request, seat: Seat, kind: Kind, who: UUID) -> Response:
    site, query = site_of(request), request.query_params
    asked = _sure(request, seat)
    which = _which(request)
    ids = cases_of(which, asked.period, kind, who)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        name = await name_of(unit, kind, who)
        if name is None:
            raise NotFound("There is no such person or agency.")
        found = await cases_among(unit, site.now(), ids, after=query.get("page"))
    return desk_page(
        site,
        request,
        seat,
        "desk/cases_behind.html",
        banners=banners,
        here=HERE,
        found=found,
        title=_OF_PEOPLE[which].format(days=USUAL_DAYS),
        about=name,
        way=((f"{_PEOPLE}?{asked.query()}", "People and agencies"),),
        back=f"{_PEOPLE}?{asked.query()}",
        older=asked.query(which=which.value, page=found.after),
    )


@router.get("/performance/cases")
async def behind(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_REPORTS))]
) -> Response:
    """The cases behind one of the numbers of the recovery."""
    site, query = site_of(request), request.query_params
    asked = _sure(request, seat)
    which, typed = _which(request), query.get("after", "")
    days = int(typed) if typed in map(str, AFTER) else AFTER[0]
    currency, month = query.get("currency", ""), read_month(query.get("month", ""))
    if not re.fullmatch(r"[A-Z]{3}", currency, re.ASCII):
        raise Invalid("currency", "is none.", mend="Choose a number on the page Performance.")
    ids = cases_behind(which, asked.period, currency=currency, month=month, days=days)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        found = await cases_among(unit, site.now(), ids, after=query.get("page"))
    opened = month.strftime("%B %Y") if month else "the whole period"
    return desk_page(
        site,
        request,
        seat,
        "desk/cases_behind.html",
        banners=banners,
        here=HERE,
        found=found,
        title=_BEHIND[which].format(days=days),
        about=f"Opened in {opened}, in {currency}",
        way=((f"{HERE}?{asked.query()}", "Performance"),),
        back=f"{HERE}?{asked.query()}",
        older=asked.query(
            which=which.value, after=days, currency=currency, month=month or "", page=found.after
        ),
    )


def _which(request: Request) -> Which:
    wanted = request.query_params.get("which", "")
    return Which(wanted) if wanted in set(Which) else Which.ENTERED


def _sure(request: Request, seat: Seat) -> Asked:
    asked = read_period(request, site_of(request), seat)
    if asked.trouble:
        raise Invalid("since", asked.trouble, mend="Choose other days.")
    return asked


def read_month(text: str) -> date | None:
    """A month by its first day; None for the whole period, and for whatever is no day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def csv_answer(text: str, name: str) -> Response:
    """A file to be saved under this name."""
    return Response(
        text,
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def _by_currency(lines: tuple[Cohort, ...]) -> dict[str, list[Cohort]]:
    found: dict[str, list[Cohort]] = {}
    for line in lines:
        found.setdefault(line.currency, []).append(line)
    return found


def recovery_shown(one: Recovery) -> ShareShown:
    """The rate with its interval; of few cases the numbers alone."""
    counts = f"{one.cases} case{'' if one.cases == 1 else 's'}"
    if one.small:
        return ShareShown(counts)
    low, high = one.interval
    return ShareShown(counts, percent(one.rate), f"{percent(low)} to {percent(high)}")


def days_shown(one: Overdue) -> tuple[str, str]:
    """Average days overdue: weighed by what is owed, and every loan alike."""
    return f"{one.by_money:.1f}", f"{one.by_loan:.1f}"
