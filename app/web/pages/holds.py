"""The holds of a case: set one, also for a time that lies back, and end one."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.domain.errors import Invalid
from app.domain.hold import read_kind
from app.domain.roles import Act
from app.flows.lenders.note_refusal import refusals_noted
from app.flows.work.lift_hold import LONGEST_REASON, end_crisis, lift_hold
from app.flows.work.set_hold import FURTHEST_BACK, set_hold
from app.reports.case_file import borrower_of_case
from app.web.desk import back_to, zone_of_seat
from app.web.forms import read_uuid
from app.web.pages.cases import case_page
from app.web.seats import Seat, needs
from app.web.site import Site, site_of

router = APIRouter()

LONGEST_HOLD: Final = timedelta(days=366)


@router.post("/cases/{case_id}/hold")
async def hold(
    request: Request, case_id: str, seat: Annotated[Seat, Depends(needs(Act.SET_HOLD))]
) -> Response:
    """Leave the person in peace, with a reason and an end; what is queued is cancelled."""
    site, form, wanted = site_of(request), seat.posted, read_uuid(case_id)
    now, zone = site.now(), zone_of_seat(seat)
    try:
        kind, since = read_kind(form.text("kind")), form.text("since")
        async with site.house.store.unit(seat.lender_id) as unit:
            await set_hold(
                unit,
                now,
                borrower_id=await borrower_of_case(unit, wanted),
                case_id=None if form.ticked("everything") else wanted,
                kind=kind,
                reason=form.text("reason", longest=500),
                starts_at=start_of_day(since, zone, now) if since else None,
                ends_at=end_of_day(form.text("until"), zone, now),
                blocks=form.every("blocks") or None,
                set_by=seat.actor,
            )
    except Invalid as error:
        return await case_page(request, case_id, seat, error.message, 422)
    return back_to(f"/cases/{wanted}", "held")


def start_of_day(text: str, zone: ZoneInfo, now: datetime) -> datetime | None:
    """The beginning of the day written as YYYY-MM-DD; None for today. Raises `Invalid`."""
    on, today = _day("since", text), now.astimezone(zone).date()
    if on > today:
        raise Invalid("since", "lies in the future.", mend="Leave it empty: from now on.")
    if on < today - FURTHEST_BACK:
        raise Invalid("since", "is more than five years ago.", mend="Give a later day.")
    return None if on == today else datetime.combine(on, time(), zone).astimezone(UTC)


def end_of_day(text: str, zone: ZoneInfo, now: datetime) -> datetime | None:
    """The end of the day written as YYYY-MM-DD; None for an empty field. Raises `Invalid`."""
    if not text:
        return None
    on = _day("until", text)
    if on > now.astimezone(zone).date() + LONGEST_HOLD:
        raise Invalid("until", "is more than a year away.", mend="Leave it empty for no end.")
    return datetime.combine(on + timedelta(days=1), time(), zone).astimezone(UTC)


def _day(field: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(field, "is not a day.", mend="Write it like 2026-11-30.") from None


@router.post("/cases/{case_id}/holds/{hold_id}/lift")
async def lift(
    request: Request,
    case_id: str,
    hold_id: str,
    seat: Annotated[Seat, Depends(needs(Act.LIFT_HOLD))],
) -> Response:
    """End a hold early."""
    site = site_of(request)
    try:
        async with _noted(site, seat, hold_id), site.house.store.unit(seat.lender_id) as unit:
            await lift_hold(
                unit,
                site.now(),
                hold_id=read_uuid(hold_id),
                lifted_by=seat.actor,
                role=seat.role,
                reason=seat.posted.text("reason", longest=LONGEST_REASON),
            )
    except Invalid as error:
        return await case_page(request, case_id, seat, error.message, 422)
    return back_to(f"/cases/{read_uuid(case_id)}", "lifted")


@router.post("/cases/{case_id}/holds/{hold_id}/crisis-over")
async def crisis_over(
    request: Request,
    case_id: str,
    hold_id: str,
    seat: Annotated[Seat, Depends(needs(Act.LIFT_HOLD))],
) -> Response:
    """The treatment has ended: thirty days later the hold does."""
    site = site_of(request)
    try:
        async with _noted(site, seat, hold_id), site.house.store.unit(seat.lender_id) as unit:
            await end_crisis(
                unit,
                site.now(),
                hold_id=read_uuid(hold_id),
                treatment_ended_on=_day("ended_on", seat.posted.text("ended_on")),
                by=seat.actor,
                role=seat.role,
            )
    except Invalid as error:
        return await case_page(request, case_id, seat, error.message, 422)
    return back_to(f"/cases/{read_uuid(case_id)}", "ending")


def _noted(site: Site, seat: Seat, hold_id: str) -> AbstractAsyncContextManager[None]:
    """Whoever asks for the end of a hold that his role may not end stands in the audit."""
    return refusals_noted(
        site.house,
        site.now(),
        lender_id=seat.lender_id,
        actor=seat.actor,
        wanted=Act.LIFT_HOLD.value,
        subject=hold_id,
    )
