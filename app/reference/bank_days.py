"""On which days banks book euros, and which day's books they have open at a moment.

On a Saturday many banks state figures of the moment under the date of Monday, whose books are
open then. A bank's business day is over at the latest when the system between the banks has
closed; days on which that rests are those of the European Central Bank (T2). A country's own
holidays are not known here: on those nothing is assumed.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

import holidays

# T2 has closed by then, in its own time.
_CLOSED_FROM = time(18)
_DAY = timedelta(days=1)


def is_bank_day(day: date) -> bool:
    """Whether euros move between banks on this day."""
    return day.weekday() < 5 and day not in _closing_days(day.year)


@lru_cache(maxsize=64)
def _closing_days(year: int) -> frozenset[date]:
    return frozenset(holidays.financial_holidays("XECB", years=year))


def books_end_at(now: datetime, zone: tzinfo) -> datetime:
    """The instant at which the day is over whose books a bank in `zone` may have open at `now`.

    That is today's end, or after hours and on days without bookings the end of the next bank day.
    """
    here = now.astimezone(zone)
    day = here.date()
    if not is_bank_day(day) or here.time() >= _CLOSED_FROM:
        day += _DAY
        while not is_bank_day(day):
            day += _DAY
    return datetime.combine(day + _DAY, time(0), zone).astimezone(UTC)
