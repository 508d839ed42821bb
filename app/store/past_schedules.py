"""Schedules that the lender's ledger has replaced: kept, so that a past day stays what it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Row, cast, func, insert, select

from app.store.keys import new_id
from app.store.loans import Scheduled
from app.store.tables import instalments, lenders, past_schedules
from app.store.unit import Unit


async def keep_past(
    unit: Unit, now: datetime, loan: Row[Any], until: datetime, schedule: Sequence[Scheduled]
) -> None:
    """Keep what is due on a loan before `schedule` is written, under the lock on the loan.

    `until` is when the new one was the ledger's. Nothing is kept where only money moved, and
    nothing that no end of a day had seen: what is corrected on the day it was stated was never so.
    """
    rows = await unit.conn.execute(
        select(
            instalments.c.number,
            instalments.c.due_on,
            instalments.c.amount_minor,
            instalments.c.paid_minor,
        )
        .where(instalments.c.loan_id == loan.id, instalments.c.amount_minor > 0)
        .order_by(instalments.c.number)
    )
    old = [Scheduled(*row) for row in rows]
    if not old or _terms(old) == _terms(schedule) or await _no_day_saw_it(unit, loan, until):
        return
    await unit.conn.execute(
        insert(past_schedules).values(
            id=new_id(),
            lender_id=loan.lender_id,
            loan_id=loan.id,
            until=until,
            recorded_at=now,
            numbers=[one.number for one in old],
            due_on=[one.due_on for one in old],
            amount_minor=[one.amount_minor for one in old],
            paid_minor=[one.paid_minor for one in old],
        )
    )


def _terms(schedule: Sequence[Scheduled]) -> set[tuple[Any, ...]]:
    return {(one.number, one.due_on, one.amount_minor) for one in schedule if one.amount_minor > 0}


async def _no_day_saw_it(unit: Unit, loan: Row[Any], until: datetime) -> bool:
    """Was it stated, or its predecessor replaced, on the day on which it is replaced itself?"""

    def day(moment: Any) -> Any:
        return cast(func.timezone(lenders.c.time_zone, moment), Date)

    kept = select(past_schedules.c.id).where(
        past_schedules.c.loan_id == loan.id, day(past_schedules.c.until) == day(until)
    )
    found = await unit.conn.scalar(
        select((day(loan.created_at) >= day(until)) | kept.exists()).where(
            lenders.c.id == loan.lender_id
        )
    )
    return bool(found)


async def schedule_before(unit: Unit, loan_id: UUID, edge: datetime) -> Row[Any] | None:
    """The schedule that was in force just before `edge`; None where it is today's."""
    rows = await unit.conn.execute(
        select(past_schedules)
        .where(past_schedules.c.loan_id == loan_id, past_schedules.c.until >= edge)
        .order_by(past_schedules.c.until)
        .limit(1)
    )
    return rows.one_or_none()
