"""A strategy as data: what is read, what is refused with its place, and what makes no sense."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.contact_policy import ContactPurpose
from app.domain.errors import Invalid
from app.domain.jurisdiction import Cap, ChannelVariety, Limit, Pack, Rule, Scope, Strength
from app.domain.message import Channel
from app.domain.stage_checks import Finding, validate
from app.domain.stages import (
    Calls,
    End,
    EndAct,
    Notice,
    PromiseTerms,
    Stage,
    StrategyBody,
    body_notes,
    parse_body,
)
from app.domain.strategy import SignalsAct

SMS, EMAIL, CALL = Channel.SMS, Channel.EMAIL, Channel.CALL

FIELDS: dict[str, Any] = {
    "name": "firm",
    "signals_act": "both",
    "remind": [{"day": -2, "channel": "sms", "template": "pre_due"}],
    "stages": [
        {
            "name": "grace",
            "from_day": 1,
            "notices": [
                {"day": 1, "channel": "email", "template": "first_missed"},
                {
                    "day": 4,
                    "channel": "sms",
                    "template": "legal",
                    "purpose": "required_notice",
                },
            ],
        },
        {"name": "calls", "from_day": 12, "calls": {"attempts": 3}},
    ],
    "promise": {"max_days_ahead": 14},
    "end": {"do": "hand_to_person", "wait_days": 2},
}


def body(**changes: Any) -> StrategyBody:
    return parse_body({**FIELDS, **changes})


def test_a_body_is_read_to_the_last_field() -> None:
    read = body()
    assert read.signals_act is SignalsAct.BOTH
    assert read.remind == (Notice(-2, SMS, "pre_due"),)
    assert read.stages[0].notices[1].purpose is ContactPurpose.REQUIRED_NOTICE
    assert read.stages[1].calls == Calls(attempts=3, gap_days=1, working_days_only=True)
    assert read.promise == PromiseTerms(max_days_ahead=14)
    assert read.end == End(EndAct.HAND_TO_PERSON, wait_days=2, review_every_days=30)
    assert [notice.day for notice in read.notices] == [-2, 1, 4]


@pytest.mark.parametrize(
    ("day", "stage"),
    [(-5, None), (0, None), (1, "grace"), (11, "grace"), (12, "calls"), (400, "calls")],
)
def test_a_stage_lasts_until_the_next_one_begins(day: int, stage: str | None) -> None:
    found = body().stage_on(day)
    assert (found.name if found else None) == stage


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"sages": []}, "sages"),
        ({"stages": {}}, "stages"),
        ({"stages": [{"name": "a", "from_day": 1}] * 21}, "stages"),
        ({"stages": [{"name": "a"}]}, "stages[0].from_day"),
        ({"stages": [{"name": "a", "from_day": True}]}, "stages[0].from_day"),
        ({"stages": [{"name": "a", "from_day": 1.0}]}, "stages[0].from_day"),
        ({"stages": [{"name": "a", "from_day": 731}]}, "stages[0].from_day"),
        ({"stages": [{"name": "a", "from_day": 1, "calls": {}}]}, "stages[0].calls.attempts"),
        ({"stages": [{"name": "a", "from_day": 1, "calls": 3}]}, "stages[0].calls"),
        (
            {"stages": [{"name": "a", "from_day": 1, "calls": {"attempts": 1, "gap": 2}}]},
            "stages[0].calls.gap",
        ),
        ({"remind": [{"day": 0, "channel": "sms", "template": "t"}]}, "remind[0].day"),
        ({"remind": [{"day": -1, "channel": "call", "template": "t"}]}, "remind[0].channel"),
        ({"remind": [{"day": -1, "channel": "fax", "template": "t"}]}, "remind[0].channel"),
        ({"remind": [{"day": -1, "channel": "sms"}]}, "remind[0].template"),
        ({"remind": ["tomorrow"]}, "remind"),
        ({"promise": {"max_parts": 0}}, "promise.max_parts"),
        ({"promise": {"colour": 1}}, "promise.colour"),
        ({"end": {}}, "end.do"),
        ({"end": {"do": "write_off"}}, "end.do"),
        ({"signals_act": "maybe"}, "signals_act"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        body(**changes)
    assert refused.value.field == field


def test_the_notes_of_a_body_give_it_back_through_json() -> None:
    for one in (body(), body(end=None, signals_act=None), StrategyBody("empty", ())):
        assert parse_body(json.loads(json.dumps(body_notes(one)))) == one


# ------------------------------------------------------------------ what makes no sense

TEMPLATES: dict[tuple[str, Channel], dict[str, tuple[str, ...]]] = {
    ("pre_due", SMS): {"es": ("link",)},
    ("first_missed", EMAIL): {"en": ("link",), "es": ("link", "amount_due")},
    ("legal", SMS): {"es": ("link",)},
}
KNOWN = ("link", "amount_due")


def pack(channels: tuple[Channel, ...], limit: Limit) -> Pack:
    rule = Rule("xx.rule", limit, frozenset(channels), Strength.LAW, "A law.", date(2020, 1, 1))
    return Pack("XX", "Nowhere", "2026-01-01", frozenset({"UTC"}), (rule,), ())


def findings(wanted: StrategyBody, *packs: Pack) -> tuple[Finding, ...]:
    return validate(
        wanted,
        packs=packs,
        templates=lambda name, channel: TEMPLATES.get((name, channel)),
        known_values=KNOWN,
    )


def fields(wanted: StrategyBody, *packs: Pack) -> list[str]:
    return [finding.field for finding in findings(wanted, *packs)]


def test_a_sound_body_has_no_findings() -> None:
    assert findings(body()) == ()


def test_no_stage_and_no_end_are_found() -> None:
    assert fields(StrategyBody("empty", ())) == ["stages", "end"]


@pytest.mark.parametrize("day", [1, 0])
def test_a_stage_that_is_never_reached_is_found(day: int) -> None:
    stages = (Stage("first", 1), Stage("second", day))
    assert fields(replace(body(), remind=(), stages=stages)) == ["stages[1].from_day"]


def test_two_stages_of_one_name_are_found() -> None:
    stages = (Stage("grace", 1), Stage("grace", 2))
    assert fields(replace(body(), stages=stages)) == ["stages[1].name"]


@pytest.mark.parametrize(("day", "sound"), [(0, False), (1, True), (11, True), (12, False)])
def test_a_notice_outside_its_stage_is_found(day: int, sound: bool) -> None:
    stages = (Stage("grace", 1, (Notice(day, SMS, "legal"),)), Stage("calls", 12))
    expected = [] if sound else ["stages[0].notices[0].day"]
    assert fields(replace(body(), stages=stages)) == expected


def test_two_messages_at_once_are_found() -> None:
    twice = (Notice(3, SMS, "legal"), Notice(3, SMS, "legal"), Notice(3, EMAIL, "first_missed"))
    assert fields(replace(body(), stages=(Stage("grace", 1, twice),))) == [
        "stages[0].notices[1].day"
    ]


def test_a_missing_template_and_an_unknown_value_are_found() -> None:
    missing = (Notice(3, EMAIL, "legal"),)
    assert fields(replace(body(), stages=(Stage("grace", 1, missing),))) == [
        "stages[0].notices[0].template"
    ]
    found = validate(
        body(),
        packs=(),
        templates=lambda name, channel: TEMPLATES.get((name, channel)),
        known_values=("link",),
    )
    assert [(one.field, "(es) asks for amount_due" in one.words) for one in found] == [
        ("stages[0].notices[0].template", True)
    ]


@pytest.mark.parametrize(
    ("days", "sound"),
    [((1, 2), True), ((1, 2, 7), False), ((1, 2, 8), True), ((1, 5, 7, 8), False)],
)
def test_a_cap_is_counted_in_its_rolling_window(days: tuple[int, ...], sound: bool) -> None:
    notices = tuple(Notice(day, SMS, "legal") for day in days)
    wanted = replace(body(), remind=(), stages=(Stage("grace", 1, notices),))
    week = pack((SMS, EMAIL), Cap(2, Scope.PERSON, timedelta(days=7)))
    assert (findings(wanted, week) == ()) is sound


def test_calls_count_at_their_earliest_days() -> None:
    stages = (Stage("calls", 2, (Notice(2, SMS, "legal"),), Calls(3)),)
    wanted = replace(body(), remind=(), stages=stages)
    every_day = pack((SMS, CALL), Cap(1, Scope.PERSON, None))
    assert fields(wanted, every_day) == ["stages[0].calls"]
    assert fields(wanted, pack((CALL,), Cap(2, Scope.DEBT, timedelta(days=7)))) == [
        "stages[0].calls"
    ]
    assert fields(wanted, pack((CALL,), Cap(3, Scope.DEBT, timedelta(days=7)))) == []


def test_a_notice_that_the_law_demands_is_outside_the_caps() -> None:
    notices = tuple(Notice(day, SMS, "legal", ContactPurpose.REQUIRED_NOTICE) for day in (1, 2, 3))
    wanted = replace(body(), remind=(), stages=(Stage("grace", 1, notices),))
    assert fields(wanted, pack((SMS,), Cap(1, Scope.PERSON, timedelta(days=7)))) == []


@pytest.mark.parametrize(
    ("begins_on", "expected"),
    [
        (0, []),
        (4, []),
        (11, [("stages[0].notices[0].day", False)]),
        (12, [("stages[0].from_day", True), ("stages[0].notices[0].day", False)]),
    ],
)
def test_what_is_over_when_a_case_begins_is_found(
    begins_on: int, expected: list[tuple[str, bool]]
) -> None:
    """A case that opens on day 12 never stands in a stage that lasts until day 11."""
    notices = (Notice(3, SMS, "legal"), Notice(9, SMS, "legal"))
    stages = (Stage("grace", 1, notices), Stage("calls", 12, calls=Calls(3)))
    found = validate(
        replace(body(), remind=(), stages=stages),
        packs=(),
        templates=lambda name, channel: TEMPLATES.get((name, channel)),
        known_values=KNOWN,
        begins_on=begins_on,
    )
    assert [(one.field, one.blocks) for one in found] == expected


@pytest.mark.parametrize(
    ("attempts", "gap", "late", "fit"),
    [(3, 1, 27, None), (3, 1, 26, 2), (3, 7, 31, 1), (1, 60, 25, None)],
)
def test_calls_that_the_next_stage_cuts_short_are_told(
    attempts: int, gap: int, late: int, fit: int | None
) -> None:
    stages = (Stage("calls", 24, calls=Calls(attempts, gap)), Stage("late", late))
    found = findings(replace(body(), remind=(), stages=stages))
    said = [(one.field, one.blocks, f"{fit} of the {attempts} calls" in one.words) for one in found]
    assert said == ([] if fit is None else [("stages[0].calls", False, True)])


def test_one_channel_a_week_is_told_and_does_not_block() -> None:
    found = findings(body(), pack((SMS, EMAIL), ChannelVariety(1, timedelta(days=7))))
    assert [(one.field, one.blocks) for one in found] == [("stages[0].notices[0].day", False)]


@given(
    days=st.lists(st.integers(1, 60), min_size=1, max_size=8, unique=True),
    limit=st.integers(1, 4),
    span=st.integers(1, 20),
)
def test_the_cap_agrees_with_counting_by_hand(days: list[int], limit: int, span: int) -> None:
    notices = tuple(Notice(day, SMS, "legal") for day in days)
    wanted = replace(body(), remind=(), stages=(Stage("grace", 1, notices),))
    found = findings(wanted, pack((SMS,), Cap(limit, Scope.PERSON, timedelta(days=span))))
    worst = max(sum(1 for day in days if start <= day < start + span) for start in range(1, 61))
    assert (found == ()) is (worst <= limit)


def test_a_notice_of_a_strategy_is_no_answer() -> None:
    """An answer passes some holds, since somebody asked; nobody asked for a notice."""
    notice = {"day": 3, "channel": "sms", "template": "first_missed", "purpose": "answer"}
    stage = {"name": "late", "from_day": 1, "notices": [notice]}
    with pytest.raises(Invalid) as refused:
        parse_body({"name": "x", "stages": [stage]})
    assert refused.value.field == "stages[0].notices[0].purpose"
