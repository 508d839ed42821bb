"""What plans depend on, for many cases at once.

Whoever acts on a plan asks for the facts of people whose locks he holds, with their own clocks. A
preview asks without locks and may be a moment old; it goes by the zone that a borrower stated, else
by his lender's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

from app.domain.day_count import frozen_days
from app.domain.experiment import Withheld
from app.domain.his_clock import HisClock, clock_of
from app.domain.hold import PRESSURE
from app.domain.payment import IN_FLIGHT_STATES
from app.domain.stage_plan import (
    CALLING,
    COUNTED,
    ENDS,
    CallMade,
    CaseFacts,
    StepKind,
    with_outside_calls,
)
from app.domain.stages import StrategyBody
from app.domain.strategy import PERSON_FIRST
from app.domain.task import OVER_EVERY_CASE, TaskOutcome
from app.store import driver
from app.store.brakes import freezing_holds, holds_of
from app.store.experiments import left_alone
from app.store.strategies import bodies_of, taken_steps
from app.store.unit import Unit

# Country and region to the question whether people work there on a day.
Calendar: TypeAlias = Callable[[str, str | None], Callable[[date], bool]]

_LOOK_BACK: Final = timedelta(days=400)

_FACTS: Final = """
    SELECT c.id, c.loan_id, c.borrower_id, c.stage, c.strategy_version_id, b.country, b.region,
        b.time_zone, n.time_zone, n.closes_failed, l.created_at,
        (SELECT min(i.due_on) FROM instalments i WHERE i.loan_id = l.id AND l.state = 'active'
            AND l.case_id = c.id AND i.paid_minor < i.amount_minor
            AND i.due_on <= timezone(n.time_zone, %(now)b::timestamptz)::date - n.case_after_days),
        c.state = 'in_flight' OR EXISTS (SELECT FROM payments y WHERE y.borrower_id = b.id
            AND y.state = ANY(%(in_flight)b::text[])),
        EXISTS (SELECT FROM payment_links k WHERE k.borrower_id = b.id AND k.state = 'live'
            AND k.signal_id IS NOT NULL AND k.expires_at > %(now)b),
        b.checks_locked_at IS NOT NULL,
        (SELECT coalesce(array_agg(t.reason), '{}') FROM tasks t WHERE t.borrower_id = b.id
            AND t.state IN ('open', 'taken')),
        (SELECT coalesce(array_agg(t.reason), '{}') FROM tasks t WHERE t.borrower_id = b.id
            AND t.state IN ('open', 'taken') AND (t.case_id IS NULL OR t.case_id = c.id
                OR t.reason = ANY(%(everywhere)b::text[]))),
        (SELECT coalesce(array_agg(t.ended_at ORDER BY t.ended_at, t.id), '{}') FROM tasks t
            WHERE t.borrower_id = b.id AND t.state = 'done' AND t.outcome IS NOT NULL
                AND t.reason = ANY(%(calling)b::text[]) AND t.ended_at > %(since)b),
        -- Whoever looked for a way to him and found none has tried, whatever he called it.
        (SELECT coalesce(array_agg(CASE WHEN t.reason = 'no_way_to_reach'
                AND t.outcome = 'resolved' AND b.phone_enc IS NULL THEN 'no_answer'
                ELSE t.outcome END ORDER BY t.ended_at, t.id), '{}') FROM tasks t
            WHERE t.borrower_id = b.id AND t.state = 'done' AND t.outcome IS NOT NULL
                AND t.reason = ANY(%(calling)b::text[]) AND t.ended_at > %(since)b),
        EXISTS (SELECT FROM promises p WHERE p.case_id = c.id AND p.state = 'open'),
        (SELECT max(p.ended_at) FROM promises p WHERE p.case_id = c.id
            AND p.state IN ('broken', 'part')),
        EXISTS (SELECT FROM approvals a WHERE a.state = 'proposed'
            AND (a.case_id = c.id OR a.loan_id = l.id)),
        greatest(
            (SELECT max(a.decided_at) FROM approvals a WHERE a.case_id = c.id OR a.loan_id = l.id),
            (SELECT max(t.ended_at) FROM tasks t WHERE t.case_id = c.id
                AND t.reason = 'review_case'),
            (SELECT max(s.made_at) FROM strategy_steps s WHERE s.case_id = c.id
                AND s.kind = ANY(%(ends)b::text[]))),
        -- Calls of ours that were made elsewhere, and noted with what came of them.
        (SELECT coalesce(array_agg(k.made_at ORDER BY k.made_at, k.id), '{}') FROM contacts k
            WHERE k.borrower_id = b.id AND k.source = 'outside' AND k.channel = 'call'
                AND k.direction = 'outbound' AND k.outcome = ANY(%(counted)b::text[])
                AND k.made_at > %(since)b),
        (SELECT coalesce(array_agg(k.outcome ORDER BY k.made_at, k.id), '{}') FROM contacts k
            WHERE k.borrower_id = b.id AND k.source = 'outside' AND k.channel = 'call'
                AND k.direction = 'outbound' AND k.outcome = ANY(%(counted)b::text[])
                AND k.made_at > %(since)b)
    FROM cases c
    JOIN loans l ON l.id = c.loan_id
    JOIN borrowers b ON b.id = c.borrower_id
    JOIN lenders n ON n.id = c.lender_id
"""
_OF_CASES: Final = f"{_FACTS} WHERE c.id = ANY(%(ids)b::uuid[])"
_OF_PEOPLE: Final = f"""{_FACTS} WHERE c.borrower_id = ANY(%(ids)b::uuid[])
    AND c.state <> 'closed' AND c.strategy_version_id IS NOT NULL"""


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """One case with what its plan is made from. `stage` is the one it was last put into."""

    case_id: UUID
    loan_id: UUID
    borrower_id: UUID
    stage: str
    version_id: UUID | None
    facts: CaseFacts


async def facts_of_cases(
    unit: Unit, case_ids: Iterable[UUID], now: datetime, working_day: Calendar
) -> list[PlanFacts]:
    """The facts of each case at `now`. `working_day` knows the calendar of a country and region."""
    return await _read(unit, _OF_CASES, case_ids, now, working_day, {})


async def facts_of_people(
    unit: Unit,
    clocks: Mapping[UUID, HisClock],
    now: datetime,
    working_day: Calendar,
) -> list[PlanFacts]:
    """Those of every case that a strategy leads and that is not closed, of borrowers by clock."""
    return await _read(unit, _OF_PEOPLE, clocks, now, working_day, clocks)


async def bodies_for(unit: Unit, found: Iterable[PlanFacts]) -> dict[UUID, StrategyBody]:
    """What leads each of these cases, by case; one without a strategy is absent.

    Raises `Invalid` for a body gone bad.
    """
    versions = {one.case_id: one.version_id for one in found if one.version_id is not None}
    bodies = await bodies_of(unit, versions.values())
    return {case_id: bodies[version_id] for case_id, version_id in versions.items()}


async def _read(
    unit: Unit,
    statement: str,
    ids: Iterable[UUID],
    now: datetime,
    working_day: Calendar,
    clocks: Mapping[UUID, HisClock],
) -> list[PlanFacts]:
    params = {
        "ids": list(ids),
        "now": now,
        "since": now - _LOOK_BACK,
        "calling": [reason.value for reason in CALLING],
        "everywhere": [reason.value for reason in OVER_EVERY_CASE],
        "in_flight": [state.value for state in IN_FLIGHT_STATES],
        "counted": [outcome.value for outcome in COUNTED],
        "ends": [*(kind.value for kind in ENDS), StepKind.REVIEW.value],
    }
    rows = await driver.rows(unit, statement, params)
    if not rows:
        return []
    holds = await holds_of(unit, {row[2] for row in rows}, now)
    taken = await taken_steps(unit, [row[1] for row in rows])
    alone = await left_alone(unit, [row[0] for row in rows], now)
    freezing = await freezing_holds(unit, {row[0]: row[2] for row in rows})
    found = []
    for row in rows:
        case_id, loan_id, borrower_id, stage, version_id = row[:5]
        stated, lenders = row[7:9]
        clock = clocks.get(borrower_id) or clock_of(filter(None, (stated,)), stated, lenders)
        held = any(
            hold.covers(case_id) and hold.stops(*PRESSURE) for hold in holds.get(borrower_id, ())
        )
        facts = _facts(row, now, clock, taken.get(loan_id, frozenset()), working_day, held=held)
        spared = alone.get(case_id)
        facts = replace(
            facts,
            left_alone=spared is not None and Withheld.STRATEGY in spared.withholds,
            frozen=frozen_days(freezing.get(case_id, ()), clock.past, upto=facts.today),
        )
        found.append(PlanFacts(case_id, loan_id, borrower_id, stage, version_id, facts))
    return found


def _calls(
    clock: HisClock, moments: Iterable[datetime], outcomes: Iterable[str]
) -> tuple[CallMade, ...]:
    return tuple(
        CallMade(clock.day_of(at), TaskOutcome(outcome))
        for at, outcome in zip(moments, outcomes, strict=True)
    )


def _facts(
    row: tuple[Any, ...],
    now: datetime,
    clock: HisClock,
    taken: frozenset[str],
    working_day: Calendar,
    *,
    held: bool,
) -> CaseFacts:
    country, region = row[5:7]
    closes_failed, made_at, oldest = row[9:12]
    in_flight, link_live, locked, all_tasks, own_tasks, called_at, outcomes = row[12:19]
    promised, broken_at, approval_waiting, ended_at, outside_at, outside = row[19:25]
    return CaseFacts(
        today=clock.today(now),
        oldest_due_on=oldest,
        watched_from=clock.day_of(made_at),
        taken=taken,
        calls=with_outside_calls(
            _calls(clock, called_at, outcomes), _calls(clock, outside_at, outside)
        ),
        promised=promised,
        promise_ended_on=None if broken_at is None else clock.day_of(broken_at),
        held=held,
        in_flight=in_flight,
        link_live=link_live,
        person_first=locked or any(reason in PERSON_FIRST for reason in own_tasks),
        call_waiting=any(reason in CALLING for reason in all_tasks),
        task_waiting=bool(own_tasks),
        approval_waiting=approval_waiting,
        ended_on=None if ended_at is None else clock.day_of(ended_at),
        closes_failed=closes_failed,
        working_day=working_day(country, region or None),
    )
