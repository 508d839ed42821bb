"""The clock's look at promises: remind before a part's day, judge after its deadline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.ids import LenderId, derive_key
from app.domain.money import Money
from app.domain.promise import PromiseState
from app.domain.promise_terms import Part, judge, reminder_days
from app.domain.provider_setup import Slot
from app.flows.house import House
from app.flows.side_by_side import side_by_side
from app.flows.work.judge_promises import REMINDER, judge_promises, step_name
from app.flows.work.remind_of_promise import remind_of_promise
from app.store.keys import new_id
from app.store.loans import lock_loan
from app.store.promises import money_since, parts_of, zone_of_lender
from app.store.tables import promises, strategy_steps
from app.store.unit import Unit

_MOST: Final = 200
# Business time after which a promise is looked at again, should its own look fail.
_AGAIN: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class PromisesWatched:
    """How many were looked at, and how many reminders that made due."""

    looked_at: int
    reminders: int


async def watch_promises(house: House, now: datetime) -> PromisesWatched:
    """Look at every open promise whose time has come, at most `_MOST` a tick.

    What was missed while nobody ran is found the same way: a deadline is judged by the days of
    the payments, never by when somebody looked.
    """
    async with house.store.engine_unit() as unit:
        rows = await unit.conn.execute(
            select(promises.c.id, promises.c.lender_id, promises.c.loan_id)
            .where(promises.c.next_look_at.is_not(None), promises.c.next_look_at <= now)
            .order_by(promises.c.next_look_at)
            .limit(_MOST)
            .with_for_update(skip_locked=True)
        )
        due = [(row.id, row.lender_id, row.loan_id) for row in rows]
        await unit.conn.execute(
            update(promises)
            .where(promises.c.id.in_([promise_id for promise_id, _, _ in due]))
            .values(next_look_at=now + _AGAIN)
        )

    houses = await house.of_everybody(Slot.PAYMENTS)

    async def one(whom: tuple[UUID, UUID, UUID]) -> int:
        promise_id, lender_id, loan_id = whom[0], LenderId(whom[1]), whom[2]
        return await _look(houses.of(lender_id), now, lender_id, promise_id, loan_id)

    made = await side_by_side(due, one)
    return PromisesWatched(len(due), sum(made))


async def _look(
    house: House, now: datetime, lender_id: LenderId, promise_id: UUID, loan_id: UUID
) -> int:
    async with house.store.unit(lender_id) as unit:
        await lock_loan(unit, loan_id)
        made = await _remind(unit, house, now, promise_id)
        await judge_promises(unit, now, loan_id)
        return made


async def _remind(unit: Unit, house: House, now: datetime, promise_id: UUID) -> int:
    promise = (await unit.conn.execute(select(promises).where(promises.c.id == promise_id))).one()
    if promise.state != PromiseState.OPEN.value:
        return 0
    zone = await zone_of_lender(unit, promise.lender_id)
    parts = (await parts_of(unit, (promise,)))[promise.id]
    paid = await money_since(unit, promise, zone)
    today = now.astimezone(zone).date()
    made = 0
    for number, on in _ripe(promise, parts, zone, today):
        # Asked up to this part alone: what is paid already needs no reminder.
        ruling = judge(
            parts[:number],
            paid,
            today,
            grace_days=promise.grace_days,
            tolerance=Money(promise.tolerance_minor, promise.currency),
        )
        if await _take_step(unit, now, promise, number, on, needed=ruling.event is None):
            await remind_of_promise(unit, house, now, promise, number, parts[number - 1])
            made += 1
    return made


def _ripe(
    promise: Row[Any], parts: tuple[Part, ...], zone: ZoneInfo, today: date
) -> list[tuple[int, date]]:
    """Reminders whose day has come and whose part is still ahead."""
    made_on = promise.made_at.astimezone(zone).date()
    planned = reminder_days(parts, made_on=made_on, days_before=promise.remind_days_before)
    return [(number, on) for number, on in planned if on <= today < parts[number - 1].due_on]


async def _take_step(
    unit: Unit, now: datetime, promise: Row[Any], number: int, on: date, *, needed: bool
) -> bool:
    """Take the step of this reminder once, under its derived key; True when a message is due."""
    result = None if needed else "paid"
    step = insert(strategy_steps).values(
        id=new_id(),
        lender_id=promise.lender_id,
        borrower_id=promise.borrower_id,
        loan_id=promise.loan_id,
        case_id=promise.case_id,
        key=derive_key(promise.id, REMINDER, number),
        kind=REMINDER,
        name=step_name(promise.id, number),
        on_day=on,
        made_at=now,
        result=result,
        ended_at=None if needed else now,
    )
    made = await unit.conn.execute(
        step.on_conflict_do_nothing(index_elements=["lender_id", "key"]).returning(
            strategy_steps.c.id
        )
    )
    return made.first() is not None and needed
