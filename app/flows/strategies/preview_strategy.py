"""What a version would do today on the live book. Reads only: nothing is written or sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func

from app.domain.ids import LenderId
from app.domain.message import Channel
from app.domain.stage_plan import ENDS, Plan, StepKind, plan_case
from app.domain.stages import StrategyBody, parse_body
from app.flows.house import House
from app.flows.strategies.move_cases import Selection, running
from app.reference.places import working_days
from app.store.plan_facts import bodies_for, facts_of_cases
from app.store.strategy_editions import version_of
from app.store.tables import cases
from app.store.unit import Unit

BATCH: Final = 250
MOST_CASES: Final = 10_000
"""One preview looks at so many cases; the page says how many there are."""


@dataclass(slots=True)
class Today:
    """What one strategy does on one day. People get one message per channel and one call."""

    messages: Counter[Channel] = field(default_factory=Counter)
    calls: int = 0
    ends: int = 0
    skipped: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Preview:
    """`moved`: cases that would stand in another stage than now. `cases`: all that were meant.

    `before` is the same day under the versions that the cases have now. `next_after` is where the
    next look goes on, None when all were looked at.
    """

    name: str
    number: int
    cases: int = 0
    looked: int = 0
    moved: int = 0
    after: Today = field(default_factory=Today)
    before: Today = field(default_factory=Today)
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    next_after: UUID | None = None

    @property
    def cut(self) -> bool:
        """True when the book is larger than one preview looks at."""
        return self.looked < self.cases


async def preview_strategy(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    version_id: UUID,
    selection: Selection,
    behind_only: bool = False,
    after: UUID | None = None,
    batch: int = BATCH,
    most: int = MOST_CASES,
) -> Preview:
    """Plan every selected running case under this version, in batches, oldest case first.

    `behind_only` leaves out cases that are under the version already. Each `batch` is a short
    transaction; at most `most` cases are looked at, from the one after `after` on. Raises
    `NotFound`.
    """
    async with house.store.unit(lender_id) as unit:
        row = await version_of(unit, version_id)
        where = selection.where(version_id if behind_only else None)
        total = await unit.conn.scalar(running(func.count()).where(where))
    body = parse_body(row.body)
    found = Preview(row.name, row.number, cases=int(total or 0))
    people = _People()
    for _ in range(most // batch):
        async with house.store.unit(lender_id) as unit:
            query = running(cases.c.id).where(where)
            if after is not None:
                query = query.where(cases.c.id > after)
            ids = list(await unit.conn.scalars(query.order_by(cases.c.id).limit(batch)))
            if not ids:
                break
            after = ids[-1]
            await _look(unit, now, found, (version_id, body), ids, people)
            found.next_after = after if len(ids) == batch else None
    people.count_into(found)
    return found


async def _look(
    unit: Unit,
    now: datetime,
    found: Preview,
    under: tuple[UUID, StrategyBody],
    ids: list[UUID],
    people: _People,
) -> None:
    batch = await facts_of_cases(unit, ids, now, working_days)
    own = await bodies_for(unit, batch)
    for case in batch:
        found.looked += 1
        planned = plan_case(under[1], case.facts)
        people.add(case.borrower_id, planned, after=True)
        _tally(found.after, planned)
        if planned.stage != case.stage:
            found.moved += 1
            found.moves[case.stage, planned.stage] += 1
        current = own.get(case.case_id)
        if current is not None:
            as_is = planned if case.version_id == under[0] else plan_case(current, case.facts)
            people.add(case.borrower_id, as_is, after=False)
            _tally(found.before, as_is)


def _tally(today: Today, plan: Plan) -> None:
    today.stages[plan.stage] += 1
    if plan.waits_for is not None:
        today.waiting[plan.waits_for.value] += 1
    for step in plan.steps:
        if step.skip is not None:
            today.skipped += 1
        elif step.kind in ENDS:
            today.ends += 1


class _People:
    """One person with several cases gets one message per channel and one call."""

    def __init__(self) -> None:
        self._told: dict[bool, set[tuple[UUID, Channel]]] = {True: set(), False: set()}
        self._called: dict[bool, set[UUID]] = {True: set(), False: set()}

    def add(self, borrower_id: UUID, plan: Plan, *, after: bool) -> None:
        """Note what a plan does to its person."""
        for step in plan.steps:
            if step.skip is not None:
                continue
            if step.notice is not None:
                self._told[after].add((borrower_id, step.notice.channel))
            elif step.kind is StepKind.CALL:
                self._called[after].add(borrower_id)

    def count_into(self, found: Preview) -> None:
        """Write the counts down."""
        for after, today in ((True, found.after), (False, found.before)):
            today.messages = Counter(channel for _, channel in self._told[after])
            today.calls = len(self._called[after])
