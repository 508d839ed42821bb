"""Cases: the list, one case with everything about it, and the brakes on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.hold import BY_HAND, HoldBlock
from app.domain.message import Channel
from app.domain.money import Money
from app.domain.reminder import ReminderCondition
from app.domain.roles import Act
from app.flows.messages.opt_out import opt_out
from app.reference.formats import plain_amount
from app.reports.case_file import case_file
from app.reports.case_list import find_cases
from app.reports.hold_book import hold_book
from app.reports.loan_story import loan_story
from app.reports.next_step import strategy_line
from app.reports.placing import placement_of_case
from app.reports.segments import flags_of
from app.reports.treatment import suggestion_of
from app.web.banks import bank_name
from app.web.case_work import (
    KEYS,
    OF_CONTACTS,
    OTHERS,
    is_call,
    promised_steps,
    work_of_case,
)
from app.web.codes import link_code
from app.web.desk import back_to, brakes_in_force, desk_page, zone_of_seat
from app.web.forms import read_uuid
from app.web.next_words import next_steps, stage_words
from app.web.pages.board import shown_task
from app.web.seats import Seat, needs
from app.web.site import site_of
from app.web.story import Told
from app.web.story_repeats import tell_all
from app.web.treatment_words import suggestion_shown
from app.web.typed import PARTS, one_of

router = APIRouter()

_FURTHEST_HOLD: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class MissedEntry:
    """A new number or address that was not taken: as typed, and what is wrong with which field."""

    phone: str
    email: str
    source: str
    field: str
    said: str


@router.get("/cases")
async def cases(request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_CASE))]) -> Response:
    """Open cases, oldest due first; or the person or loan that was searched for."""
    site = site_of(request)
    wanted = request.query_params.get("find", "").strip()[:100]
    closed = request.query_params.get("closed") == "1"
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        found = await find_cases(
            unit, site.now(), wanted=wanted, closed=closed, after=request.query_params.get("after")
        )
    return desk_page(
        site,
        request,
        seat,
        "desk/cases.html",
        banners=banners,
        here="/cases",
        found=found,
        wanted=wanted,
        closed=closed,
    )


@router.get("/cases/{case_id}")
async def case(
    request: Request, case_id: str, seat: Annotated[Seat, Depends(needs(Act.SEE_CASE))]
) -> Response:
    """One case: the debt, what happens next, what can be done, and how it came to this."""
    return await case_page(request, case_id, seat)


async def case_page(
    request: Request,
    case_id: str,
    seat: Seat,
    trouble: str = "",
    status: int = 200,
    missed: MissedEntry | None = None,
) -> Response:
    """The page of a case, also after a form on it that could not be carried out."""
    site = await site_of(request).of(seat.lender_id)
    now, zone = site.now(), zone_of_seat(seat)
    margin = timedelta(minutes=site.settings.read_window_margin_minutes)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        file = await case_file(
            unit,
            now,
            read_uuid(case_id),
            margin=margin,
            before=request.query_params.get("before", ""),
        )
        strategy = await strategy_line(unit, now, file.id)
        holds = await hold_book(unit, now, borrower_id=file.person.id, case_id=file.id)
        story_of_loan = await loan_story(unit, file.id, site.settings.buckets, now)
        at_work = request.query_params.get("at_work") == "1"
        work = await work_of_case(unit, site, seat, file, now, zone, at_work=at_work)
        suggestion = await suggestion_of(unit, now, file.id)
        flags = await flags_of(unit, file.id)
        placement = await placement_of_case(unit, file.id)
    story = tell_all(file.entries, zone)
    windows = {
        (line.borrower_id, line.about_case): work.window
        for line in file.tasks
        if is_call(line.reason)
    }
    return desk_page(
        site,
        request,
        seat,
        "desk/case.html",
        banners=banners,
        here="/cases",
        status=status,
        file=file,
        his_zone=ZoneInfo(file.person.time_zone),
        next_steps=[
            *promised_steps(work.promises, now.astimezone(zone).date()),
            *next_steps(file, strategy, now, zone),
        ],
        stage=stage_words(strategy),
        tasks=[shown_task(site, line, now, zone, windows) for line in file.tasks],
        work=work,
        keys=KEYS,
        other_outcomes=OTHERS,
        contact_outcomes=OF_CONTACTS,
        reminder_events=list(ReminderCondition),
        part_numbers=PARTS,
        plain_amount=plain_amount,
        is_call=is_call,
        holds=holds,
        story=story_of_loan,
        suggestion=suggestion_shown(suggestion),
        flags=flags,
        placement=placement,
        hold_kinds=BY_HAND,
        blocks=list(HoldBlock),
        days=by_day(story, zone),
        bank_name=lambda bank_id: bank_name(site.house, bank_id),
        link_code=link_code,
        trouble=trouble,
        missed=missed,
        today=now.astimezone(zone).date(),
        latest=now.astimezone(zone).date() + _FURTHEST_HOLD,
        payment_amount=lambda row: Money(row.amount_minor, row.currency),
    )


def by_day(story: Sequence[Told], zone: ZoneInfo) -> list[tuple[date, list[Told]]]:
    """The timeline under its days, newest first, in the desk's time zone."""
    days: list[tuple[date, list[Told]]] = []
    for told in story:
        on = told.at.astimezone(zone).date()
        if not days or days[-1][0] != on:
            days.append((on, []))
        days[-1][1].append(told)
    return days


# ------------------------------------------------------------------ brakes on a case


@router.post("/cases/{case_id}/stop-messages")
async def stop_messages(
    request: Request, case_id: str, seat: Annotated[Seat, Depends(needs(Act.SET_HOLD))]
) -> Response:
    """The borrower asked on the phone to be left alone on a channel: an opt-out like his own."""
    site, wanted = site_of(request), read_uuid(case_id)
    channel = one_of(seat.posted, "channel", set(Channel), mend="Choose what to stop.")
    async with site.house.store.unit(seat.lender_id) as unit:
        file = await case_file(unit, site.now(), wanted, margin=timedelta(0))
        await opt_out(
            unit,
            site.now(),
            borrower_id=file.person.id,
            channel=channel,
            source="desk",
            actor=seat.actor,
        )
    return back_to(f"/cases/{wanted}", "stopped")
