"""Differences between two versions: every one is named, and nothing that is not one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.contact_policy import ContactPurpose
from app.domain.message import Channel
from app.domain.stages import (
    Calls,
    End,
    EndAct,
    Notice,
    PromiseTerms,
    Stage,
    StrategyBody,
    body_notes,
)
from app.domain.strategy import SignalsAct
from app.domain.strategy_diff import day_words, differences
from app.reference.strategies import shipped_strategies

_END = "after 1 day(s), another look every 30 days"
SOFT = shipped_strategies()["soft"]


def stage(number: int, **change: Any) -> StrategyBody:
    stages = list(SOFT.stages)
    stages[number] = replace(stages[number], **change)
    return replace(SOFT, stages=tuple(stages))


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (stage(0, from_day=2), "Stage grace: from day 1 → from day 2"),
        (stage(3, calls=None),
         "Calls in calls: 3, 1 day(s) apart, working days only → taken out"),
        (stage(3, calls=Calls(4, 2, working_days_only=False)),
         "Calls in calls: 3, 1 day(s) apart, working days only → 4, 2 day(s) apart, any day"),
        (replace(SOFT, remind=()), "sms 3 days before it is due: pre_due → taken out"),
        (stage(0, notices=(Notice(0, Channel.PUSH, "first_missed"), *SOFT.stages[0].notices)),
         "push on the day it is due: not there → first_missed"),
        (stage(2, notices=(Notice(15, Channel.EMAIL, "escalated",
                                  ContactPurpose.REQUIRED_NOTICE),
                           SOFT.stages[2].notices[1])),
         "email day 15: escalated → escalated, required by law"),
        (replace(SOFT, promise=PromiseTerms(max_parts=5)), "Promise: most parts: 3 → 5"),
        (replace(SOFT, signals_act=SignalsAct.BOTH), "Money seen: who acts: not there → both"),
        (replace(SOFT, end=None),
         f"End: propose write off {_END} → taken out"),
        (replace(SOFT, end=End(EndAct.HAND_TO_PERSON)),
         f"End: propose write off {_END} → hand to person {_END}"),
    ],
)  # fmt: skip
def test_one_change_is_one_line(changed: StrategyBody, line: str) -> None:
    assert [one.words() for one in differences(SOFT, changed)] == [line]


def test_a_name_is_no_difference() -> None:
    assert differences(SOFT, replace(SOFT, name="Other")) == ()


notices = st.builds(
    Notice,
    st.integers(0, 40),
    st.sampled_from([Channel.SMS, Channel.EMAIL]),
    st.sampled_from(["first_missed", "follow_up"]),
    st.sampled_from([ContactPurpose.COLLECTION, ContactPurpose.REQUIRED_NOTICE]),
)
calls = st.none() | st.builds(Calls, st.integers(1, 4), st.integers(1, 3), st.booleans())


@st.composite
def bodies(draw: st.DrawFn) -> StrategyBody:
    days = sorted(draw(st.sets(st.integers(0, 40), min_size=1, max_size=3)))
    by_slot: Callable[[Notice], str] = lambda one: one.slot  # noqa: E731
    listed = draw(st.lists(notices, max_size=4, unique_by=by_slot))
    stages = tuple(
        Stage(
            f"s{number}",
            day,
            tuple(
                one
                for one in sorted(listed, key=lambda one: (one.day, one.channel))
                if day <= one.day and (number + 1 == len(days) or one.day < days[number + 1])
            ),
            draw(calls),
        )
        for number, day in enumerate(days)
    )
    return StrategyBody("x", stages, promise=PromiseTerms(max_parts=draw(st.integers(1, 3))))


@given(bodies(), bodies())
def test_there_is_a_difference_exactly_where_the_bodies_differ(
    one: StrategyBody, other: StrategyBody
) -> None:
    assert (differences(one, other) == ()) == (body_notes(one) == body_notes(other))
    there, back = differences(one, other), differences(other, one)
    assert {(d.place, d.before, d.after) for d in there} == {
        (d.place, d.after, d.before) for d in back
    }


def test_days_in_words() -> None:
    assert [day_words(day) for day in (-3, -1, 0, 8)] == [
        "3 days before it is due", "1 day before it is due", "on the day it is due", "day 8",
    ]  # fmt: skip
