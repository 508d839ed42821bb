"""Whether every promise says what the money says: counted anew, without any cleverness."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.scenarios.town import Town

_PROMISES: Final = """
    SELECT p.*, l.time_zone, c.state AS case_state FROM promises p
    JOIN lenders l ON l.id = p.lender_id JOIN cases c ON c.id = p.case_id
"""
_PARTS: Final = "SELECT promise_id, due_on, amount_minor FROM promise_parts ORDER BY due_on"
_MONEY: Final = """
    SELECT loan_id, amount_minor, paid_at, recorded_at, reversed_at FROM repayments
    WHERE counted AND source <> 'forgiven'
"""
_PAID: Final = ("paid_through_saldo", "paid_elsewhere")


async def misjudged(town: Town, *, awake: bool) -> tuple[int, list[tuple[UUID, str]]]:
    """How many promises were judged, and (borrower, words) of those that are wrong."""
    parts: defaultdict[UUID, list[Any]] = defaultdict(list)
    for row in await town.rows(_PARTS):
        parts[row.promise_id].append(row)
    money: defaultdict[UUID, list[Any]] = defaultdict(list)
    for row in await town.rows(_MONEY):
        money[row.loan_id].append(row)
    found = []
    rows = await town.rows(_PROMISES)
    for promise in rows:
        today = town.now.astimezone(ZoneInfo(promise.time_zone)).date()
        says = verdict(promise, parts[promise.id], money[promise.loan_id], today)
        back = [one for one in money[promise.loan_id] if one.reversed_at is not None]
        if not _fits(promise, says, money_went_back=bool(back), awake=awake):
            words = f"promise {promise.id} is {promise.state} ({promise.ended_why}), money: {says}"
            found.append((promise.borrower_id, words))
    return len(rows), found


def verdict(promise: Any, parts: list[Any], money: list[Any], today: date) -> str:
    """open, kept, part or broken, by the days on which money was paid."""
    zone = ZoneInfo(promise.time_zone)
    came = [
        (one.paid_at.astimezone(zone).date(), one.amount_minor)
        for one in money
        if one.recorded_at >= promise.made_at and one.reversed_at is None
    ]
    wanted = 0
    for part in parts:
        wanted += part.amount_minor
        deadline = part.due_on + timedelta(days=promise.grace_days)
        in_time = sum(minor for on, minor in came if on <= deadline)
        if in_time + promise.tolerance_minor < wanted:
            if today <= deadline:
                return "open"
            return "part" if in_time else "broken"
    return "kept"


def _fits(promise: Any, says: str, *, money_went_back: bool, awake: bool) -> bool:
    state = promise.state
    if state == "cancelled":
        # Taken back by people, or nobody has to keep it: the case ended without money.
        return promise.ended_why not in ("", *_PAID)
    if state == "open":
        # Nobody judges while nobody runs.
        return promise.case_state != "closed" and (says == "open" or not awake)
    if state == says:
        return True
    if state == "kept" and promise.ended_why in _PAID:
        return True
    # What was judged before money went back stands, where a newer one or no case is there.
    return money_went_back and (state, says) in (
        ("kept", "open"), ("kept", "part"), ("kept", "broken"), ("part", "broken"),
    )  # fmt: skip
