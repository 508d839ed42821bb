"""Every attempted contact of a period: how many came to what, and all of them as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response, StreamingResponse

from app.domain.attempt import NEVER_LEFT, Outcome
from app.domain.errors import Invalid
from app.domain.his_clock import day_begins
from app.domain.message import Channel
from app.domain.roles import Act
from app.reports.attempts import Wanted, count_attempts
from app.reports.attempts_csv import attempts_csv
from app.web.desk import desk_page, zone_of_seat
from app.web.seats import Seat, needs
from app.web.site import Site, site_of

router = APIRouter()

_USUAL_SPAN: Final = timedelta(days=6)
_LONGEST: Final = timedelta(days=366)
_EARLIEST: Final = date(2000, 1, 1)
_DAY: Final = timedelta(days=1)

CHANNELS: Final = {
    Channel.SMS: "Text",
    Channel.EMAIL: "E-mail",
    Channel.CALL: "Call",
    Channel.PUSH: "App message",
}
# Name, and what it means.
OUTCOMES: Final[Mapping[Outcome, tuple[str, str]]] = {
    Outcome.DELIVERED: ("Delivered", "the provider or the app says that it arrived"),
    Outcome.SENT: ("Sent", "handed over; nobody has said more"),
    Outcome.MADE: ("Made", "by a person, an agency or your own system, in whatever way it ended"),
    Outcome.UNDELIVERED: ("Not delivered", "it left, and did not arrive"),
    Outcome.UNKNOWN: ("Unknown", "the provider never said whether it left"),
    Outcome.WAITING: ("Waiting", "for its hour, or for an answer"),
    Outcome.FAILED: ("Failed", "the provider refused it"),
    Outcome.REFUSED: ("Refused", "by a rule, a hold, the borrower's own no, or a stop switch"),
    Outcome.CALLED_OFF: ("Called off", "its reason was gone: paid, promised, no money in sight"),
    Outcome.NOT_POSSIBLE: ("Not possible", "no address, no words, or nothing behind its link"),
    Outcome.WITHHELD: ("Withheld", "observe-only mode: it would have left"),
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What somebody wants to see, as he typed it where it can be meant."""

    since: date
    until: date
    channel: str
    outcome: str
    trouble: str = ""


@router.get("/audit/contacts")
async def contacts(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_ATTEMPTS))]
) -> Response:
    """The sum of a period by outcome and channel, and the way to the list."""
    site = site_of(request)
    asked = _asked(request, site, seat)
    async with site.house.store.unit(seat.lender_id) as unit:
        totals = await count_attempts(unit, _wanted(asked, seat))
    shown = [channel for channel in CHANNELS if totals.on(channel)]
    return desk_page(
        site,
        request,
        seat,
        "desk/attempts.html",
        banners=[],
        here="/audit",
        asked=asked,
        trouble=asked.trouble,
        totals=totals,
        channels=CHANNELS,
        shown=shown,
        outcomes=OUTCOMES,
        never_left=NEVER_LEFT,
        earliest=_EARLIEST,
        today=_today(site, seat),
    )


@router.get("/audit/contacts.csv")
async def contacts_list(
    request: Request, seat: Annotated[Seat, Depends(needs(Act.SEE_ATTEMPTS))]
) -> Response:
    """Every attempt of the period, as a spreadsheet reads it, however many there are."""
    site = site_of(request)
    asked = _asked(request, site, seat)
    if asked.trouble:
        raise Invalid("since", asked.trouble, mend="Choose other days.")
    name = f"contacts-{asked.since}-{asked.until}.csv"
    return StreamingResponse(
        attempts_csv(site.house.store, seat.lender_id, _wanted(asked, seat)),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def _today(site: Site, seat: Seat) -> date:
    return site.now().astimezone(zone_of_seat(seat)).date()


def _wanted(asked: _Asked, seat: Seat) -> Wanted:
    """Whole days on the lender's clock, both included."""
    zone = zone_of_seat(seat)
    begins, ends = day_begins(asked.since, zone), day_begins(asked.until + _DAY, zone)
    return Wanted(begins, ends, asked.channel, asked.outcome)


def _asked(request: Request, site: Site, seat: Seat) -> _Asked:
    """What was asked for. What nobody can mean is said, and becomes the last seven days."""
    today = _today(site, seat)
    given = {name: request.query_params.get(name, "") for name in ("channel", "outcome")}
    channel = given["channel"] if given["channel"] in set(Channel) else ""
    outcome = given["outcome"] if given["outcome"] in set(Outcome) else ""
    usual = today - _USUAL_SPAN
    try:
        until = _day(request, "until", today)
        since = _day(request, "since", until - _USUAL_SPAN)
    except (ValueError, OverflowError):
        return _Asked(usual, today, channel, outcome, "A day is written like 2026-11-30.")
    trouble = ""
    if since > until:
        trouble = "The first day lies behind the last one."
    elif until > today or since < _EARLIEST:
        trouble = "Nothing is known of days so far away."
    elif until - since > _LONGEST:
        trouble = "A year at a time: choose fewer days."
    return _Asked(
        usual if trouble else since, today if trouble else until, channel, outcome, trouble
    )


def _day(request: Request, name: str, usual: date) -> date:
    text = request.query_params.get(name, "")
    return date.fromisoformat(text) if text else usual
