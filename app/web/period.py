"""The days that a report is about, as they stand in its address: from, to, and as of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request

from app.domain.errors import Invalid
from app.domain.performance import check_period
from app.reports.recovery import Period
from app.web.desk import zone_of_seat
from app.web.seats import Seat
from app.web.site import Site

# Half a year: three months of cases that have lived 90 days, and three that have not.
_USUAL_SPAN: Final = timedelta(days=180)
EARLIEST: Final = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Asked:
    """A period, and what is wrong with what was asked for instead of it; empty: nothing."""

    period: Period
    today: date
    trouble: str

    def query(self, **more: object) -> str:
        """The same days in an address, with more beside them."""
        days = {"on": self.period.as_of, "since": self.period.since, "until": self.period.until}
        return urlencode({**days, **more})


def read_period(request: Request, site: Site, seat: Seat) -> Asked:
    """Whatever nobody can mean becomes the usual half year, and says so."""
    now, zone = site.now(), zone_of_seat(seat)
    today = now.astimezone(zone).date()
    usual = Period(today - _USUAL_SPAN, today, today, zone, now)
    try:
        on = _day(request, "on", today)
        until = _day(request, "until", on)
        since = _day(request, "since", until - _USUAL_SPAN)
    except (ValueError, OverflowError):
        return Asked(usual, today, "A day is written like 2026-11-30.")
    if on > today:
        return Asked(usual, today, "That day has not come yet.")
    if since < EARLIEST:
        return Asked(usual, today, "Nothing is known of days so long ago.")
    try:
        check_period(since, until, on)
    except Invalid as error:
        return Asked(usual, today, error.message)
    return Asked(Period(since, until, on, zone, now), today, "")


def _day(request: Request, name: str, usual: date) -> date:
    text = request.query_params.get(name, "")
    return date.fromisoformat(text) if text else usual
