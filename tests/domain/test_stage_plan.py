"""What a strategy does today: the boundary days, calls, the end, and reminders before."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from app.domain.contact_policy import ContactPurpose
from app.domain.day_count import Frozen
from app.domain.message import Channel
from app.domain.stage_plan import (
    COUNTED,
    CallMade,
    CaseFacts,
    Plan,
    Skip,
    Step,
    StepKind,
    WaitsFor,
    plan_case,
    plan_reminders,
)
from app.domain.stages import Calls, End, EndAct, Notice, Stage, StrategyBody
from app.domain.task import TaskOutcome

SMS, EMAIL = Channel.SMS, Channel.EMAIL
# A Monday.
DUE = date(2026, 3, 2)
NO_ANSWER = TaskOutcome.NO_ANSWER

BODY = StrategyBody(
    "test",
    (
        Stage("grace", 1, (Notice(1, EMAIL, "first"), Notice(3, SMS, "first"))),
        Stage("escalated", 6, (Notice(6, EMAIL, "hard"), Notice(6, SMS, "hard"))),
        Stage("calls", 9, calls=Calls(3)),
    ),
    remind=(Notice(-3, SMS, "pre_due"), Notice(-1, EMAIL, "pre_due")),
    end=End(EndAct.PROPOSE_WRITE_OFF, wait_days=1, review_every_days=30),
)


def weekday(day: date) -> bool:
    return day.weekday() < 5


def on(day: int, **facts: Any) -> CaseFacts:
    """The facts `day` days after the due date."""
    facts.setdefault("oldest_due_on", DUE)
    facts.setdefault("watched_from", DUE - timedelta(days=30))
    facts.setdefault("working_day", weekday)
    return CaseFacts(today=DUE + timedelta(days=day), **facts)


def done(*steps: Step) -> frozenset[str]:
    return frozenset(step.key for step in steps)


def all_before(day: int) -> frozenset[str]:
    """The notices of every day before this one, taken as on a system that never slept."""
    taken: frozenset[str] = frozenset()
    for one in range(day):
        plan = plan_case(BODY, on(one, taken=taken, call_waiting=True))
        taken |= done(*plan.steps)
    return taken


def said(plan: Plan) -> list[str]:
    """The steps of a plan in short."""
    return [
        f"{step.kind.value} {step.name}{f' ({step.skip.value})' if step.skip else ''}".strip()
        for step in plan.steps
    ]


# ------------------------------------------------------------------ days and stages


@pytest.mark.parametrize(
    ("day", "stage", "steps"),
    [
        (0, "", []),
        (1, "grace", ["notice 1/email/first"]),
        (2, "grace", []),
        (3, "grace", ["notice 3/sms/first"]),
        (5, "grace", []),
        (6, "escalated", ["notice 6/email/hard", "notice 6/sms/hard"]),
        (8, "escalated", []),
        (9, "calls", ["call calls"]),
    ],
)
def test_each_day_has_its_step_and_the_day_before_has_none(
    day: int, stage: str, steps: list[str]
) -> None:
    plan = plan_case(BODY, on(day, taken=all_before(day)))
    assert (plan.stage, said(plan)) == (stage, steps)


def test_the_same_day_twice_does_nothing_more() -> None:
    for day in (1, 3, 6, 9):
        first = plan_case(BODY, on(day, taken=all_before(day)))
        again = plan_case(BODY, on(day, taken=all_before(day) | done(*first.steps)))
        assert first.steps
        assert again.steps == ()


def test_it_looks_again_on_the_next_day_that_has_something() -> None:
    assert plan_case(BODY, on(0)).look_again_on == DUE + timedelta(days=1)
    assert plan_case(BODY, on(4, taken=all_before(4))).look_again_on == DUE + timedelta(days=6)
    coming = plan_case(BODY, on(4, taken=all_before(4))).coming
    assert coming is not None
    assert (coming.kind, coming.name) == (StepKind.NOTICE, "6/email/hard")


def test_after_the_last_notice_the_first_call_is_what_comes() -> None:
    # Day 9 is a Wednesday here; a calendar on which it is closed puts the call off.
    plan = plan_case(BODY, on(8, taken=all_before(8)))
    assert plan.coming == Step(StepKind.CALL, "calls", DUE, DUE + timedelta(days=9), attempt=1)
    shut = on(8, taken=all_before(8), working_day=lambda day: day != DUE + timedelta(days=9))
    coming, again = plan_case(BODY, shut).coming, plan_case(BODY, shut).look_again_on
    assert coming is not None
    assert coming.on_day == DUE + timedelta(days=10)
    # The stage begins on its day all the same.
    assert again == DUE + timedelta(days=9)


def test_calls_are_numbered_by_those_that_counted() -> None:
    for made in range(3):
        calls = tuple(CallMade(DUE + timedelta(days=9 + one), NO_ANSWER) for one in range(made))
        plan = plan_case(BODY, on(9 + made, taken=all_before(9), calls=calls))
        assert [step.attempt for step in plan.steps] == [made + 1]


def test_after_days_without_a_tick_only_the_newest_notice_leaves() -> None:
    plan = plan_case(BODY, on(7, taken=all_before(2)))
    assert said(plan) == [
        "notice 3/sms/first (overtaken)",
        "notice 6/email/hard",
        "notice 6/sms/hard",
    ]
    # On the day it belongs to, however late it is.
    assert {step.on_day for step in plan.steps} == {
        DUE + timedelta(days=3),
        DUE + timedelta(days=6),
    }


def test_what_fell_due_before_we_knew_the_loan_is_not_sent_late() -> None:
    imported = on(42, watched_from=DUE + timedelta(days=42))
    plan = plan_case(BODY, imported)
    assert [step.skip for step in plan.steps] == [Skip.BEFORE_OUR_TIME] * 4 + [None]
    assert plan.steps[-1].kind is StepKind.CALL


def test_a_notice_of_the_law_is_not_overtaken_and_not_put_off_by_a_promise() -> None:
    legal = Notice(2, SMS, "legal", ContactPurpose.REQUIRED_NOTICE)
    body = replace(BODY, stages=(Stage("grace", 1, (legal, Notice(3, EMAIL, "first"))),))
    assert said(plan_case(body, on(4))) == ["notice 2/sms/legal", "notice 3/email/first"]
    assert said(plan_case(body, on(4, promised=True))) == ["notice 2/sms/legal"]
    assert said(plan_case(body, on(4, link_live=True))) == ["notice 2/sms/legal"]
    assert said(plan_case(body, on(4, left_alone=True))) == ["notice 2/sms/legal"]
    assert said(plan_case(body, on(4, held=True))) == []


def test_a_part_payment_that_clears_the_oldest_instalment_moves_the_stage_back() -> None:
    taken = all_before(9)
    moved = on(9, taken=taken, oldest_due_on=DUE + timedelta(days=8))
    plan = plan_case(BODY, moved)
    assert (plan.stage, said(plan)) == ("grace", ["notice 1/email/first"])
    assert not moved.taken & done(*plan.steps)
    # The payment is returned: the old anchor is back, and nothing is said twice.
    assert said(plan_case(BODY, on(9, taken=taken | done(*plan.steps)))) == ["call calls"]


def test_nothing_due_plans_nothing() -> None:
    assert plan_case(BODY, on(9, oldest_due_on=None)) == Plan("", (), None)


@pytest.mark.parametrize(
    ("fact", "waits"),
    [
        ("held", WaitsFor.HOLD),
        ("in_flight", WaitsFor.PAYMENT),
        ("person_first", WaitsFor.PERSON),
        ("promised", WaitsFor.PROMISE),
        ("link_live", WaitsFor.LINK),
        ("left_alone", WaitsFor.EXPERIMENT),
    ],
)
@pytest.mark.parametrize("day", [1, 6, 9, 30])
def test_what_stands_before_every_step(fact: str, waits: WaitsFor, day: int) -> None:
    plan = plan_case(BODY, on(day, **{fact: True}))
    assert (plan.steps, plan.waits_for) == ((), waits)
    assert plan.look_again_on == DUE + timedelta(days=day + 1)


# ------------------------------------------------------------------ calls and the end


def called(*days: int, outcome: TaskOutcome = NO_ANSWER) -> tuple[CallMade, ...]:
    return tuple(CallMade(DUE + timedelta(days=day), outcome) for day in days)


def calling(day: int, *calls: CallMade, **facts: Any) -> Plan:
    return plan_case(BODY, on(day, taken=all_before(9), calls=calls, **facts))


def test_one_call_a_working_day_three_days_running_then_the_end() -> None:
    # Day 9 is a Wednesday, day 11 a Friday; the end comes a day after the last call.
    assert said(calling(9)) == ["call calls"]
    assert said(calling(9, *called(9))) == []
    assert calling(9, *called(9)).look_again_on == DUE + timedelta(days=10)
    assert said(calling(10, *called(9))) == ["call calls"]
    assert said(calling(11, *called(9, 10))) == ["call calls"]
    assert said(calling(11, *called(9, 10, 11))) == []
    assert said(calling(12, *called(9, 10, 11))) == ["propose_write_off"]


def test_no_call_on_a_weekend_or_a_holiday() -> None:
    friday = DUE + timedelta(days=11)
    assert said(calling(12, *called(9, 11))) == []
    assert calling(12, *called(9, 11)).look_again_on == friday + timedelta(days=3)
    assert said(calling(14, *called(9, 11))) == ["call calls"]
    holiday = on(14, taken=all_before(9), calls=called(9, 11))
    closed = replace(holiday, working_day=lambda day: weekday(day) and day != holiday.today)
    assert said(plan_case(BODY, closed)) == []
    assert plan_case(BODY, closed).look_again_on == holiday.today + timedelta(days=1)


def test_calls_on_any_day_where_the_strategy_says_so() -> None:
    stages = (Stage("calls", 9, calls=Calls(3, gap_days=3, working_days_only=False)),)
    body = replace(BODY, stages=stages)
    assert said(plan_case(body, on(11, calls=called(9)))) == []
    assert said(plan_case(body, on(12, calls=called(9)))) == ["call calls"]


def test_a_calendar_that_never_opens_does_not_stop_the_calls() -> None:
    facts = replace(on(9, taken=all_before(9)), working_day=lambda _day: False)
    assert said(plan_case(BODY, facts)) == ["call calls"]


def test_a_task_that_nobody_worked_stays_and_is_no_attempt() -> None:
    for day in range(9, 40):
        plan = calling(day, call_waiting=True)
        assert (said(plan), plan.waits_for) == ([], WaitsFor.CALL)
    assert said(calling(41, *called(40))) == []
    assert said(calling(42, *called(40))) == ["call calls"]


@pytest.mark.parametrize("outcome", list(TaskOutcome))
def test_which_outcomes_are_attempts(outcome: TaskOutcome) -> None:
    plan = calling(14, *called(9, 10, 11, outcome=outcome))
    assert said(plan) == (["propose_write_off"] if outcome in COUNTED else ["call calls"])


def test_a_call_that_was_called_off_is_made_the_next_working_day() -> None:
    taken = all_before(9) | done(*calling(9).steps)
    plan = plan_case(BODY, on(9, taken=taken))
    assert (said(plan), plan.look_again_on) == ([], DUE + timedelta(days=10))


def test_a_promise_that_came_to_nothing_begins_the_calls_anew() -> None:
    calls = called(9, 10, 11)
    assert said(calling(21, *calls, promise_ended_on=DUE + timedelta(days=21))) == ["call calls"]
    more = (*calls, *called(21, 22))
    broken = DUE + timedelta(days=21)
    assert said(calling(23, *more, promise_ended_on=broken)) == ["call calls"]
    assert said(calling(25, *more, *called(24), promise_ended_on=broken)) == ["propose_write_off"]


def test_after_the_end_people_have_it_and_look_again_from_time_to_time() -> None:
    calls = called(9, 10, 11)
    taken = all_before(9) | done(*calling(12, *calls).steps)
    facts = on(12, taken=taken, calls=calls)
    assert plan_case(BODY, replace(facts, approval_waiting=True)).waits_for is WaitsFor.APPROVAL
    assert plan_case(BODY, replace(facts, task_waiting=True)).waits_for is WaitsFor.PERSON
    # Refused, and nobody has it: a person looks 30 days later, not the robot a second time.
    refused = DUE + timedelta(days=20)
    later = replace(facts, today=DUE + timedelta(days=49), ended_on=refused)
    assert (said(plan_case(BODY, later)), plan_case(BODY, later).look_again_on) == (
        [],
        DUE + timedelta(days=50),
    )
    then = replace(later, today=DUE + timedelta(days=50))
    assert said(plan_case(BODY, then)) == ["review"]


def test_closing_a_case_as_failed_is_the_lenders_choice() -> None:
    calls = called(9, 10, 11)
    assert said(calling(12, *calls, closes_failed=True)) == ["close"]
    body = replace(BODY, end=End(EndAct.HAND_TO_PERSON))
    facts = on(12, taken=all_before(9), calls=calls, closes_failed=True)
    assert said(plan_case(body, facts)) == ["hand_to_person"]


def test_a_strategy_without_calls_or_end_still_ends_before_a_person() -> None:
    body = StrategyBody("short", (Stage("only", 1, (Notice(4, SMS, "first"),)),))
    assert said(plan_case(body, on(4))) == ["notice 4/sms/first"]
    assert said(plan_case(body, on(5, taken=done(*plan_case(body, on(4)).steps)))) == [
        "hand_to_person"
    ]


def frozen(first: int, last: int, known: int | None = None) -> tuple[Frozen, ...]:
    """Days after the due date that a hold froze; we learnt of it when it began, or on `known`."""
    begins = DUE + timedelta(days=first)
    known_on = begins if known is None else DUE + timedelta(days=known)
    return (Frozen(begins, DUE + timedelta(days=last), known_on),)


def test_days_that_a_hold_keeps_out_of_the_count_put_the_stages_off() -> None:
    taken = all_before(4)
    assert said(plan_case(BODY, on(6, taken=taken))) != []
    rests = on(6, taken=taken, frozen=frozen(4, 5))
    assert (said(plan_case(BODY, rests)), plan_case(BODY, rests).stage) == ([], "grace")
    assert plan_case(BODY, rests).look_again_on == DUE + timedelta(days=8)
    later = plan_case(BODY, on(8, taken=taken, frozen=frozen(4, 5)))
    assert said(later) == ["notice 6/email/hard", "notice 6/sms/hard"]
    # It is known late: what was said is not said again on the new days.
    late = frozen(1, 2, known=3)
    assert not done(*plan_case(BODY, on(3, frozen=late, taken=all_before(2))).steps)


def test_a_hold_puts_off_what_comes_after_it_and_not_what_was_before() -> None:
    before_us = on(26, frozen=frozen(5, 24), watched_from=DUE + timedelta(days=4))
    assert said(plan_case(BODY, before_us)) == [
        "notice 1/email/first (before_our_time)",
        "notice 3/sms/first (before_our_time)",
        "notice 6/email/hard",
        "notice 6/sms/hard",
    ]


def test_calls_made_before_a_hold_count_after_it() -> None:
    resting = {"taken": all_before(9), "calls": called(9, 10), "frozen": frozen(11, 30)}
    assert said(plan_case(BODY, on(31, **resting))) == ["call calls"]
    resting["calls"] = called(9, 10, 31)
    assert said(plan_case(BODY, on(32, **resting))) == ["propose_write_off"]


def test_a_hold_that_is_known_late_undoes_no_call() -> None:
    late = {"taken": all_before(9), "calls": called(9, 10, 11), "frozen": frozen(4, 11, known=12)}
    back = plan_case(BODY, on(12, **late))
    assert (back.stage, said(back)) == ("grace", [])
    there = plan_case(BODY, on(17, **late))
    assert (there.stage, said(there)) == ("calls", ["propose_write_off"])


def test_the_days_of_waiting_before_the_end_do_not_pass_under_a_hold() -> None:
    body = replace(BODY, end=End(EndAct.PROPOSE_WRITE_OFF, wait_days=4))
    facts = {"taken": all_before(9), "calls": called(9, 10, 11), "frozen": frozen(13, 32)}
    assert plan_case(body, on(33, **facts)).coming == Step(
        StepKind.PROPOSE_WRITE_OFF, "", DUE, DUE + timedelta(days=35)
    )
    assert said(plan_case(body, on(35, **facts))) == ["propose_write_off"]


# ------------------------------------------------------------------ before anything is due


def reminders(day: int, *taken: Step) -> Plan:
    return plan_reminders(
        BODY,
        today=DUE + timedelta(days=day),
        due_on=DUE,
        watched_from=DUE - timedelta(days=30),
        taken=done(*taken),
    )


def test_reminders_leave_on_their_day_before_the_due_date() -> None:
    assert (said(reminders(-4)), reminders(-4).look_again_on) == ([], DUE - timedelta(days=3))
    first = reminders(-3)
    assert (said(first), first.look_again_on) == (
        ["remind -3/sms/pre_due"],
        DUE - timedelta(days=1),
    )
    assert said(reminders(-3, *first.steps)) == []
    assert said(reminders(-1, *first.steps)) == ["remind -1/email/pre_due"]
    assert said(reminders(-1)) == ["remind -3/sms/pre_due (overtaken)", "remind -1/email/pre_due"]
    assert reminders(-1).look_again_on == DUE
    assert reminders(0) == Plan("", (), None)


def test_a_loan_learnt_of_late_is_not_reminded_for_days_gone_by() -> None:
    plan = plan_reminders(
        BODY,
        today=DUE - timedelta(days=2),
        due_on=DUE,
        watched_from=DUE - timedelta(days=2),
    )
    assert said(plan) == ["remind -3/sms/pre_due (before_our_time)"]
