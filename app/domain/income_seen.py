"""From rows and balances to what is known of the time between two looks at an account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.income import DAY, IncomeProfile, Seen

# Between two balances so many days apart what was spent can still be told from what came in.
_CLEAR_DAYS = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One transaction: its moment (`income.minute_of`) and its amount in minor units."""

    minute: int
    minor: int


def between_balances(
    profile: IncomeProfile, since: int, until: int, before_minor: int, after_minor: int
) -> Seen | None:
    """What two balances say about the time between; None where they leave it open.

    What was spent meanwhile is estimated, and added to a rise. Over many days the estimate could
    hide an income or feign one, so that only a rise well beyond it counts, and its absence proves
    nothing.
    """
    days = (until - since) / DAY
    risen = after_minor - before_minor
    spent = round(profile.spent_per_day * days)
    if days > _CLEAR_DAYS:
        if 5 * (risen + spent) <= 3 * profile.usual_minor * max(1.0, days / 30):
            return None
        return Seen(since, until, risen + spent, spent)
    return Seen(since, until, risen + spent if risen > 0 else 0, max(-risen, 0))


def between_rows(rows: Sequence[Row], since: int, until: int, *, timed: bool) -> list[Seen]:
    """What all rows from `since` to before `until` say, a stretch per day. Rows are in order.

    `timed` says whether their moments carry an hour.
    """
    found: list[Seen] = []
    at, place = since, 0
    while at < until:
        end = min((at // DAY + 1) * DAY, until)
        came = spent = largest = 0
        came_at: int | None = None
        while place < len(rows) and rows[place].minute < end:
            row = rows[place]
            place += 1
            if row.minor <= 0:
                spent -= row.minor
                continue
            came += row.minor
            if timed and row.minor > largest:
                largest, came_at = row.minor, row.minute
        found.append(Seen(at, end, came, spent, came_at))
        at = end
    return found
