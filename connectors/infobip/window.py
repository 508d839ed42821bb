"""Until when a text may be delivered, in Infobip's terms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

LONGEST_LIFE = timedelta(hours=48)
SHORTEST_WINDOW = timedelta(hours=1)
DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


def delivery_options(now: datetime, valid_seconds: int) -> dict[str, Any]:
    """`options` of a message that may arrive until `valid_seconds` after `now` (aware).

    Hours and minutes are UTC, whatever zone `now` has, so they are right in summer and winter. A
    window is at least an hour long: a shorter rest of it opens in the past, never later. One that
    crosses midnight UTC is left out; the text's own life ends it all the same.
    """
    begin = now.astimezone(UTC)
    end = begin + timedelta(seconds=valid_seconds)
    life = min(timedelta(seconds=valid_seconds), LONGEST_LIFE)
    options: dict[str, Any] = {
        "validityPeriod": {"amount": int(life.total_seconds()), "timeUnit": "SECONDS"}
    }
    closes = end.replace(second=0, microsecond=0)
    opens = min(begin.replace(second=0, microsecond=0), closes - SHORTEST_WINDOW)
    if opens.date() == closes.date():
        options["deliveryTimeWindow"] = {
            "days": [DAYS[closes.weekday()]],
            "from": {"hour": opens.hour, "minute": opens.minute},
            "to": {"hour": closes.hour, "minute": closes.minute},
        }
    return options
