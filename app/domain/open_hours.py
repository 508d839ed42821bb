"""Weekly hours in a time zone, as instants. Exact on the days the clock changes.

Everything is asked by the wall clock: an instant is open when the local weekday and time of that
moment lie in a window. The hour that happens twice in autumn is open twice, the hour that is
leapt over in spring never comes. Instants are whole microseconds since 1970 (UTC), so that
comparing them is exact.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

from app.domain.errors import Invalid

Micros: TypeAlias = int
"""Microseconds since 1970-01-01T00:00Z."""

Span: TypeAlias = tuple[Micros, Micros]
"""From an instant up to, not including, another."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_MINUTES_PER_DAY = 1440
_TIME = re.compile(r"([01]\d|2[0-4]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """From one minute of the day up to, not including, another (0 to 1440)."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= _MINUTES_PER_DAY:
            raise ValueError("a window lies within one day and is not empty")

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read "09:00-21:00"; "24:00" is the end of the day. Raises `ValueError`."""
        start, dash, end = text.partition("-")
        if not dash:
            raise ValueError('write a window like "09:00-21:00"')
        return cls(_minute(start), _minute(end))

    def __str__(self) -> str:
        return f"{_clock(self.start)}–{_clock(self.end)}"


Weekly: TypeAlias = tuple[tuple[Window, ...], ...]
"""The windows of Monday to Sunday, each day's in order."""

ALL_DAY = (Window(0, _MINUTES_PER_DAY),)
ALWAYS: Weekly = (ALL_DAY,) * 7


# Kept here, because the library itself remembers only the last eight zones.
@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises `Invalid` for a name that does not exist."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Invalid(
            "time_zone", f"{name!r} is not a time zone.", mend='Write it like "Europe/Madrid".'
        ) from None


def micros(moment: datetime) -> Micros:
    """An aware instant as whole microseconds."""
    return (moment - _EPOCH) // _MICRO


def moment(instant: Micros) -> datetime:
    """Microseconds as an aware UTC instant."""
    return _EPOCH + timedelta(microseconds=instant)


def next_open(
    zones: tuple[str, ...],
    instant: Micros,
    weekly: Weekly,
    closed_on: frozenset[date] = frozenset(),
    *,
    days: int = 15,
) -> Micros | None:
    """The first instant at or after `instant` that is open in every zone.

    None when there is none within `days` days: hours of far zones may never meet.
    """
    for utc_day in range(instant // _DAY, instant // _DAY + days + 1):
        for start, end in _open_spans(zones, utc_day, weekly, closed_on):
            if end > instant:
                return max(start, instant)
    return None


def open_until(
    zones: tuple[str, ...],
    instant: Micros,
    weekly: Weekly,
    closed_on: frozenset[date] = frozenset(),
    *,
    days: int = 2,
) -> Micros:
    """When the open span that holds `instant` ends; `instant` itself when it is closed."""
    reached = instant
    for utc_day in range(instant // _DAY, instant // _DAY + days + 1):
        for start, end in _open_spans(zones, utc_day, weekly, closed_on):
            if start <= reached < end:
                reached = end
    return reached


@lru_cache(maxsize=16384)
def _open_spans(
    zones: tuple[str, ...], utc_day: int, weekly: Weekly, closed_on: frozenset[date]
) -> tuple[Span, ...]:
    """What is open in every zone of one UTC day (counted from 1970), in order, not overlapping."""
    common: tuple[Span, ...] = ((utc_day * _DAY, (utc_day + 1) * _DAY),)
    for zone in zones:
        common = _met(common, _spans_in(zone, utc_day, weekly, closed_on))
    return common


def _spans_in(
    zone: str, utc_day: int, weekly: Weekly, closed_on: frozenset[date]
) -> tuple[Span, ...]:
    spans: list[Span] = []
    for start, end, offset in _steady_pieces(zone, utc_day):
        for local_day in range((start + offset) // _DAY, (end + offset - 1) // _DAY + 1):
            day = date.fromordinal(_EPOCH.toordinal() + local_day)
            if day in closed_on:
                continue
            midnight = local_day * _DAY - offset
            for window in weekly[day.weekday()]:
                opens = max(start, midnight + window.start * 60 * _SECOND)
                closes = min(end, midnight + window.end * 60 * _SECOND)
                if opens < closes:
                    spans.append((opens, closes))
    return _joined(sorted(spans))


def _met(ours: Sequence[Span], theirs: Sequence[Span]) -> tuple[Span, ...]:
    """Where both are open."""
    both = [(max(one[0], other[0]), min(one[1], other[1])) for one in ours for other in theirs]
    return tuple(span for span in both if span[0] < span[1])


@lru_cache(maxsize=4096)
def _steady_pieces(zone: str, utc_day: int) -> tuple[tuple[Micros, Micros, Micros], ...]:
    """One UTC day cut where the zone's offset changes: (start, end, offset)."""
    start, end = utc_day * _DAY, (utc_day + 1) * _DAY
    first, last = _offset(zone, start), _offset(zone, end - 1)
    if first == last:
        return ((start, end, first),)
    # Zones change at most once in a day, on a whole second.
    seconds = range(start // _SECOND, end // _SECOND)
    change = bisect_right(seconds, 0, key=lambda second: _offset(zone, second * _SECOND) != first)
    at = seconds[change] * _SECOND
    return ((start, at, first), (at, end, last))


def _offset(zone: str, instant: Micros) -> Micros:
    shift = moment(instant).astimezone(zone_of(zone)).utcoffset()
    return 0 if shift is None else shift // _MICRO


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Neighbours that touch become one."""
    joined: list[Span] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def _minute(text: str) -> int:
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError('write a time like "09:00"')
    return int(found[1]) * 60 + int(found[2])


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
