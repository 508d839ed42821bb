"""Whatever happens at a desk: one able owner who is there, or the board; nobody above his cap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import select

from app.domain.assignment import (
    LEADS_DECIDE,
    Rules,
    Skills,
    WorkKind,
    still_fits,
)
from app.domain.errors import Conflict
from app.domain.ids import UserId
from app.domain.task import TaskReason
from app.flows.work.hand_over import come_back, hand_over
from app.flows.work.work_task import give_back_tasks, release_task
from app.store.desk_team import rules_in_force, team_of
from app.store.tables import tasks
from app.store.task_needs import needs_of
from tests.flows.assigning import (
    AFTERNOON,
    OFFICE,
    leave,
    look,
    profile,
    rules,
)
from tests.flows.street import Street
from tests.flows.test_next_case import serve, some_task
from tests.flows.test_tasks_and_brakes import collector

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_happens_each_task_is_with_one_who_can_and_is_there_or_on_the_board(
    street: Street, seed: int
) -> None:
    await Life(street, Random(seed)).go(40)


class Life:
    """Random events at a desk, and the looks between them."""

    def __init__(self, street: Street, chance: Random) -> None:
        self.street, self.chance = street, chance
        self.people: list[UserId] = []

    async def go(self, events: int) -> None:
        await rules(self.street, Rules(frozenset({"pl"}), kinds=frozenset({WorkKind.DISPUTE})))
        for name in ("eva", "leo", "ada", "max"):
            self.people.append(await self._hand(name))
        happenings = (
            self._task, self._task, self._task, self._served, self._leave, self._skills,
            self._time, self._given_back, self._back, self._hands_over,
        )  # fmt: skip
        for _ in range(events):
            await self.chance.choice(happenings)()
            self.street.hands.go_on(seconds=1)
            await give_back_tasks(self.street.house, self.street.now)
            await look(self.street)
            await self._judge()

    async def _hand(self, name: str) -> UserId:
        user_id = await collector(self.street, name)
        await self._profile(user_id)
        return user_id

    async def _profile(self, user_id: UserId) -> None:
        spoken: Sequence[str] = self.chance.choice([(), ("pl",)])
        kinds = self.chance.choice([frozenset[WorkKind](), frozenset({WorkKind.DISPUTE})])
        hours = self.chance.choice([OFFICE, AFTERNOON])
        # What is above a cap that is lowered stays: here it only ever rises.
        cap = 2 + self.street.now.hour // 8
        skills = Skills(frozenset(spoken), frozenset(), kinds)
        await profile(self.street, user_id, skills, hours=hours, cap=max(cap, self.cap))
        self.cap = max(cap, self.cap)

    cap = 2

    def _somebody(self) -> UserId:
        return self.chance.choice(self.people)

    async def _task(self) -> None:
        who = await self.street.neighbour(language=self.chance.choice(["es", "pl"]))
        reasons = (TaskReason.CALL_BORROWER, TaskReason.BORROWER_DISPUTES, TaskReason.LIFT_ASKED)
        for reason in self.chance.sample(reasons, 2):
            await some_task(self.street, who, reason=reason)

    async def _served(self) -> None:
        await serve(self.street, self._somebody())

    async def _leave(self) -> None:
        first = self.street.now.date() + timedelta(days=self.chance.randint(0, 1))
        try:
            await leave(self.street, self._somebody(), first, first + timedelta(days=1))
        except Conflict:
            return

    async def _back(self) -> None:
        await come_back(
            self.street.house,
            self.street.now,
            lender_id=self.street.lender_id,
            user_id=self._somebody(),
            actor="him",
        )

    async def _skills(self) -> None:
        await self._profile(self._somebody())

    async def _time(self) -> None:
        self.street.hands.go_on(hours=self.chance.choice([1, 7, 15]))

    async def _given_back(self) -> None:
        rows = await self.street.rows("SELECT id, taken_by FROM tasks WHERE state = 'taken'")
        for row in rows[:1]:
            await release_task(
                self.street.house,
                self.street.now,
                lender_id=self.street.lender_id,
                task_id=row.id,
                user_id=row.taken_by,
                actor="him",
            )

    async def _hands_over(self) -> None:
        await hand_over(
            self.street.house,
            self.street.now,
            lender_id=self.street.lender_id,
            from_id=self._somebody(),
            to_id=None,
            actor="him",
        )

    async def _judge(self) -> None:
        async with self.street.store.unit(self.street.lender_id) as unit:
            wanted = await rules_in_force(unit)
            assert wanted is not None
            team = {one.member.id: one.member for one in await team_of(unit, self.street.now)}
            rows = (await unit.conn.execute(select(tasks))).all()
            facts = {one.id: one for one in await needs_of(unit, wanted, [row.id for row in rows])}
        given: dict[UUID, int] = {}
        for row in rows:
            if row.assigned_at is None:
                assert row.given_to is None
                continue
            given[row.given_to] = given.get(row.given_to, 0) + 1
            assert TaskReason(row.reason) not in LEADS_DECIDE
            assert row.taken_by in (None, row.given_to)
            if row.state == "open":
                one = facts[row.id]
                assert still_fits(one.reason, one.need, team[row.given_to])
        for user_id, count in given.items():
            assert count <= team[user_id].cap
