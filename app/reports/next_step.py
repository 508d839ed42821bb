"""Where one case stands in its strategy, and what the strategy does next. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.domain.stage_plan import CaseFacts, Plan, Step, plan_case
from app.domain.stages import StrategyBody, parse_body
from app.reference.places import working_days
from app.store.arrays import among
from app.store.plan_facts import facts_of_cases
from app.store.tables import cases, strategies, strategy_versions
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class StrategyLine:
    """The strategy of a case and its plan for today. `stage` is the one it was last put into.

    `looks_at` is when Saldo looks at it by itself (business time); None: when something changes.
    """

    name: str
    number: int
    version_id: UUID
    stage: str
    looks_at: datetime | None
    today: date
    days_past_due: int | None
    body: StrategyBody
    plan: Plan

    @property
    def next_step(self) -> Step | None:
        """What comes next if nothing changes: the first of today's steps, else the coming one."""
        today = (step for step in self.plan.steps if step.skip is None)
        return next(today, self.plan.coming)


async def strategy_line(unit: Unit, now: datetime, case_id: UUID) -> StrategyLine | None:
    """None for a case without a strategy. Of today's steps those not taken yet are in the plan."""
    return (await strategy_lines(unit, now, (case_id,))).get(case_id)


async def strategy_lines(
    unit: Unit, now: datetime, case_ids: Collection[UUID]
) -> dict[UUID, StrategyLine]:
    """The same for many cases at once; those without a strategy are left out."""
    rows = (
        await unit.conn.execute(
            select(
                cases.c.id.label("case_id"),
                strategies.c.name,
                strategy_versions.c.number,
                strategy_versions.c.id,
                strategy_versions.c.body,
                cases.c.stage,
                cases.c.next_step_at,
            )
            .join(strategy_versions, strategy_versions.c.id == cases.c.strategy_version_id)
            .join(strategies, strategies.c.id == strategy_versions.c.strategy_id)
            .where(among(cases.c.id, case_ids))
        )
    ).all()
    if not rows:
        return {}
    previewed = await facts_of_cases(unit, [row.case_id for row in rows], now, working_days)
    facts = {one.case_id: one.facts for one in previewed}
    bodies = {row.id: parse_body(row.body) for row in {row.id: row for row in rows}.values()}
    return {row.case_id: _line(row, bodies[row.id], facts[row.case_id]) for row in rows}


def _line(row: Any, body: StrategyBody, facts: CaseFacts) -> StrategyLine:
    days = None if facts.oldest_due_on is None else facts.days_past_due
    return StrategyLine(
        name=row.name,
        number=row.number,
        version_id=row.id,
        stage=row.stage,
        looks_at=row.next_step_at,
        today=facts.today,
        days_past_due=days,
        body=body,
        plan=plan_case(body, facts),
    )
