"""How a bank or provider answers, in words, and its last day as a strip of 24 cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from app.domain.breaker import BreakerState, Service
from app.domain.provider_setup import is_own, provider_of
from app.reference.formats import clock_time, near_time
from app.reports.health import HOURS, Hour, ServiceHealth
from app.web.render import DESK_LANGUAGE
from app.web.words import Mark

SERVICES: Final[Mapping[Service, str]] = {
    Service.BALANCES: "Balances",
    Service.PAYMENTS: "Payments",
    Service.TEXTS: "Text messages",
    Service.EMAILS: "E-mails",
}
_WAITING: Final[Mapping[Service, tuple[str, str]]] = {
    Service.BALANCES: ("account to read", "accounts to read"),
    Service.PAYMENTS: ("payment under way", "payments under way"),
    Service.TEXTS: ("text", "texts"),
    Service.EMAILS: ("e-mail", "e-mails"),
}
# Ours: from so many failed calls in a hundred on, an hour is shown as bad, or as middling.
_BAD: Final = 0.5
_MIDDLING: Final = 0.05
# How connectors are called where capitals alone do not do.
_NAMES: Final = {
    "berlin_group": "Berlin Group",
    "smsapi": "SMSAPI",
    "smtp": "SMTP",
    "truelayer": "TrueLayer",
    "gocardless": "GoCardless",
    "enable_banking": "Enable Banking",
    "gocardless_pay": "GoCardless payments",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One hour of the strip. `height` of 10, so that bad hours stand out without colour too."""

    x: int
    height: int
    tone: str


@dataclass(frozen=True, slots=True)
class HealthLine:
    """One service as the page shows it. `cells` are the strip, `strip_text` says it in words."""

    name: str
    provider: str
    service: str
    mark: Mark
    sentence: str
    failed_hour: str
    failed_day: str
    cells: tuple[Cell, ...]
    strip_text: str
    waiting: str


def provider_name(connector: str) -> str:
    """A connector as people call it. A lender's own set-up is told apart."""
    known = provider_of(connector)
    name = _NAMES.get(known, known.replace("_", " ").capitalize())
    return f"{name} (your own)" if is_own(connector) else name


def health_line(
    one: ServiceHealth,
    bank_name: str,
    rests_until: datetime | None,
    now: datetime,
    zone: ZoneInfo,
) -> HealthLine:
    """The line of one service. `rests_until`: the end of announced maintenance, if it is on."""
    provider = provider_name(one.connector)
    mark, sentence = _state(one, rests_until, now, zone)
    single, many = _WAITING[one.service]
    return HealthLine(
        name=bank_name or provider,
        provider=provider if bank_name else "",
        service=SERVICES[one.service],
        mark=mark,
        sentence=sentence,
        failed_hour=_share(one.failed_share(1)),
        failed_day=_share(one.failed_share(HOURS)),
        cells=tuple(_cell(place, hour) for place, hour in enumerate(one.hours)),
        strip_text=_strip_text(one),
        waiting=f"{one.waiting} {single if one.waiting == 1 else many}"
        if one.waiting
        else "Nothing",
    )


def _state(
    one: ServiceHealth, rests_until: datetime | None, now: datetime, zone: ZoneInfo
) -> tuple[Mark, str]:
    last = (
        f"Last answer {near_time(one.last_ok_at, now, zone, DESK_LANGUAGE)}."
        if one.last_ok_at
        else "No answer yet."
    )
    said = f" It says: {one.last_reason}." if one.last_reason else ""
    if one.down and not one.lately:
        return Mark("Did not answer", "warn"), f"Nobody has asked since. {last}{said}"
    if one.down:
        since = near_time(one.since, now, zone, DESK_LANGUAGE) if one.since else "long ago"
        again = _again(one, now, zone)
        return Mark("Does not answer", "bad"), f"Since {since}. {last}{again}{said}"
    if rests_until is not None:
        until = near_time(rests_until, now, zone, DESK_LANGUAGE)
        return Mark("Maintenance", "note"), f"Announced until {until}. {last}"
    if one.last_ok_at is None and one.last_failure_at is None:
        return Mark("Not asked yet"), "Nothing is known."
    if (one.failed_share(1) or 0.0) >= _BAD:
        return Mark("Answers some", "warn"), f"{last}{said}"
    return Mark("Answers", "good"), last


def _again(one: ServiceHealth, now: datetime, zone: ZoneInfo) -> str:
    if one.service in (Service.TEXTS, Service.EMAILS):
        return " Messages wait and are tried again."
    if one.service is Service.PAYMENTS:
        return " Whoever wants to pay is told so, and may try."
    if one.state is BreakerState.HALF_OPEN:
        return " One account is being read at the moment, to find out."
    if one.asked_again_at is None or one.asked_again_at <= now:
        return " The next account whose time comes finds out."
    return f" Left alone until {clock_time(one.asked_again_at, zone)}."


def _share(failed: float | None) -> str:
    if failed is None:
        return "–"
    # Never "0 %" for something, nor "100 %" for nearly all.
    whole = round(failed * 100)
    if failed > 0:
        whole = max(whole, 1)
    if failed < 1:
        whole = min(whole, 99)
    return f"{whole} %"


def _cell(place: int, hour: Hour) -> Cell:
    if hour.calls == 0:
        return Cell(place * 10, 2, "ground")
    failed = hour.failed / hour.calls
    if failed >= _BAD:
        return Cell(place * 10, 20, "bad")
    return Cell(place * 10, 13, "late") if failed >= _MIDDLING else Cell(place * 10, 8, "calm")


def _strip_text(one: ServiceHealth) -> str:
    asked = [hour for hour in one.hours if hour.calls]
    if not asked:
        return "Nobody asked in the last 24 hours."
    bad = sum(hour.failed / hour.calls >= _BAD for hour in asked)
    hours = "hour" if len(asked) == 1 else "hours"
    return f"Asked in {len(asked)} {hours} of the last 24; in {bad} of them half or more failed."
