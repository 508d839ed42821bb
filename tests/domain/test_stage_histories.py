"""Random histories of a case: no step twice, no call too many, and always a next look."""

from __future__ import annotations

import random
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.stage_plan import (
    COUNTED,
    ENDS,
    CallMade,
    CaseFacts,
    Plan,
    Step,
    StepKind,
    plan_case,
)
from app.domain.task import TaskOutcome
from tests.domain.test_stage_plan import BODY, DUE, weekday


@settings(max_examples=100)
@given(seed=st.integers(0, 10**9))
def test_random_histories_never_repeat_a_step_and_always_go_on(seed: int) -> None:
    """A case lives for four months; payments, returns, holds, promises, sleeping jobs and lazy
    collectors come as they like.
    """
    chance = random.Random(seed)
    life = _Life(chance)
    for _ in range(120):
        life.today += timedelta(days=1)
        life.suffer()
        if chance.random() < 0.15:
            continue  # nobody ran on this day
        for _ in range(chance.choice((1, 1, 2))):
            life.look()


class _Life:
    """One case and what was ever done about it."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.today = DUE
        self.anchor = DUE
        self.taken: dict[str, Step] = {}
        self.calls: list[CallMade] = []
        self.call_waiting = False
        self.tried: dict[tuple[date, date | None], int] = {}
        self.promised = False
        self.promise_ended_on: date | None = None
        self.held = False
        self.approval = False
        self.task = False

    def suffer(self) -> None:
        roll = self.chance.random
        if self.call_waiting and roll() < 0.6:
            self._work_call()
        if self.promised and roll() < 0.2:
            self.promised, self.promise_ended_on = False, self.today
        if roll() < 0.03:
            # Cleared up to a later instalment, or a payment came back.
            self.anchor = DUE + timedelta(days=30 * self.chance.randint(0, 3))
        self.held = roll() < (0.8 if self.held else 0.02)
        if self.held and roll() < 0.5:
            self.call_waiting = False
        self.approval = self.approval and roll() < 0.8
        self.task = self.task and roll() < 0.8

    def _work_call(self) -> None:
        outcome = self.chance.choice(list(TaskOutcome))
        self.call_waiting = False
        self.calls.append(CallMade(self.today, outcome))
        self.promised = outcome is TaskOutcome.PROMISE

    def look(self) -> None:
        facts = CaseFacts(
            today=self.today,
            oldest_due_on=self.anchor if self.anchor <= self.today else None,
            watched_from=DUE,
            taken=frozenset(self.taken),
            calls=tuple(self.calls),
            promised=self.promised,
            promise_ended_on=self.promise_ended_on,
            held=self.held,
            call_waiting=self.call_waiting,
            approval_waiting=self.approval,
            task_waiting=self.task,
            working_day=weekday,
        )
        plan = plan_case(BODY, facts)
        if facts.oldest_due_on is None:
            assert plan == Plan("", (), None)
            return
        assert plan.look_again_on is not None
        assert plan.look_again_on > self.today
        if self.held or self.promised:
            assert plan.steps == ()
        assert len({step.on_day for step in plan.steps if _leaves(step)}) <= 1
        for step in plan.steps:
            self._take(step)

    def _take(self, step: Step) -> None:
        assert step.key not in self.taken, "the same step twice"
        assert step.on_day <= self.today
        self.taken[step.key] = step
        if step.kind is StepKind.CALL:
            assert weekday(self.today)
            assert not self.call_waiting
            assert all(call.on < self.today for call in self.calls)
            round_of = (step.due_on, self.promise_ended_on)
            begins = step.due_on + timedelta(days=9)
            since = self.promise_ended_on or begins
            tries = [c for c in self.calls if c.on >= max(begins, since) and c.outcome in COUNTED]
            assert len(tries) < 3, f"a fourth call in one round: {round_of}"
            self.call_waiting = True
        if step.kind in ENDS:
            self.approval = True
        if step.kind is StepKind.REVIEW:
            self.task = True


def _leaves(step: Step) -> bool:
    return step.kind is StepKind.NOTICE and step.skip is None
