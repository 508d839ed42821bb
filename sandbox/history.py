"""Recorded histories of real accounts, replayed as if they were lived now.

Two sources: a CSV file with the columns `account,date[,time],amount,balance`, and the daily
balances of one real current account that come with the sandbox (sandbox/data, MIT licence).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from zoneinfo import ZoneInfo

History = list[tuple[datetime, int]]
"""Booked balance in minor units from an instant on, in order."""

SHIPPED = "tcpd_bank"
SHIPPED_FILE = Path(__file__).parent / "data" / "tcpd_bank_daily_balance.json"

# The published figures are scaled and shifted. Their steps are whole multiples of 1/118289
# (rent and cash withdrawals come out as round sums), so that scale is undone; the shift is
# unknown, and the lowest day is laid at 20.00.
_UNIT = Decimal(118289)
_LOWEST_MINOR = 2_000


def _minor(text: str, where: str) -> int:
    try:
        amount = Decimal(text.strip())
    except InvalidOperation as wrong:
        raise ValueError(f"{where}: {text!r} is not an amount") from wrong
    if not amount.is_finite() or amount != amount.quantize(Decimal("0.01")):
        raise ValueError(f"{where}: {text!r} is not an amount with at most two decimals")
    return int(amount * 100)


def read_csv(lines: Iterable[str], zone: ZoneInfo) -> dict[str, History]:
    """Histories by account from CSV lines; times are of `zone`, a day without time is its start.

    Raises ValueError with the line number for a row that cannot be read.
    """
    reader = csv.DictReader(lines)
    missing = {"account", "date", "amount", "balance"} - set(reader.fieldnames or ())
    if missing:
        raise ValueError(f"line 1: missing columns {', '.join(sorted(missing))}")
    found: dict[str, History] = {}
    for number, row in enumerate(reader, start=2):
        where = f"line {number}"
        try:
            day = date.fromisoformat(row["date"].strip())
            hour = time.fromisoformat((row.get("time") or "00:00").strip())
        except ValueError as wrong:
            raise ValueError(f"{where}: {wrong}") from wrong
        _minor(row["amount"], where)
        at = datetime.combine(day, hour, zone).astimezone(UTC)
        found.setdefault(row["account"].strip(), []).append((at, _minor(row["balance"], where)))
    for history in found.values():
        history.sort(key=lambda entry: entry[0])
    return found


def shifted(history: History, first_on: datetime, zone: ZoneInfo) -> History:
    """The same history moved by whole days of `zone`: its first day becomes that of `first_on`.

    Hours of the clock on the wall stay what they were, also across a change of clocks.
    """
    local = [(at.astimezone(zone), minor) for at, minor in history]
    days = first_on.astimezone(zone).date() - local[0][0].date()
    return [
        (datetime.combine(at.date() + days, at.timetz()).astimezone(UTC), minor)
        for at, minor in local
    ]


def shipped(first_on: datetime, zone: ZoneInfo) -> History:
    """The real account that comes along, its first day laid on `first_on`."""
    series = json.loads(SHIPPED_FILE.read_bytes())["series"][0]["raw"]
    lowest = min(Decimal(str(value)) for value in series)
    day = first_on.astimezone(zone).date()
    return [
        (
            datetime.combine(day + timedelta(days=number), time(6), zone).astimezone(UTC),
            int((Decimal(str(value)) - lowest) * _UNIT) + _LOWEST_MINOR,
        )
        for number, value in enumerate(series)
    ]
