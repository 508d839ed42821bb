"""How a lender's own systems answer, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from app.reference.formats import near_time
from app.reports.own_systems import DAYS, OwnSystem, SystemHealth
from app.web.render import DESK_LANGUAGE
from app.web.words import Mark

_NAMES: Final[Mapping[OwnSystem, str]] = {
    OwnSystem.EVENTS: "Events (webhook)",
    OwnSystem.APP: "Messages for your app",
}
# The words that deliveries leave behind; any other is what the system itself answered.
_ERRORS: Final[Mapping[str, str]] = {
    "TryLater": "it cannot be reached, or asks for later",
    "OutcomeUnknown": "the connection broke before it answered",
    "lender_away": "it did not take an earlier event",
    "halted": "the stop switch for webhooks is on",
}


@dataclass(frozen=True, slots=True)
class SystemLine:
    """One address as the page shows it."""

    name: str
    host: str
    mark: Mark
    sentence: str
    taken: str
    given_up: str
    waiting: str


def system_line(one: SystemHealth, now: datetime, zone: ZoneInfo) -> SystemLine:
    """The line of one address."""
    mark, sentence = _state(one, now, zone)
    return SystemLine(
        name=_NAMES[one.system],
        host=one.host,
        mark=mark,
        sentence=sentence,
        taken=str(one.taken),
        given_up=str(one.given_up),
        waiting=str(one.waiting) if one.waiting else "Nothing",
    )


def _state(one: SystemHealth, now: datetime, zone: ZoneInfo) -> tuple[Mark, str]:
    last = (
        f"Last taken {near_time(one.last_ok_at, now, zone, DESK_LANGUAGE)}."
        if one.last_ok_at
        else f"Nothing taken in {DAYS} days."
    )
    if one.last_error == "halted":
        return Mark("Stopped", "note"), f"The stop switch for webhooks is on. {last}"
    if one.failing_since is not None:
        since = near_time(one.failing_since, now, zone, DESK_LANGUAGE)
        said = _ERRORS.get(one.last_error, one.last_error)
        why = f": {said}" if said else ""
        return (
            Mark("Does not answer", "bad"),
            f"Waiting since {since}{why}. Tried again by itself, for some three days. {last}",
        )
    if one.given_up:
        return Mark(
            "Answers", "warn"
        ), f"{last} Some events were given up: saldo doctor names them."
    if one.last_ok_at is None:
        return Mark("Not asked yet"), last
    return Mark("Answers", "good"), last
