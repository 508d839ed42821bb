"""The strategy form and picture: what is shown reads back to the same strategy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from starlette.datastructures import FormData

from app.domain.errors import Invalid
from app.domain.stages import StrategyBody, parse_body
from app.reference.strategies import shipped_strategies
from app.web.forms import Form
from app.web.strategy_form import (
    MessageRow,
    StageRow,
    Typed,
    fields_of,
    place_words,
    read_text,
    read_typed,
    typed_of,
)
from app.web.strategy_picture import WIDTH, picture_of
from tests.domain.test_strategy_diff import bodies

SOFT = shipped_strategies()["soft"]


def sent(typed: Typed) -> Form:
    """The form as a browser sends it."""
    fields: list[tuple[str, str]] = [("signals_act", typed.signals_act), ("note", typed.note)]
    for at, stage in enumerate(typed.stages):
        fields += [
            (f"stage-{at}-name", stage.name), (f"stage-{at}-from", stage.from_day),
            (f"stage-{at}-attempts", stage.attempts), (f"stage-{at}-gap", stage.gap_days),
        ]  # fmt: skip
        fields += [(f"stage-{at}-any", "1")] if stage.any_day else []
    for at, message in enumerate(typed.messages):
        fields += [
            (f"message-{at}-day", message.day), (f"message-{at}-channel", message.channel),
            (f"message-{at}-template", message.template),
        ]  # fmt: skip
        fields += [(f"message-{at}-required", "1")] if message.required else []
    fields += [(f"promise-{name}", value) for name, value in typed.promise.items()]
    fields += [(f"end-{name}", value) for name, value in typed.end.items()]
    return Form(FormData(dict(fields)))


def through_the_form(body: StrategyBody) -> StrategyBody:
    typed = read_typed(sent(typed_of(body, "why").with_spare_rows()))
    assert typed.note == "why"
    return parse_body({**fields_of(typed), "name": body.name})


def test_the_shipped_strategy_survives_the_form() -> None:
    assert through_the_form(SOFT) == SOFT


@given(bodies())
def test_every_strategy_survives_the_form(body: StrategyBody) -> None:
    # A message before the first stage has no place; it is told so when it is typed.
    assert through_the_form(body) == body


def test_rows_may_be_typed_in_any_order() -> None:
    typed = typed_of(SOFT)
    mixed = replace(
        typed, stages=tuple(reversed(typed.stages)), messages=tuple(reversed(typed.messages))
    )
    body = parse_body({**fields_of(mixed), "name": "soft"})
    assert [stage.name for stage in body.stages] == [stage.name for stage in SOFT.stages]
    assert body.notices == SOFT.notices


def test_a_message_before_the_first_stage_is_refused_with_its_row() -> None:
    typed = Typed("", (StageRow("late", "5"),), (MessageRow("2", "sms", "first_missed"),), {}, {})
    with pytest.raises(Invalid) as refused:
        fields_of(typed)
    assert refused.value.field == "message 1: day"


@pytest.mark.parametrize("text", ["1.5", "١", "--1", "1e3", "", "９", "1 000", "0x1"])
def test_numbers_are_plain(text: str) -> None:
    with pytest.raises(Invalid):
        fields_of(Typed("", (StageRow("late", text),), (), {}, {}))


@pytest.mark.parametrize("text", ["[" * 5000, "{" * 5000, "null", "a = 1979-05-27 x"])
def test_odd_texts_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_text(text)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("stages[1].notices[0].day", "Stage 2, message 1: day"),
        ("remind[0].template", "Reminder 1: template"),
        ("stages[0].calls", "Stage 1: calls"),
        ("promise.max_parts", "Promise: max parts"),
        ("end", "End"),
    ],
)
def test_places_in_words(field: str, words: str) -> None:
    assert place_words(field) == words


@given(bodies())
def test_everything_is_drawn_inside_the_picture(body: StrategyBody) -> None:
    picture = picture_of(body)
    for x in [*(mark.x for mark in picture.marks), *(tick.x for tick in picture.ticks),
              *(band.x for band in picture.bands)]:  # fmt: skip
        assert 0 <= x <= WIDTH
    for band in picture.bands:
        assert band.x + band.width <= WIDTH
    assert all(0 < mark.y < picture.height for mark in picture.marks)
    # Every message and every call is there once, drawn and in words.
    calls = sum(stage.calls.attempts for stage in body.stages if stage.calls)
    assert len(picture.marks) == len(body.notices) + calls
    assert len(picture.lines) == (
        len(body.notices) + len(body.stages) + sum(bool(stage.calls) for stage in body.stages)
    )
