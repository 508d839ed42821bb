"""Random histories of a case: no step twice, no call too many, and always a next look."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.domain.day_count import Frozen
from app.domain.stage_plan import (
    COUNTED,
    ENDS,
    CallMade,
    CaseFacts,
    Plan,
    Skip,
    Step,
    StepKind,
    plan_case,
)
from app.domain.task import TaskOutcome
from tests.domain.test_stage_plan import BODY, DUE, weekday


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
        self.holds: list[Frozen] = []
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
        self._hold()
        if self.held and roll() < 0.5:
            self.call_waiting = False
        self.approval = self.approval and roll() < 0.8
        self.task = self.task and roll() < 0.8

    def _hold(self) -> None:
        """Holds come and go; some freeze the days, some of those had begun before we knew."""
        came = not self.held
        self.held = self.chance.random() < (0.8 if self.held else 0.02)
        if self.held and came and self.chance.random() < 0.7:
            back = self.chance.choice((0, 0, 3, 20))
            first = self.today - timedelta(days=back)
            self.holds.append(Frozen(first, self.today, self.today))
        elif self.held and self.holds and not came:
            # The newest is the one in force, if it was one that freezes.
            last = self.holds[-1]
            if last.last == self.today - timedelta(days=1):
                self.holds[-1] = replace(last, last=self.today)

    def number_then(self, day: date) -> int:
        """Days since the anchor, one by one, without those frozen by what was known that day."""
        known = [one for one in self.holds if one.known_on < day]
        ahead = (self.anchor + timedelta(days=more) for more in range(1, 200))
        days = [one for one in ahead if one <= day]
        return sum(not any(hold.first <= one <= hold.last for hold in known) for one in days)

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
            frozen=tuple(self.holds),
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
            since = self.promise_ended_on or step.due_on
            tries = [
                call
                for call in self.calls
                if call.on >= since and call.outcome in COUNTED and self.number_then(call.on) >= 9
            ]
            assert len(tries) < 3, f"a fourth call in one round: {round_of}"
            self.call_waiting = True
        if step.kind in ENDS:
            self.approval = True
        if step.kind is StepKind.REVIEW:
            self.task = True


@given(
    holds=st.lists(
        st.tuples(st.integers(1, 20), st.integers(0, 15), st.integers(0, 15), st.booleans()),
        max_size=3,
    )
)
def test_holds_that_freeze_put_every_step_off_and_neither_repeat_nor_skip_one(
    holds: list[tuple[int, int, int, bool]],
) -> None:
    """Each is (the day we learn of it, how long it goes on, how long it had lasted, whether it is
    set before the day's look or after it). In the end all was done that is done without holds.
    """
    quiet = _steps_of(())
    assert [name for name, _ in quiet][-1] == "propose_write_off"
    assert _steps_of(tuple(holds)) == quiet


def _steps_of(holds: tuple[tuple[int, int, int, bool], ...]) -> list[tuple[str, Skip | None]]:
    """Every day of a case on which nobody pays and every call is made, in vain."""
    taken: dict[str, Step] = {}
    calls: list[CallMade] = []
    for number in range(1, 130):
        today = DUE + timedelta(days=number)
        known = [hold for hold in holds if hold[0] < number or (hold[0] == number and hold[3])]
        facts = CaseFacts(
            today=today,
            oldest_due_on=DUE,
            watched_from=DUE,
            taken=frozenset(taken),
            calls=tuple(calls),
            held=any(learnt + goes_on >= number for learnt, goes_on, _, _ in known),
            frozen=tuple(
                Frozen(
                    DUE + timedelta(days=learnt - lasted),
                    min(today, DUE + timedelta(days=learnt + goes_on)),
                    DUE + timedelta(days=learnt),
                )
                for learnt, goes_on, lasted, _ in known
            ),
            approval_waiting=any(step.kind in ENDS for step in taken.values()),
        )
        for step in plan_case(BODY, facts).steps:
            assert step.key not in taken
            taken[step.key] = step
            if step.kind is StepKind.CALL:
                calls.append(CallMade(today, TaskOutcome.NO_ANSWER))
    return [(f"{step.kind} {step.name}".strip(), step.skip) for step in taken.values()]


def _leaves(step: Step) -> bool:
    return step.kind is StepKind.NOTICE and step.skip is None
