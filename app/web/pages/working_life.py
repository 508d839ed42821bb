"""Working life at the desk: calls made elsewhere, own reminders, handing over, a leave."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Conflict, Invalid, NotAllowed
from app.domain.ids import UserId
from app.domain.message import Channel
from app.domain.reminder import ReminderCondition
from app.domain.roles import Act, may
from app.domain.task import TaskOutcome
from app.flows.work.hand_over import come_back, hand_over
from app.flows.work.keep_reminders import drop_reminder, set_reminder
from app.flows.work.record_contact import ContactMade, record_contact
from app.reports.workload import workloads
from app.web.case_work import OF_CONTACTS
from app.web.desk import back_to, brakes_in_force, desk_page, zone_of_seat
from app.web.forms import read_uuid
from app.web.pages.cases import case_page
from app.web.seats import Seat, needs
from app.web.site import site_of
from app.web.typed import one_of, read_day, read_moment, read_whole

router = APIRouter()


# ------------------------------------------------------------------ on a case


@router.post("/cases/{case_id}/contact")
async def contact(
    request: Request, case_id: str, seat: Annotated[Seat, Depends(needs(Act.NOTE_CONTACT))]
) -> Response:
    """Write down a contact that was made outside Saldo."""
    site, wanted = site_of(request), read_uuid(case_id)
    try:
        made = _contact_made(seat)
        await record_contact(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            case_id=wanted,
            made=made,
            user_id=seat.user_id,
            actor=seat.actor,
            placement_id=read_uuid(placed) if (placed := seat.posted.text("placement")) else None,
        )
    except (Invalid, Conflict) as error:
        return await case_page(request, case_id, seat, error.message, error.status)
    return back_to(f"/cases/{wanted}", "noted" if made.connected else "unheard")


def _contact_made(seat: Seat) -> ContactMade:
    form = seat.posted
    channels = {Channel.CALL.value, Channel.SMS.value, Channel.EMAIL.value}
    channel = one_of(form, "channel", channels, mend="Say how you were in touch.")
    ways = {"outbound", "inbound"}
    direction = one_of(form, "direction", ways, mend="Say who began it.")
    made_at = read_moment(form, "made_at", zone_of_seat(seat))
    if made_at is None:
        raise Invalid("made_at", "is missing.", mend="Say when it was.")
    outcomes = {"", *(one.value for one in OF_CONTACTS)}
    outcome = one_of(form, "outcome", outcomes, mend="Say what came of it, or nothing.")
    return ContactMade(
        channel=Channel(channel),
        outbound=direction == "outbound",
        made_at=made_at,
        conversation=form.ticked("conversation"),
        note=form.text("note", longest=2000),
        outcome=TaskOutcome(outcome) if outcome else None,
        asked_for=form.ticked("asked_for"),
        connected=not form.ticked("not_connected"),
        at_work=form.ticked("at_work"),
        new_number=form.ticked("new_number"),
    )


@router.post("/cases/{case_id}/remind")
async def remind(
    request: Request, case_id: str, seat: Annotated[Seat, Depends(needs(Act.WORK_TASK))]
) -> Response:
    """Remind me of this case: at a moment, at intervals, or when something happens."""
    site, form, wanted = site_of(request), seat.posted, read_uuid(case_id)
    try:
        events = {"", *(one.value for one in ReminderCondition)}
        condition = one_of(form, "condition", events, mend="Choose an event or a moment.")
        await set_reminder(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            case_id=wanted,
            user_id=seat.user_id,
            due_at=read_moment(form, "due_at", zone_of_seat(seat)),
            condition=ReminderCondition(condition) if condition else None,
            every_days=read_whole(form, "every_days"),
            note=form.text("note", longest=500),
        )
    except (Invalid, Conflict) as error:
        return await case_page(request, case_id, seat, error.message, error.status)
    return back_to(f"/cases/{wanted}", "reminding")


@router.post("/cases/{case_id}/reminders/{reminder_id}/drop")
async def forget(
    request: Request,
    case_id: str,
    reminder_id: str,
    seat: Annotated[Seat, Depends(needs(Act.WORK_TASK))],
) -> Response:
    """Drop a reminder of mine."""
    site = site_of(request)
    await drop_reminder(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        reminder_id=read_uuid(reminder_id),
        user_id=seat.user_id,
    )
    return back_to(f"/cases/{read_uuid(case_id)}", "forgotten")


# ------------------------------------------------------------------ the end of a shift


@router.get("/hand-over")
async def shift(request: Request, seat: Annotated[Seat, Depends(needs(Act.HAND_OVER))]) -> Response:
    """Who has how much in hand, and who is away."""
    return await _shift(request, seat)


async def _shift(request: Request, seat: Seat, trouble: str = "", status: int = 200) -> Response:
    site, now, zone = site_of(request), site_of(request).now(), zone_of_seat(seat)
    async with site.house.store.unit(seat.lender_id) as unit:
        banners = await brakes_in_force(unit)
        people = await workloads(unit, now)
    mine = next((one for one in people if one.id == seat.user_id), None)
    return desk_page(
        site,
        request,
        seat,
        "desk/hand_over.html",
        banners=banners,
        here="/hand-over",
        status=status,
        people=people,
        mine=mine,
        leads=may(seat.role, Act.GIVE_WORK),
        today=now.astimezone(zone).date(),
        trouble=trouble,
    )


@router.post("/hand-over")
async def give(request: Request, seat: Annotated[Seat, Depends(needs(Act.HAND_OVER))]) -> Response:
    """Hand over one's own tasks; those of others are a lead's to give."""
    site, form = site_of(request), seat.posted
    try:
        giver = form.text("from") or str(seat.user_id)
        if giver != str(seat.user_id) and not may(seat.role, Act.GIVE_WORK):
            raise NotAllowed("You hand over your own tasks only.", code="RoleMissing")
        receiver = form.text("to") or _nobody()
        await hand_over(
            site.house,
            site.now(),
            lender_id=seat.lender_id,
            from_id=UserId(read_uuid(giver)),
            to_id=None if receiver == "board" else UserId(read_uuid(receiver)),
            actor=seat.actor,
            away_until=read_day(form, "away_until"),
        )
    except (Invalid, Conflict) as error:
        return await _shift(request, seat, error.message, error.status)
    return back_to("/hand-over", "handed_over")


def _nobody() -> str:
    raise Invalid("to", "is missing.", mend="Choose somebody, or the board.")


@router.post("/hand-over/back")
async def back(request: Request, seat: Annotated[Seat, Depends(needs(Act.HAND_OVER))]) -> Response:
    """I am here again: the absence ends now."""
    site = site_of(request)
    await come_back(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        user_id=seat.user_id,
        actor=seat.actor,
    )
    return back_to("/hand-over", "back_again")
