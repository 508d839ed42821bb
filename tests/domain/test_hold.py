"""Holds: what each kind stops and for how long, who ends it, and that care only ever softens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.detector import Cover
from app.domain.errors import Invalid
from app.domain.hold import (
    BY_HAND,
    EVERYTHING,
    PRESSURE,
    RULES,
    HoldBlock,
    HoldFact,
    HoldKind,
    blocks_in_force,
    chosen_blocks,
    chosen_end,
    crisis_ends,
    may_lift,
    read_blocks,
    read_kind,
)
from app.domain.message import Channel
from app.domain.roles import Role
from app.domain.stage_plan import CallMade, CaseFacts, plan_case
from app.domain.strategy import (
    PERSON_FIRST,
    AskToPay,
    Decision,
    OpenTask,
    SignalsAct,
    Situation,
    decide,
)
from app.domain.task import PRESSING, TaskOutcome, TaskReason
from tests.domain.test_stage_plan import BODY, DUE, on
from tests.domain.test_strategy import FUNDS, NOW, QUIET

LONDON = ZoneInfo("Europe/London")
DAY = timedelta(days=1)


# ------------------------------------------------------------------ the table


def test_nobody_sets_a_placement_by_hand() -> None:
    assert read_kind("dispute") is HoldKind.DISPUTE
    with pytest.raises(Invalid, match="not a kind"):
        read_kind("placed")
    with pytest.raises(Invalid, match="taken down as one"):
        read_kind("promise")


@pytest.mark.parametrize("kind", list(HoldKind))
def test_every_kind_has_a_rule_with_a_source(kind: HoldKind) -> None:
    rule = RULES[kind]
    assert rule.always <= rule.blocks
    assert len(rule.source) > 20
    # A placement is ended by its recall, never by hand.
    assert (Role.COMPLIANCE in rule.lifted_by) == (kind is not HoldKind.PLACED)
    assert not (rule.lasts and rule.open_ended)
    # As it comes, a hold of any kind takes all pressure off.
    assert rule.blocks >= PRESSURE


def test_a_person_in_breathing_space_is_left_alone_for_sixty_days() -> None:
    assert chosen_end(HoldKind.BREATHING_SPACE, NOW, None) == NOW + 60 * DAY
    assert chosen_end(HoldKind.BREATHING_SPACE, NOW, NOW + 90 * DAY) == NOW + 90 * DAY
    rule = RULES[HoldKind.BREATHING_SPACE]
    assert {HoldBlock.CONTACT, HoldBlock.FEES, HoldBlock.AGENCY, HoldBlock.DEBIT} <= rule.always


def test_a_crisis_ends_thirty_days_after_its_treatment() -> None:
    ends = crisis_ends(date(2026, 3, 1), LONDON)
    assert ends == datetime(2026, 4, 1, tzinfo=LONDON)
    # Across the change of the clock it is still the end of the local day.
    assert ends.astimezone(UTC) == datetime(2026, 3, 31, 23, tzinfo=UTC)


@pytest.mark.parametrize("kind", [HoldKind.DECEASED, HoldKind.INSOLVENCY, HoldKind.CRISIS])
def test_some_holds_end_by_hand_alone_and_by_compliance_alone(kind: HoldKind) -> None:
    assert chosen_end(kind, NOW, None) is None
    with pytest.raises(Invalid, match="only by hand"):
        chosen_end(kind, NOW, NOW + DAY)
    assert [role for role in Role if may_lift(role, kind)] == [Role.COMPLIANCE]


def test_a_collector_ends_none_and_a_kind_nobody_knows_is_left_to_compliance() -> None:
    assert not any(may_lift(Role.COLLECTOR, kind) for kind in HoldKind)
    assert [role for role in Role if may_lift(role, "moonlight")] == [Role.COMPLIANCE]


@pytest.mark.parametrize("end", [NOW, NOW - DAY])
def test_an_end_lies_after_the_start(end: datetime) -> None:
    with pytest.raises(Invalid, match="not after the start"):
        chosen_end(HoldKind.DISPUTE, NOW, end)


def test_less_may_be_stopped_but_not_less_than_the_kind_demands() -> None:
    assert chosen_blocks(HoldKind.DISPUTE, None) == RULES[HoldKind.DISPUTE].blocks
    assert chosen_blocks(HoldKind.DISPUTE, []) == RULES[HoldKind.DISPUTE].blocks
    assert chosen_blocks(HoldKind.OTHER, ["contact", "payment_ask"]) == PRESSURE
    with pytest.raises(Invalid, match="always stops agency"):
        chosen_blocks(HoldKind.DISPUTE, sorted(RULES[HoldKind.DISPUTE].always - {"agency"}))
    with pytest.raises(Invalid, match="not known"):
        chosen_blocks(HoldKind.OTHER, ["everything"])
    with pytest.raises(Invalid, match="not a kind"):
        read_kind("mood")


@pytest.mark.parametrize("kind", BY_HAND)
def test_whatever_is_chosen_nobody_is_asked_for_money(kind: HoldKind) -> None:
    """The call window and every asking look at these two."""
    assert HoldBlock.PAYMENT_ASK in RULES[kind].always
    with pytest.raises(Invalid, match="payment_ask"):
        chosen_blocks(kind, sorted(EVERYTHING - {HoldBlock.PAYMENT_ASK}))
    # A row that is older than this rule.
    assert HoldBlock.PAYMENT_ASK in blocks_in_force(kind.value, ["fees"])


def test_no_block_stored_means_every_block() -> None:
    assert read_blocks([]) == EVERYTHING
    assert read_blocks(["contact"]) == {HoldBlock.CONTACT}
    assert blocks_in_force("other", []) == blocks_in_force("unheard of", ["fees"]) == EVERYTHING


# ------------------------------------------------------------------ the interval

instants = st.integers(0, 60).map(lambda days: NOW + days * DAY)


@given(instants, st.none() | instants, st.none() | instants, instants)
def test_a_hold_lasts_to_its_end_or_its_lifting(
    starts: datetime, ends: datetime | None, lifted: datetime | None, recorded: datetime
) -> None:
    fact = HoldFact("other", starts, ends, lifted, recorded)
    for at in (starts, *(one for one in (ends, lifted, recorded) if one), NOW + 70 * DAY):
        over = any(one is not None and one <= at for one in (ends, lifted))
        assert (at in fact.span) == (starts <= at and not over)
        assert (at in fact.unknown_span) == (at in fact.span and at < recorded)


# ------------------------------------------------------------------ care softens

reasons = st.frozensets(st.sampled_from(TaskReason), max_size=4)
situations = st.builds(
    lambda funds, act, flight, link, unreachable, troubles, waiting, holds: replace(
        QUIET,
        funds=funds,
        signals_act=act,
        payment_in_flight=flight,
        link_live_until=link,
        unreachable=unreachable,
        troubles=tuple(sorted(troubles)),
        tasks_open=waiting,
        holds=holds,
    ),
    st.none() | st.sampled_from(Cover).map(lambda cover: replace(FUNDS, cover=cover)),
    st.sampled_from(SignalsAct),
    st.booleans(),
    st.none() | st.sampled_from([NOW - DAY, NOW + DAY]),
    st.none() | st.sampled_from(sorted(PRESSING)),
    reasons,
    reasons,
    st.lists(st.sampled_from(HoldKind).map(str), max_size=2).map(tuple),
)
# What a person says or suffers, as far as it becomes a waiting task.
CARE = sorted(
    {
        TaskReason.BORROWER_DISPUTES,
        TaskReason.BORROWER_CANNOT_PAY,
        TaskReason.BORROWER_SAYS_PAID,
    }
)


def pressing(decision: Decision) -> set[tuple[str, str]]:
    """The steps that press: a message that asks, a task that makes somebody ask."""
    asks: set[tuple[str, str]] = set()
    for step in decision.steps:
        if isinstance(step, AskToPay):
            asks.add(("ask", Channel.SMS.value))
        elif isinstance(step, OpenTask) and step.reason in PRESSING:
            asks.add(("task", step.reason.value))
    return asks


@given(situations, st.sampled_from(HoldKind))
def test_another_hold_never_adds_a_step_that_presses(now: Situation, kind: HoldKind) -> None:
    with_it = decide(replace(now, holds=(*now.holds, kind.value)))
    assert pressing(with_it) <= pressing(decide(now))
    assert not pressing(with_it)


@given(situations, st.sampled_from(CARE), st.booleans())
def test_what_a_person_said_never_adds_a_step_that_presses(
    now: Situation, said: TaskReason, waiting: bool
) -> None:
    before = pressing(decide(now))
    softer = (
        replace(now, tasks_open=now.tasks_open | {said})
        if waiting
        else replace(now, troubles=(*now.troubles, said))
    )
    assert pressing(decide(softer)) <= before


strategy_facts = st.builds(
    lambda day, **flags: on(day, calls=flags.pop("calls"), **flags),
    st.integers(-5, 60),
    promised=st.booleans(),
    in_flight=st.booleans(),
    link_live=st.booleans(),
    person_first=st.booleans(),
    call_waiting=st.booleans(),
    task_waiting=st.booleans(),
    approval_waiting=st.booleans(),
    closes_failed=st.booleans(),
    calls=st.lists(st.integers(9, 40), max_size=3, unique=True).map(
        lambda days: tuple(CallMade(DUE + day * DAY, TaskOutcome.NO_ANSWER) for day in sorted(days))
    ),
)


@given(strategy_facts)
def test_a_strategy_does_nothing_under_a_hold_and_no_more_for_what_a_person_said(
    facts: CaseFacts,
) -> None:
    held = plan_case(BODY, replace(facts, held=True))
    assert held.steps == ()
    asking = {step.key for step in plan_case(BODY, facts).steps if step.skip is None}
    for softer in (replace(facts, person_first=True), replace(facts, promised=True)):
        steps = {step.key for step in plan_case(BODY, softer).steps if step.skip is None}
        assert steps <= asking


def test_what_presses_and_what_comes_first_are_not_the_same_tasks() -> None:
    assert not PRESSING & PERSON_FIRST
