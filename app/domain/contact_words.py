"""The sentences of the contact gate, as a collector reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from app.domain.jurisdiction import Cap, Scope
from app.domain.message import Channel
from app.domain.open_hours import Weekly, zone_of

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PLURALS = {
    Channel.SMS: "texts",
    Channel.EMAIL: "e-mails",
    Channel.CALL: "calls",
    Channel.PUSH: "app messages",
}
_SINGULARS = {
    Channel.SMS: "text",
    Channel.EMAIL: "e-mail",
    Channel.CALL: "call",
    Channel.PUSH: "app message",
}


def local_time(at: datetime, zones: Sequence[str]) -> str:
    """Such as "Saturday 22:14 in Europe/Madrid"; two are joined, more are summed up."""
    # One zone of each local time is enough: the United States have 29 zones and six times.
    times: dict[datetime, str] = {}
    for zone in zones:
        times.setdefault(at.astimezone(zone_of(zone)).replace(tzinfo=None), zone)
    said = [f"{_DAYS[one.weekday()]} {one:%H:%M} in {zone}" for one, zone in times.items()]
    if len(said) > 2:
        return f"{said[0]}, {said[-1]} and other times in {len(zones)} possible time zones"
    return " and ".join(said)


def hours(channels: frozenset[Channel], weekly: Weekly, here: str, passed: bool) -> str:
    """The sentence of an hours rule."""
    allowed = f"{ways_named(channels).capitalize()} are allowed {describe(weekly)}"
    if passed:
        return f"It is {here}. {allowed}."
    return f"It is {here}, outside the hours of contact. {allowed}, the borrower's time."


def holidays(here: str, passed: bool) -> str:
    """The sentence of a holiday rule."""
    if passed:
        return f"It is {here}, no public holiday."
    return f"It is {here}, a public holiday for the borrower."


def closed_on(here: str, passed: bool) -> str:
    """The sentence of a rule about days that the lender leaves out."""
    if passed:
        return f"It is {here}, no day that the lender leaves out."
    return f"It is {here}, a day on which the lender contacts nobody."


def cap(rule: Cap, channels: frozenset[Channel], used: int) -> str:
    """The sentence of a frequency rule: how much of it is used."""
    per = "with this person" if rule.scope is Scope.PERSON else "about this debt"
    when = "today" if rule.within is None else f"in {length(rule.within)}"
    what = "contacts" if channels == frozenset(Channel) else ways_named(channels)
    if rule.reached_only:
        what = f"{what} that reached the person"
    return f"{used} of at most {rule.limit} {what} {per} {when} used."


def cool_down(span: timedelta, last: datetime | None, zone: str | None, passed: bool) -> str:
    """The sentence of a cool-down rule."""
    if last is None:
        return "No conversation that would have to be followed by a rest."
    said = "The last conversation was on " + _day(last, zone)
    if passed:
        return f"{said}, longer than {length(span)} ago."
    return f"{said}; nobody is contacted for {length(span)} after one."


def variety(limit: int, span: timedelta, others: Sequence[Channel]) -> str:
    """The sentence of a rule on the number of channels; `others` are those used besides this."""
    ways = "one way" if limit == 1 else f"{limit} ways"
    used = " and ".join(_SINGULARS[other] for other in sorted(others))
    so_far = f"also used: {used}" if used else "no other was used"
    return f"At most {ways} of contact in {length(span)}; {so_far}."


def never(channels: frozenset[Channel], *, at_work: bool) -> str:
    """The sentence of a rule that closes a channel or a place."""
    where = " at the borrower's place of work" if at_work else ""
    return f"{ways_named(channels).capitalize()} are not allowed{where}."


def opt_out(channel: Channel, passed: bool) -> str:
    """The sentence of the opt-out check."""
    if passed:
        return f"The borrower has not refused {_PLURALS[channel]}."
    return f"The borrower does not want {_PLURALS[channel]}."


def stop_switch(channel: Channel, passed: bool) -> str:
    """The sentence of the stop switch."""
    if passed:
        return f"The stop switch for {_PLURALS[channel]} is off."
    return f"The stop switch for {_PLURALS[channel]} is on: nothing leaves."


def holds(reasons: Sequence[str], until: datetime | None, zone: str | None) -> str:
    """The sentence of the hold check."""
    if not reasons:
        return "No hold."
    end = "until somebody lifts it" if until is None else f"until {_day(until, zone)}"
    return f"On hold ({', '.join(dict.fromkeys(reasons))}) {end}."


def time_zone(zones: Sequence[str], known: bool) -> str:
    """The sentence of the check whether the borrower's time is known at all."""
    if not zones:
        return "The borrower's time zone is not known, so no hour is surely a good one."
    names = ", ".join(zones) if len(zones) <= 3 else f"{len(zones)} zones"
    if known:
        return f"The borrower's time: {names}."
    return f"The borrower's own time zone is not known; the country's are respected ({names})."


@lru_cache(maxsize=1024)
def describe(weekly: Weekly) -> str:
    """A week's windows in words: "Monday to Friday 07:00–19:00, Saturday 08:00–15:00"."""
    parts: list[tuple[int, int, str]] = []
    for day, windows in enumerate(weekly):
        said = " and ".join(str(window) for window in windows)
        if parts and parts[-1][1] == day - 1 and parts[-1][2] == said:
            parts[-1] = (parts[-1][0], day, said)
        elif said:
            parts.append((day, day, said))
    if not parts:
        return "at no time"
    return ", ".join(
        f"{_DAYS[first] if first == last else f'{_DAYS[first]} to {_DAYS[last]}'} {said}"
        for first, last, said in parts
    )


def length(span: timedelta) -> str:
    """A length of time in the largest whole unit: "7 days", "36 hours", "90 minutes"."""
    seconds = int(span.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{seconds} seconds"


def _day(at: datetime, zone: str | None) -> str:
    local = at if zone is None else at.astimezone(zone_of(zone))
    return f"{_DAYS[local.weekday()]} {local:%Y-%m-%d at %H:%M} ({zone or 'UTC'})"


def ways_named(channels: frozenset[Channel]) -> str:
    if Channel.SMS in channels:
        # Whoever speaks of texts means messages in an app with them.
        channels = channels - {Channel.PUSH}
    names = [_PLURALS[channel] for channel in Channel if channel in channels]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
