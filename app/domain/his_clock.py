"""Whose day it is: the day and the zone by which everything about one person is planned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class HisClock:
    """`zones` are all that may be his; `past` is the one that past moments are put on days by."""

    zones: tuple[ZoneInfo, ...]
    past: ZoneInfo

    def today(self, now: datetime) -> date:
        """His day. Where several zones may be his, the day of the one that is last to turn."""
        return min(now.astimezone(zone).date() for zone in self.zones)

    def day_of(self, at: datetime) -> date:
        """The day that a past moment is counted on."""
        return at.astimezone(self.past).date()

    def begins(self, day: date) -> datetime:
        """The first moment at which it is this day in every zone that may be his (UTC)."""
        return max(day_begins(day, zone) for zone in self.zones)


def clock_of(may_be_his: Iterable[str], stated: str | None, lender: str) -> HisClock:
    """A clock from names of zones. Where none may be his, the lender's stands for it."""
    names = sorted(may_be_his) or [lender]
    return HisClock(tuple(ZoneInfo(name) for name in names), ZoneInfo(stated or names[0]))


def day_begins(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day in a zone (UTC): where clocks leap over midnight, after it."""
    moment = datetime.combine(day, time(), zone).astimezone(UTC)
    if moment.astimezone(zone).date() < day:
        moment += timedelta(hours=1)
    return moment
