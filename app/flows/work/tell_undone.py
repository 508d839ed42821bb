"""Once a working day: tell whoever has a case what was ordered for it and not done, and why.

Each act is told once, by its step, to whoever has the case on that morning: a task of its borrower
waits with him, or he worked the last one. What nobody has is told to the leads.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from app.domain.undone import FAILED, NO_NEWS, Waits, days_to_tell
from app.flows.house import House
from app.reference.places import working_days
from app.store.tables import lenders, slots
from app.store.unit import Unit

_FROM: Final = time(5)
"""On the lender's clock: by then yesterday is over in every zone that his borrowers live in."""

# A task that waits is told from one that was called off; a message by what became of it.
_TELL: Final = text("""
    INSERT INTO undone_acts (lender_id, step_id, told_on, user_id, borrower_id, case_id, act, why)
    SELECT s.lender_id, s.id, :today, his.user_id, s.borrower_id, s.case_id, s.kind, told.why
    FROM strategy_steps s
    LEFT JOIN messages m ON m.id = s.message_id
    LEFT JOIN tasks t ON t.id = s.task_id
    CROSS JOIN LATERAL (SELECT CASE
        WHEN m.state = 'cancelled' THEN coalesce(m.cancel_reason, :failed)
        WHEN m.state IN ('failed', 'undelivered') THEN :failed
        WHEN m.id IS NOT NULL THEN NULL
        WHEN t.state = 'cancelled' THEN coalesce(t.cancel_reason, 'called_off')
        WHEN t.state = 'taken' THEN :in_hand
        WHEN t.state = 'open' AND t.situation ? 'later_because' THEN :too_early
        WHEN t.state = 'open' THEN :not_taken
        WHEN t.state = 'done' THEN NULL
        ELSE s.result END AS why) told
    LEFT JOIN LATERAL (
        SELECT coalesce(w.taken_by, w.given_to) AS user_id FROM tasks w
        WHERE w.borrower_id = s.borrower_id AND coalesce(w.taken_by, w.given_to) IS NOT NULL
        ORDER BY w.state IN ('open', 'taken') DESC, w.case_id = s.case_id DESC NULLS LAST,
            coalesce(w.ended_at, w.created_at) DESC, w.id DESC
        LIMIT 1) his ON true
    WHERE s.lender_id = :lender AND s.on_day BETWEEN :first AND :last
        AND s.kind IN ('notice', 'call', 'promise_reminder') AND s.case_id IS NOT NULL
        AND told.why IS NOT NULL AND NOT told.why = ANY(:no_news)
    ON CONFLICT (lender_id, step_id) DO NOTHING
""")


@dataclass(frozen=True, slots=True)
class UndoneTold:
    """How many acts were told."""

    acts: int


async def tell_undone(house: House, now: datetime) -> UndoneTold:
    """Tell it for every lender whose working day has begun, once a day."""
    async with house.store.engine_unit() as unit:
        everybody = (
            await unit.conn.execute(
                select(lenders.c.id, lenders.c.time_zone, lenders.c.jurisdiction)
            )
        ).all()
    acts = 0
    for lender in everybody:
        days = _days(lender, now)
        if days is None:
            continue
        async with house.store.engine_unit() as unit:
            if await _first_today(unit, now, lender.id, days[0]):
                acts += await _tell(unit, lender.id, *days)
    return UndoneTold(acts)


def _days(lender: Any, now: datetime) -> tuple[date, date, date] | None:
    """Today, and the days that are told; None before it is time."""
    here = now.astimezone(ZoneInfo(lender.time_zone))
    if here.time() < _FROM:
        return None
    today = here.date()
    told = days_to_tell(today, working_days(lender.jurisdiction, None))
    return None if told is None else (today, *told)


async def _first_today(unit: Unit, now: datetime, lender_id: UUID, today: date) -> bool:
    """Take the day of a lender; False when it was taken, by whichever process."""
    taken = await unit.conn.execute(
        insert(slots)
        .values(name=f"tell_undone|{lender_id}", slot=today.isoformat(), taken_at=now)
        .on_conflict_do_nothing()
        .returning(slots.c.slot)
    )
    return taken.first() is not None


async def _tell(unit: Unit, lender_id: UUID, today: date, first: date, last: date) -> int:
    made = await unit.conn.execute(
        _TELL,
        {
            "lender": lender_id,
            "today": today,
            "first": first,
            "last": last,
            "failed": FAILED,
            "in_hand": Waits.IN_HAND.value,
            "too_early": Waits.TOO_EARLY.value,
            "not_taken": Waits.NOT_TAKEN.value,
            "no_news": [one.value for one in NO_NEWS],
        },
    )
    return made.rowcount
