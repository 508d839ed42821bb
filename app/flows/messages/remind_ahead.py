"""Remind of what is coming: the part of a strategy before anything is due, without a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select, true

from app.domain.his_clock import HisClock, clock_of
from app.domain.ids import LenderId, derive_key
from app.domain.money import Money
from app.domain.provider_setup import Slot
from app.domain.stage_plan import Plan, Step, plan_reminders
from app.domain.stages import StrategyBody
from app.domain.template import Cause
from app.flows.cases.look_at_person import Person, look_at_person
from app.flows.house import House
from app.flows.messages.notice_words import Owed, Subject
from app.flows.messages.queue_notice import Notice, notice_key, queue_notice
from app.flows.side_by_side import side_by_side
from app.flows.strategies.install_strategies import install_strategies
from app.store.dues import last_due_day, local_day
from app.store.loans import coming_amounts, set_remind_days
from app.store.strategies import (
    Doing,
    bodies_of,
    chosen_versions,
    lenders_without_choice,
    taken_steps,
    write_steps,
)
from app.store.tables import lenders, loans
from app.store.unit import Unit

# Loans looked at in a tick. Most have nothing to be said yet and cost one row of one statement.
BATCH: Final = 2_000
_TOMORROW: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reminded:
    """Loans looked at, people written to, and reminders written down as not sent."""

    looked_at: int
    messages: int
    skipped: int


async def remind_ahead(house: House, now: datetime, *, limit: int = BATCH) -> Reminded:
    """Look at loans whose day for it has come; remind of those that a strategy says.

    A loan that was paid before has no such day any more, and one that fell due has a case. Two
    runs at once look at different loans, and a person's messages queue behind his lock.
    """
    async with house.store.engine_unit() as unit:
        rows = await _ripe(unit, now, limit)
        for lender_id in await lenders_without_choice(unit, {row.lender_id for row in rows}):
            await install_strategies(unit, now, lender_id)
        later: dict[UUID, date] = {}
        people: set[tuple[UUID, UUID]] = set()
        plans = await _plans(
            unit, rows, {row.id: row.today for row in rows}, clock_of((), None, "UTC")
        )
        for row in rows:
            plan = plans.get(row.id)
            if plan is not None and plan.steps:
                people.add((row.lender_id, row.borrower_id))
            else:
                later[row.id] = row.next_due_on if plan is None else _again(plan, row, row.today)
        await set_remind_days(unit, later)

    houses = await house.of_everybody(Slot.PAYMENTS)

    async def one(whom: tuple[UUID, UUID]) -> tuple[int, int]:
        lender_id = LenderId(whom[0])
        return await _remind(houses.of(lender_id), now, lender_id, whom[1])

    told = await side_by_side(sorted(people), one)
    return Reminded(len(rows), sum(sent for sent, _ in told), sum(skip for _, skip in told))


async def _ripe(unit: Unit, now: datetime, limit: int) -> Sequence[Row[Any]]:
    """One probe of the index per lender: each has its own day."""
    today = local_day(now)
    ripe = (
        select(
            loans.c.id,
            loans.c.lender_id,
            loans.c.borrower_id,
            loans.c.next_due_on,
            loans.c.created_at,
            today.label("today"),
        )
        .where(
            loans.c.lender_id == lenders.c.id,
            loans.c.case_id.is_(None),
            loans.c.state == "active",
            loans.c.collection_ended_at.is_(None),
            loans.c.next_due_on.is_not(None),
            loans.c.remind_on <= today,
            loans.c.next_due_on > last_due_day(now),
        )
        .order_by(loans.c.remind_on)
        .limit(limit)
        .correlate(lenders)
        .lateral("ripe")
    )
    found = await unit.conn.execute(
        select(ripe).select_from(lenders.join(ripe, true())).limit(limit)
    )
    return found.all()


async def _plans(
    unit: Unit, rows: Sequence[Row[Any]], today: Mapping[UUID, date], clock: HisClock
) -> dict[UUID, Plan]:
    """What the strategy that each loan would get says today; a loan without one is absent."""
    ids = [row.id for row in rows]
    versions = await chosen_versions(unit, ids)
    bodies: Mapping[UUID, StrategyBody] = await bodies_of(unit, versions.values())
    taken = await taken_steps(unit, ids)
    return {
        row.id: plan_reminders(
            bodies[versions[row.id]],
            today=today[row.id],
            due_on=row.next_due_on,
            watched_from=clock.day_of(row.created_at),
            taken=taken.get(row.id, frozenset()),
        )
        for row in rows
        if row.id in versions
    }


def _again(plan: Plan, row: Row[Any], today: date) -> date:
    day: date = plan.look_again_on or row.next_due_on
    return max(day, today + _TOMORROW)


async def _remind(
    house: House, now: datetime, lender_id: LenderId, borrower_id: UUID
) -> tuple[int, int]:
    """One person: one message for each channel about all that is coming. Sent and skipped."""
    async with house.store.unit(lender_id) as unit:
        person = await look_at_person(unit, now, borrower_id)
        today = person.clock.today(now)
        rows = await _his(unit, borrower_id, today)
        if person.in_flight or person.kept_quiet:
            await set_remind_days(unit, {row.id: today + _TOMORROW for row in rows})
            return 0, 0
        plans = await _plans(unit, rows, {row.id: today for row in rows}, person.clock)
        doings = await _say(unit, house, now, person, rows, plans, today)
        await write_steps(unit, now, lender_id=lender_id, borrower_id=borrower_id, doings=doings)
        again = {
            row.id: row.next_due_on if row.id not in plans else _again(plans[row.id], row, today)
            for row in rows
        }
        await set_remind_days(unit, again)
    sent = {doing.message_id for doing in doings} - {None}
    return len(sent), sum(doing.result is not None for doing in doings)


async def _his(unit: Unit, borrower_id: UUID, today: date) -> Sequence[Row[Any]]:
    found: list[Row[Any]] = list(
        await unit.conn.execute(
            select(loans.c.id, loans.c.external_ref, loans.c.next_due_on, loans.c.created_at)
            .where(
                loans.c.borrower_id == borrower_id,
                loans.c.case_id.is_(None),
                loans.c.state == "active",
                loans.c.collection_ended_at.is_(None),
                loans.c.next_due_on > today,
            )
            .order_by(loans.c.next_due_on, loans.c.id)
        )
    )
    return found


async def _say(
    unit: Unit,
    house: House,
    now: datetime,
    person: Person,
    rows: Sequence[Row[Any]],
    plans: Mapping[UUID, Plan],
    today: date,
) -> list[Doing]:
    amounts: Mapping[UUID, Money] = await coming_amounts(unit, [row.id for row in rows])
    doings: list[Doing] = []
    groups: dict[tuple[Any, Any], list[tuple[Row[Any], Step]]] = {}
    for row in rows:
        for step in plans[row.id].steps if row.id in plans else ():
            if step.skip is not None or step.notice is None:
                doings.append(Doing(row.id, None, step, result=step.skip))
            else:
                key = (step.notice.channel, step.notice.purpose)
                groups.setdefault(key, []).append((row, step))
    for (channel, purpose), group in sorted(groups.items()):
        first, step = group[0]
        owed = tuple(
            Owed(row.id, row.external_ref, amounts[row.id], row.next_due_on) for row, _ in group
        )
        wanted = Notice(
            key=notice_key(derive_key(first.id, step.key), channel),
            channel=channel,
            template=step.notice.template if step.notice else "",
            subject=Subject(Cause.REMIND, owed, today),
            purpose=purpose,
        )
        queued = await queue_notice(unit, house, now, person, wanted)
        doings += [
            Doing(row.id, None, one, message_id=queued.message_id, result=queued.skip)
            for row, one in group
        ]
    return doings
