"""What the plans for a person's open cases are made from. Read under his lock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.stage_plan import CaseFacts
from app.domain.stages import StrategyBody
from app.flows.cases.look_at_person import Person
from app.reference.places import working_days
from app.store.dues import Due
from app.store.plan_facts import PlanFacts, bodies_for, facts_of_people
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class InHand:
    """One open case that a strategy leads, with the facts its plan is made from."""

    due: Due
    body: StrategyBody
    seen: PlanFacts

    @property
    def case_id(self) -> UUID:
        """The case's id."""
        return self.seen.case_id

    @property
    def facts(self) -> CaseFacts:
        """What its plan is made from."""
        return self.seen.facts


async def cases_in_hand(unit: Unit, now: datetime, person: Person) -> tuple[InHand, ...]:
    """His open cases with a strategy, oldest due first. Raises `Invalid` for a body gone bad."""
    found = await facts_of_people(unit, {person.id: person.clock}, now, working_days)
    bodies = await bodies_for(unit, found)
    by_case = {one.case_id: one for one in found}
    return tuple(
        InHand(due, bodies[one.case_id], one)
        for due in person.dues
        if due.case_id is not None and (one := by_case.get(due.case_id)) is not None
    )
