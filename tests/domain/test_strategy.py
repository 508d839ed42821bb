"""What is done about a case: facts and holds first, then the first rule that matches."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest

from app.domain.case import CaseClose
from app.domain.detector import Cover, MarginBand, SignalKind
from app.domain.ids import CaseId, SignalId
from app.domain.message import Channel
from app.domain.money import Money
from app.domain.strategy import (
    BEFORE_ANY_RULE,
    PERSON_FIRST,
    RECOVERY,
    AskToPay,
    Close,
    Decision,
    OpenTask,
    SeenFunds,
    SignalsAct,
    Situation,
    Step,
    StrategyRule,
    Wait,
    decide,
)
from app.domain.task import TaskReason

NOW = datetime(2026, 11, 2, 10, tzinfo=UTC)
FUNDS = SeenFunds(
    SignalId(UUID(int=7)), SignalKind.ENOUGH, Cover.WHOLE, MarginBand.JUST_ENOUGH, NOW
)
QUIET = Situation(
    case_id=CaseId(UUID(int=1)),
    now=NOW,
    owed=Money(5000, "EUR"),
    oldest_due_on=date(2026, 10, 1),
    signals_act=SignalsAct.AUTOMATIC,
    observe_only=False,
)
ASK = AskToPay(FUNDS.signal_id, Channel.SMS)
COLLECTOR = OpenTask(TaskReason.COLLECTOR_ACTS)


def situation(**changes: object) -> Situation:
    return replace(QUIET, **changes)  # type: ignore[arg-type]


def steps(**changes: object) -> tuple[object, ...]:
    return decide(situation(**changes)).steps


def test_without_anything_to_do_a_case_waits_for_money() -> None:
    decision = decide(QUIET)
    assert decision.rule == "wait_for_money"
    assert isinstance(decision.steps[0], Wait)
    assert decision.steps[0].until is None


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (SignalsAct.AUTOMATIC, (ASK,)),
        (SignalsAct.COLLECTOR, (COLLECTOR,)),
        (SignalsAct.BOTH, (ASK, COLLECTOR)),
    ],
)
def test_the_setting_says_who_acts_on_a_signal(act: SignalsAct, expected: tuple[Step, ...]) -> None:
    assert decide(situation(funds=FUNDS, signals_act=act)) == Decision(
        "funds_seen", expected, observe_only=False
    )


def test_money_reserved_for_older_debts_is_no_reason_to_ask() -> None:
    decision = decide(situation(funds=replace(FUNDS, cover=Cover.NONE)))
    assert decision.rule == "wait_for_money"
    assert steps(funds=replace(FUNDS, cover=Cover.PART)) == (ASK,)


def test_who_cannot_be_reached_gets_a_person() -> None:
    task = OpenTask(TaskReason.OPTED_OUT)
    assert steps(funds=FUNDS, unreachable=TaskReason.OPTED_OUT) == (task,)
    both = steps(funds=FUNDS, unreachable=TaskReason.OPTED_OUT, signals_act=SignalsAct.BOTH)
    assert both == (task, COLLECTOR)


def test_a_task_that_waits_already_is_not_opened_again() -> None:
    waiting = frozenset({TaskReason.COLLECTOR_ACTS})
    assert steps(funds=FUNDS, signals_act=SignalsAct.BOTH, tasks_open=waiting) == (ASK,)
    (step,) = steps(funds=FUNDS, signals_act=SignalsAct.COLLECTOR, tasks_open=waiting)
    assert isinstance(step, Wait)
    trouble = {"troubles": (TaskReason.BANK_DOWN,), "tasks_open": frozenset({TaskReason.BANK_DOWN})}
    (step,) = steps(**trouble)
    assert isinstance(step, Wait)


def test_while_a_link_is_out_nobody_is_asked_again() -> None:
    until = NOW + timedelta(hours=1)
    decision = decide(situation(funds=FUNDS, link_live_until=until))
    assert decision.rule == "link_is_out"
    assert decision.steps == (Wait(until, "A payment link is with the borrower."),)
    assert decide(situation(funds=FUNDS, link_live_until=NOW)).rule == "funds_seen"


def test_troubles_become_tasks_once_each() -> None:
    troubles = (TaskReason.LINK_UNPAID, TaskReason.BANK_DOWN, TaskReason.LINK_UNPAID)
    assert decide(situation(troubles=troubles)) == Decision(
        "trouble",
        (OpenTask(TaskReason.LINK_UNPAID), OpenTask(TaskReason.BANK_DOWN)),
        observe_only=False,
    )


@pytest.mark.parametrize("reason", sorted(PERSON_FIRST))
@pytest.mark.parametrize("known", [True, False])
def test_what_a_person_must_settle_stops_the_machine(reason: TaskReason, known: bool) -> None:
    """No matter whether the task is waiting already or still to be opened."""
    changes = {"tasks_open": frozenset({reason})} if known else {"troubles": (reason,)}
    decision = decide(situation(funds=FUNDS, **changes))
    assert decision.rule == "person_first"
    assert not any(isinstance(step, AskToPay) for step in decision.steps)
    assert (OpenTask(reason) in decision.steps) is not known


@pytest.mark.parametrize("reason", sorted(set(TaskReason) - PERSON_FIRST))
def test_other_tasks_do_not_keep_money_waiting(reason: TaskReason) -> None:
    assert decide(situation(funds=FUNDS, tasks_open=frozenset({reason}))).rule == "funds_seen"


def test_a_hold_comes_before_every_rule() -> None:
    until = NOW + timedelta(days=30)
    decision = decide(
        situation(
            funds=FUNDS,
            holds=("dispute", "illness"),
            held_until=until,
            troubles=(TaskReason.BANK_DOWN,),
            payment_in_flight=True,
        )
    )
    assert decision == Decision(
        "on_hold", (Wait(until, "On hold: dispute, illness."),), observe_only=False
    )


def test_a_payment_on_its_way_ends_all_pressure() -> None:
    assert decide(situation(funds=FUNDS, payment_in_flight=True)).rule == "payment_in_flight"


@pytest.mark.parametrize("owed", [0, -1])
@pytest.mark.parametrize(
    ("known", "reason"),
    [(None, CaseClose.NOT_DUE), (CaseClose.PAID_ELSEWHERE, CaseClose.PAID_ELSEWHERE)],
)
def test_a_case_with_nothing_due_is_closed_even_on_hold(
    owed: int, known: CaseClose | None, reason: CaseClose
) -> None:
    decision = decide(
        situation(owed=Money(owed, "EUR"), holds=("dispute",), closed_by=known, funds=FUNDS)
    )
    assert decision == Decision("nothing_due", (Close(reason),), observe_only=False)


def test_observe_only_decides_the_same_and_says_so() -> None:
    live = decide(situation(funds=FUNDS))
    watched = decide(situation(funds=FUNDS, observe_only=True))
    assert watched == replace(live, observe_only=True)


def test_a_strategy_of_ones_own_still_keeps_facts_and_holds_first() -> None:
    always = (StrategyRule("always_ask", lambda _: (ASK,)),)
    assert decide(QUIET, always).steps == (ASK,)
    assert decide(situation(holds=("dispute",)), always).rule == "on_hold"
    assert decide(situation(owed=Money(0, "EUR")), always).rule == "nothing_due"
    assert decide(QUIET, ()).rule == "wait_for_money"


def test_rules_have_names_of_their_own() -> None:
    names = [rule.name for rule in (*BEFORE_ANY_RULE, *RECOVERY)]
    assert len(set(names)) == len(names)


def test_every_situation_has_a_decision_and_holds_never_ask() -> None:
    for funds, holds, flight, link, act, reason in product(
        (None, FUNDS),
        ((), ("dispute",)),
        (False, True),
        (None, NOW + timedelta(hours=1)),
        SignalsAct,
        (None, *TaskReason),
    ):
        decision = decide(
            situation(
                funds=funds,
                holds=holds,
                payment_in_flight=flight,
                link_live_until=link,
                signals_act=act,
                troubles=() if reason is None else (reason,),
            )
        )
        assert decision.steps
        if holds or flight or link or funds is None or act is SignalsAct.COLLECTOR:
            assert not any(isinstance(step, AskToPay) for step in decision.steps)


def test_a_situation_prints_itself_without_a_balance() -> None:
    text = repr(situation(funds=FUNDS))
    assert "Situation(" in text
    assert "just_enough" in text
