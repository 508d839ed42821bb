"""When a bank has said that it will not answer: weekly hours of its own, and single ones.

Weekly hours are written as banks announce them, `Sat 20:00-Sun 10:00`, and belong to the bank's
own zone. On the days the clock changes they are an hour shorter or longer, as the bank's are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final, TypeAlias

from app.domain.errors import Invalid
from app.domain.open_hours import zone_of

Span: TypeAlias = tuple[datetime, datetime]
"""From (included) until (not any more). Aware instants, business time."""

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WRITTEN: Final = re.compile(
    r"(?P<from_day>[A-Z][a-z]{2}) (?P<from>\d{2}:\d{2})-"
    r"(?:(?P<until_day>[A-Z][a-z]{2}) )?(?P<until>\d{2}:\d{2})\Z",
    re.ASCII,
)
_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    """Local hours of every week. Days count from Monday, 0. The end may lie in the next week."""

    from_day: int
    from_time: time
    until_day: int
    until_time: time

    @classmethod
    def parse(cls, text: str) -> WeeklyHours:
        """`Sat 20:00-Sun 10:00`, or `Sun 02:00-06:00` within one day. Raises `Invalid`."""
        found = _WRITTEN.match(text.strip())
        try:
            parts = found.groupdict() if found else {}
            from_day = _DAYS.index(parts["from_day"])
            until_day = _DAYS.index(parts["until_day"] or parts["from_day"])
            from_time, until_time = (time.fromisoformat(parts[end]) for end in ("from", "until"))
        except (KeyError, ValueError):
            raise Invalid(
                "maintenance",
                f"{text!r} is no hours of a week.",
                mend='Write them like "Sat 20:00-Sun 10:00" or "Sun 02:00-06:00".',
            ) from None
        if (from_day, from_time) == (until_day, until_time):
            raise Invalid(
                "maintenance",
                f"{text!r} begins and ends in the same minute.",
                mend="Let it end later than it begins.",
            )
        return cls(from_day, from_time, until_day, until_time)

    def __str__(self) -> str:
        ends = f"{self.until_time:%H:%M}"
        if self.until_day != self.from_day or self.until_time <= self.from_time:
            ends = f"{_DAYS[self.until_day]} {ends}"
        return f"{_DAYS[self.from_day]} {self.from_time:%H:%M}-{ends}"

    def spans(self, zone: str, now: datetime) -> tuple[Span, Span, Span]:
        """The one that began last week, this week's, and next week's, as UTC instants."""
        local = zone_of(zone)
        today = now.astimezone(local).date()
        monday = today - timedelta(days=today.weekday())
        days = (self.until_day - self.from_day) % 7
        if days == 0 and self.until_time <= self.from_time:
            days = 7
        begins_on = monday + timedelta(days=self.from_day)

        def span(weeks: int) -> Span:
            day = begins_on + _WEEK * weeks
            return (
                datetime.combine(day, self.from_time, local).astimezone(UTC),
                datetime.combine(day + timedelta(days=days), self.until_time, local).astimezone(
                    UTC
                ),
            )

        return span(-1), span(0), span(1)


def resting(
    weekly: Iterable[WeeklyHours], zone: str, single: Iterable[Span], now: datetime
) -> tuple[Span, ...]:
    """All that is not over at `now`, of this week and the next, in the order it begins."""
    found = [span for hours in weekly for span in hours.spans(zone, now)]
    return tuple(sorted(span for span in (*found, *single) if now < span[1]))


def rests_until(spans: Iterable[Span], at: datetime) -> datetime | None:
    """The end of the rest that `at` lies in, through all that follow without a gap; else None."""
    end = None
    for begins, ends in sorted(spans):
        if begins <= (end or at) < ends:
            end = ends
    return end
