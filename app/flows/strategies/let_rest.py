"""Let the cases rest that nothing is to be done about today: most of a book, most of the days.

Their facts are read for all of a lender's people in the batch at once. Whom anybody else is busy
with, and of whom something is to be done, is left to a unit of his own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.his_clock import HisClock
from app.domain.ids import LenderId
from app.domain.stage_plan import Plan, WaitsFor, plan_case
from app.flows.actors import ROBOT
from app.flows.house import House
from app.flows.messages.find_clock import find_clock
from app.reference.places import working_days
from app.store import timeline
from app.store.locks import lock_free_borrowers
from app.store.plan_facts import PlanFacts, bodies_for, facts_of_people
from app.store.strategies import NextLook, look_again, put_off, settle_called_off
from app.store.tables import lenders
from app.store.timeline import Kind, Line
from app.store.unit import Unit

# Business time a planned case has before it is planned again.
LEASE: Final = timedelta(minutes=5)
_SOME_DAY: Final = timedelta(days=1)

Looked: TypeAlias = tuple[PlanFacts, Plan]


async def let_rest(
    house: House, now: datetime, lender_id: LenderId, borrower_ids: Iterable[UUID]
) -> frozenset[UUID]:
    """Put the next look of all who need nothing before it; returns who they are."""
    async with house.store.unit(lender_id) as unit:
        people = await lock_free_borrowers(unit, borrower_ids)
        clocks = await _clocks(unit, lender_id, people)
        planned = await _plans(unit, now, clocks)
        busy = {
            facts.borrower_id
            for facts, plan in planned
            if plan.steps or _is_asked_again(plan, people[facts.borrower_id])
        }
        resting = frozenset(people.keys() - busy)
        quiet = [(facts, plan) for facts, plan in planned if facts.borrower_id in resting]
        await settle_called_off(unit, now, [facts.loan_id for facts, _ in quiet])
        await timeline.write(unit, now, stage_lines(quiet))
        await set_next_looks(unit, now, {one: clocks[one] for one in resting}, quiet)
    return resting


async def _clocks(
    unit: Unit, lender_id: LenderId, people: Mapping[UUID, Row[Any]]
) -> dict[UUID, HisClock]:
    zone = await unit.conn.scalar(select(lenders.c.time_zone).where(lenders.c.id == lender_id))
    return {borrower_id: find_clock(unit, row, str(zone)) for borrower_id, row in people.items()}


async def _plans(unit: Unit, now: datetime, clocks: Mapping[UUID, HisClock]) -> list[Looked]:
    """The plans of all cases that have something due. Raises `Invalid` for a body gone bad."""
    found = [
        one
        for one in await facts_of_people(unit, clocks, now, working_days)
        if one.facts.oldest_due_on is not None
    ]
    bodies = await bodies_for(unit, found)
    return [(one, plan_case(bodies[one.case_id], one.facts)) for one in found]


def _is_asked_again(plan: Plan, person: Row[Any]) -> bool:
    """Does a lock that his own wrong answers closed have to be brought up again?"""
    return plan.waits_for is WaitsFor.PERSON and person.checks_locked_at is not None


def stage_lines(planned: Iterable[Looked]) -> list[Line]:
    """A line for every case that stands in another stage than before."""
    return [
        Line(
            seen.borrower_id,
            Kind.STAGE_CHANGED,
            ROBOT,
            {"from": seen.stage, "to": plan.stage, "days_past_due": seen.facts.days_past_due},
            seen.case_id,
        )
        for seen, plan in planned
        if plan.stage != seen.stage
    ]


async def set_next_looks(
    unit: Unit,
    now: datetime,
    clocks: Mapping[UUID, HisClock],
    planned: Iterable[Looked],
) -> None:
    """Stage and next look of every case; what nothing is due of rests for a day.

    `clocks` names the people of whom all cases were looked at, and whose locks the caller holds.
    """
    looks = []
    for seen, plan in planned:
        again = plan.look_again_on
        at = None if again is None else clocks[seen.borrower_id].begins(again)
        looks.append(NextLook(seen.case_id, plan.stage, at))
    await look_again(unit, looks)
    await put_off(
        unit,
        clocks,
        [look.case_id for look in looks],
        due_by=now + LEASE,
        until=now + _SOME_DAY,
    )
