"""Stretches of time as sets: overlapping and touching ones count once, however many there are.

Everything that asks "how long was this so?" is answered from the union, never by adding lengths
up: two overlapping holds are not longer than the time they cover.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` up to, not including, `end`; `end` None: without end. Aware instants."""

    start: datetime
    end: datetime | None = None

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at and (self.end is None or at < self.end)


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same time in order, without overlaps; touching spans are one, empty ones none."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda one: one.start):
        if span.end is not None and span.end <= span.start:
            continue
        last = joined[-1] if joined else None
        if last is None or (last.end is not None and last.end < span.start):
            joined.append(span)
        elif last.end is not None and (span.end is None or span.end > last.end):
            joined[-1] = Span(last.start, span.end)
    return tuple(joined)


def last_day(span: Span, zone: tzinfo) -> date:
    """The last calendar day in `zone` of which it has a moment. It has to have an end."""
    if span.end is None:
        raise ValueError("a span without end has no last day")
    return (span.end - _MOMENT).astimezone(zone).date()


def days_touched(spans: Iterable[Span], zone: tzinfo, *, after: date, upto: date) -> int:
    """How many calendar days in `zone`, later than `after` and up to `upto`, any span touches.

    A day that a span touches for a moment counts whole, and once: whoever counts days against a
    person leaves the whole day out.
    """
    counted, reached = 0, after
    for span in union(spans):
        first = span.start.astimezone(zone).date()
        last = upto if span.end is None else last_day(span, zone)
        begins, ends = max(first, reached + timedelta(days=1)), min(last, upto)
        if begins <= ends:
            counted += (ends - begins).days + 1
            reached = ends
    return counted
