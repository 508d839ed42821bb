"""What plans depend on, for many cases at once and without locks: for previews, never for acts.

Whoever acts on a plan reads one person's facts under his lock. A preview reads a whole book and
may be a moment old; of a borrower whose time zone nobody stated it takes the lender's day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.day_count import frozen_days
from app.domain.experiment import Withheld
from app.domain.hold import PRESSURE
from app.domain.payment import IN_FLIGHT_STATES
from app.domain.stage_plan import CALLING, ENDS, CallMade, CaseFacts, StepKind
from app.domain.strategy import PERSON_FIRST
from app.domain.task import TaskOutcome
from app.store import driver
from app.store.brakes import freezing_holds, holds_of
from app.store.experiments import left_alone
from app.store.strategies import taken_steps
from app.store.unit import Unit

# Country and region to the question whether people work there on a day.
Calendar: TypeAlias = Callable[[str, str | None], Callable[[date], bool]]

_LOOK_BACK: Final = timedelta(days=400)

_FACTS: Final = """
    SELECT c.id, c.loan_id, c.borrower_id, c.stage, c.strategy_version_id, b.country, b.region,
        coalesce(b.time_zone, n.time_zone), n.closes_failed, l.created_at,
        (SELECT min(i.due_on) FROM instalments i WHERE i.loan_id = l.id
            AND i.paid_minor < i.amount_minor
            AND i.due_on <= timezone(n.time_zone, %(now)b::timestamptz)::date - n.case_after_days),
        c.state = 'in_flight' OR EXISTS (SELECT FROM payments y WHERE y.borrower_id = b.id
            AND y.state = ANY(%(in_flight)b::text[])),
        EXISTS (SELECT FROM payment_links k WHERE k.borrower_id = b.id AND k.state = 'live'
            AND k.signal_id IS NOT NULL AND k.expires_at > %(now)b),
        b.checks_locked_at IS NOT NULL,
        (SELECT coalesce(array_agg(t.reason), '{}') FROM tasks t WHERE t.borrower_id = b.id
            AND t.state IN ('open', 'taken')),
        (SELECT coalesce(array_agg(t.reason), '{}') FROM tasks t WHERE t.borrower_id = b.id
            AND t.state IN ('open', 'taken') AND (t.case_id IS NULL OR t.case_id = c.id)),
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
                AND s.kind = ANY(%(ends)b::text[])))
    FROM cases c
    JOIN loans l ON l.id = c.loan_id
    JOIN borrowers b ON b.id = c.borrower_id
    JOIN lenders n ON n.id = c.lender_id
    WHERE c.id = ANY(%(cases)b::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Previewed:
    """One case with what its plan is made from."""

    case_id: UUID
    borrower_id: UUID
    stage: str
    version_id: UUID | None
    facts: CaseFacts


async def preview_facts(
    unit: Unit,
    case_ids: Iterable[UUID],
    now: datetime,
    working_day: Calendar,
) -> list[Previewed]:
    """The facts of each case at `now`. `working_day` knows the calendar of a country and region."""
    params = {
        "cases": list(case_ids),
        "now": now,
        "since": now - _LOOK_BACK,
        "calling": [reason.value for reason in CALLING],
        "in_flight": [state.value for state in IN_FLIGHT_STATES],
        "ends": [*(kind.value for kind in ENDS), StepKind.REVIEW.value],
    }
    rows = await driver.rows(unit, _FACTS, params)
    holds = await holds_of(unit, {row[2] for row in rows}, now)
    taken = await taken_steps(unit, [row[1] for row in rows])
    alone = await left_alone(unit, [row[0] for row in rows], now)
    freezing = await freezing_holds(unit, {row[0]: row[2] for row in rows})
    found = []
    for row in rows:
        held = any(hold.covers(row[0]) and hold.stops(*PRESSURE) for hold in holds.get(row[2], ()))
        facts = _facts(row, now, taken.get(row[1], frozenset()), working_day, held=held)
        spared = alone.get(row[0])
        facts = replace(
            facts,
            left_alone=spared is not None and Withheld.STRATEGY in spared.withholds,
            frozen=frozen_days(freezing.get(row[0], ()), ZoneInfo(row[7]), upto=facts.today),
        )
        found.append(Previewed(row[0], row[2], row[3], row[4], facts))
    return found


def _facts(
    row: tuple[Any, ...],
    now: datetime,
    taken: frozenset[str],
    working_day: Calendar,
    *,
    held: bool,
) -> CaseFacts:
    country, region, zone_name, closes_failed, made_at, oldest = row[5:11]
    in_flight, link_live, locked, all_tasks, own_tasks, called_at, outcomes = row[11:18]
    promised, broken_at, approval_waiting, ended_at = row[18:22]
    zone = ZoneInfo(zone_name)

    def day(at: datetime | None) -> date | None:
        return None if at is None else at.astimezone(zone).date()

    return CaseFacts(
        today=now.astimezone(zone).date(),
        oldest_due_on=oldest,
        watched_from=made_at.astimezone(zone).date(),
        taken=taken,
        calls=tuple(
            CallMade(at.astimezone(zone).date(), TaskOutcome(outcome))
            for at, outcome in zip(called_at, outcomes, strict=True)
        ),
        promised=promised,
        promise_ended_on=day(broken_at),
        held=held,
        in_flight=in_flight,
        link_live=link_live,
        person_first=locked or any(reason in PERSON_FIRST for reason in own_tasks),
        call_waiting=any(reason in CALLING for reason in all_tasks),
        task_waiting=bool(own_tasks),
        approval_waiting=approval_waiting,
        ended_on=day(ended_at),
        closes_failed=closes_failed,
        working_day=working_day(country, region or None),
    )
