"""On which days banks book euros, and which day's books they have open at a moment.

On a Saturday many banks state figures of the moment under the date of Monday, whose books are
open then. A bank's business day is over at the latest when the system between the banks has
closed; days on which that rests are those of the European Central Bank (T2). A country's own
holidays are not known here: on those nothing is assumed.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

# T2 has closed by then, in its own time.
_CLOSED_FROM = time(18)
_ALWAYS_CLOSED = ((1, 1), (5, 1), (12, 25), (12, 26))
_DAY = timedelta(days=1)


def is_bank_day(day: date) -> bool:
    """Whether euros move between banks on this day."""
    if day.weekday() >= 5 or (day.month, day.day) in _ALWAYS_CLOSED:
        return False
    return easter(day.year) - day not in (2 * _DAY, -_DAY)


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the method of Meeus, Jones and Butcher)."""
    golden, (century, rest) = year % 19, divmod(year, 100)
    leaps, odd = divmod(century, 4)
    shift = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leaps - shift + 15) % 30
    week = (32 + 2 * odd + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * week) // 451
    month, day = divmod(epact + week - 7 * late + 114, 31)
    return date(year, month, day + 1)


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
