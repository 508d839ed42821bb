"""Gather what a strategy's plan for a person's cases depends on. Read under his lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, func, or_, select

from app.domain.approval import ApprovalState
from app.domain.case import CaseState
from app.domain.day_count import frozen_days
from app.domain.experiment import Withheld
from app.domain.promise import PromiseState
from app.domain.stage_plan import CALLING, ENDS, CallMade, CaseFacts, StepKind
from app.domain.stages import StrategyBody
from app.domain.strategy import PERSON_FIRST
from app.domain.task import TaskOutcome, TaskReason, TaskState
from app.flows.ask_gate import zones_for
from app.flows.look_at_person import Person
from app.reference.places import is_working_day
from app.store.brakes import freezing_holds
from app.store.dues import Due
from app.store.strategies import bodies_of, taken_steps
from app.store.tables import approvals, cases, loans, promises, strategy_steps, tasks
from app.store.unit import Unit

# Outcomes older than this belong to another year's troubles.
_LOOK_BACK: Final = timedelta(days=400)
_NOTHING_CAME: Final = (PromiseState.BROKEN.value, PromiseState.PART.value)
_AFTER_THE_END: Final = (*(kind.value for kind in ENDS), StepKind.REVIEW.value)


@dataclass(frozen=True, slots=True)
class InHand:
    """One open case that a strategy leads, with the facts its plan is made from."""

    case_id: UUID
    due: Due
    body: StrategyBody
    stage: str
    facts: CaseFacts


async def cases_in_hand(unit: Unit, now: datetime, person: Person) -> tuple[InHand, ...]:
    """His open cases with a strategy, oldest due first. Raises `Invalid` for a body gone bad."""
    rows = await _rows(unit, person)
    if not rows:
        return ()
    bodies = await bodies_of(unit, {row.strategy_version_id for row in rows.values()})
    zone = zone_of(unit, person)
    today = local_today(unit, person, now)
    taken = await taken_steps(unit, [row.loan_id for row in rows.values()])
    calls = await _calls(unit, person, now, zone)
    promised = await _promises(unit, rows, zone)
    ends = await _ends(unit, rows, zone)
    freezing = await freezing_holds(unit, {row.id: person.id for row in rows.values()})
    found = []
    for due in person.dues:
        row = rows.get(due.case_id) if due.case_id is not None else None
        if row is None:
            continue
        open_now, ended_on = promised.get(row.id, (False, None))
        waiting, decided_on = ends.get(row.id, (False, None))
        tasks_on = person.tasks_on(row.id)
        facts = CaseFacts(
            today=today,
            oldest_due_on=due.oldest_due_on,
            watched_from=row.loan_made_at.astimezone(zone).date(),
            frozen=frozen_days(freezing.get(row.id, ()), zone, upto=today),
            taken=taken.get(row.loan_id, frozenset()),
            calls=calls,
            promised=open_now,
            promise_ended_on=ended_on,
            held=bool(person.holds_on(row.id)),
            in_flight=person.in_flight or due.case_state is CaseState.IN_FLIGHT,
            link_live=person.link_live_until is not None,
            left_alone=person.left_alone_until(row.id, Withheld.STRATEGY) is not None,
            person_first=not PERSON_FIRST.isdisjoint({*tasks_on, *person.troubles}),
            call_waiting=any(reason in CALLING for _, reason in person.tasks),
            task_waiting=bool(tasks_on),
            approval_waiting=waiting,
            ended_on=decided_on,
            closes_failed=person.lender.closes_failed,
            working_day=partial(is_working_day, person.row.country, person.row.region or None),
        )
        found.append(InHand(row.id, due, bodies[row.strategy_version_id], row.stage, facts))
    return tuple(found)


def local_today(unit: Unit, person: Person, now: datetime) -> date:
    """His day. Where several zones may be his, the day of the one that is last to turn."""
    zones = zones_for(unit, person.row) or {person.lender.time_zone}
    return min(now.astimezone(ZoneInfo(zone)).date() for zone in zones)


def zone_of(unit: Unit, person: Person) -> ZoneInfo:
    """The zone that past moments are put on days by: his, else the lender's."""
    zones = sorted(zones_for(unit, person.row))
    return ZoneInfo(person.row.time_zone or (zones[0] if zones else person.lender.time_zone))


def day_begins(unit: Unit, person: Person, day: date) -> datetime:
    """The first moment at which it is this day in every zone that may be his."""
    zones = zones_for(unit, person.row) or {person.lender.time_zone}
    return max(_midnight(day, ZoneInfo(zone)) for zone in zones)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Where clocks leap over midnight, the first moment after the leap."""
    moment = datetime.combine(day, time(), zone).astimezone(UTC)
    if moment.astimezone(zone).date() < day:
        moment += timedelta(hours=1)
    return moment


async def _rows(unit: Unit, person: Person) -> dict[UUID | None, Row[Any]]:
    found: list[Row[Any]] = list(
        await unit.conn.execute(
            select(
                cases.c.id,
                cases.c.loan_id,
                cases.c.strategy_version_id,
                cases.c.stage,
                loans.c.created_at.label("loan_made_at"),
            )
            .join(loans, loans.c.id == cases.c.loan_id)
            .where(
                cases.c.borrower_id == person.id,
                cases.c.state != CaseState.CLOSED.value,
                cases.c.strategy_version_id.is_not(None),
            )
        )
    )
    return {row.id: row for row in found}


async def _calls(unit: Unit, person: Person, now: datetime, zone: ZoneInfo) -> tuple[CallMade, ...]:
    """The calls that people made, whichever of his debts they were about.

    Whoever speaks with him speaks about all of them: one call a day is one call to a person.
    """
    rows = await unit.conn.execute(
        select(tasks.c.ended_at, tasks.c.outcome, tasks.c.reason)
        .where(
            tasks.c.borrower_id == person.id,
            tasks.c.state == TaskState.DONE.value,
            tasks.c.outcome.is_not(None),
            tasks.c.reason.in_([reason.value for reason in CALLING]),
            tasks.c.ended_at > now - _LOOK_BACK,
        )
        .order_by(tasks.c.ended_at, tasks.c.id)
    )
    return tuple(
        CallMade(
            row.ended_at.astimezone(zone).date(), _what_came_of(row.reason, row.outcome, person)
        )
        for row in rows
    )


def _what_came_of(reason: str, outcome: str, person: Person) -> TaskOutcome:
    """Whoever looked for a way to him and found none has tried, whatever he called it."""
    looked = reason == TaskReason.NO_WAY_TO_REACH.value
    if looked and outcome == TaskOutcome.RESOLVED.value and person.row.phone_enc is None:
        return TaskOutcome.NO_ANSWER
    return TaskOutcome(outcome)


async def _promises(
    unit: Unit, rows: Mapping[UUID | None, Row[Any]], zone: ZoneInfo
) -> dict[UUID, tuple[bool, date | None]]:
    """Whether one is open, and the day on which the latest came to nothing, by case."""
    found = await unit.conn.execute(
        select(
            promises.c.case_id,
            func.bool_or(promises.c.state == PromiseState.OPEN.value).label("open"),
            func.max(promises.c.ended_at)
            .filter(promises.c.state.in_(_NOTHING_CAME))
            .label("broken_at"),
        )
        .where(promises.c.case_id.in_([one for one in rows if one is not None]))
        .group_by(promises.c.case_id)
    )
    return {row.case_id: (row.open, _day(row.broken_at, zone)) for row in found}


async def _ends(
    unit: Unit, rows: Mapping[UUID | None, Row[Any]], zone: ZoneInfo
) -> dict[UUID, tuple[bool, date | None]]:
    """Whether a proposal waits, and the last day on which the end occupied somebody, by case."""
    ids = [one for one in rows if one is not None]
    by_loan = {row.loan_id: row.id for row in rows.values()}
    waiting: set[UUID] = set()
    last: dict[UUID, datetime] = {}
    decided = await unit.conn.execute(
        select(
            approvals.c.case_id, approvals.c.loan_id, approvals.c.state, approvals.c.decided_at
        ).where(or_(approvals.c.case_id.in_(ids), approvals.c.loan_id.in_(list(by_loan))))
    )
    for row in decided:
        case_id = row.case_id if row.case_id in rows else by_loan.get(row.loan_id)
        if case_id is None:
            continue
        if row.state == ApprovalState.PROPOSED.value:
            waiting.add(case_id)
        _later(last, case_id, row.decided_at)
    for query in _traces(ids):
        for row in await unit.conn.execute(query):
            _later(last, row.case_id, row.at)
    return {case_id: (case_id in waiting, _day(last.get(case_id), zone)) for case_id in ids}


def _traces(case_ids: Sequence[UUID]) -> tuple[Any, ...]:
    """What else shows that a person had the case after its end."""
    reviewed = select(tasks.c.case_id, func.max(tasks.c.ended_at).label("at")).where(
        tasks.c.case_id.in_(case_ids), tasks.c.reason == TaskReason.REVIEW_CASE.value
    )
    stepped = select(
        strategy_steps.c.case_id, func.max(strategy_steps.c.made_at).label("at")
    ).where(strategy_steps.c.case_id.in_(case_ids), strategy_steps.c.kind.in_(_AFTER_THE_END))
    return reviewed.group_by(tasks.c.case_id), stepped.group_by(strategy_steps.c.case_id)


def _later(last: dict[UUID, datetime], case_id: UUID, at: datetime | None) -> None:
    if at is not None:
        last[case_id] = max(at, last.get(case_id, at))


def _day(at: datetime | None, zone: ZoneInfo) -> date | None:
    return None if at is None else at.astimezone(zone).date()
