"""A strategy as a plain form: rows for stages and messages, a few fields for promises and the end.

A message stands on its day; which stage that is follows from the days, so nobody has to keep both
in step. An empty row is no row: that is how one is taken out.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from app.domain.errors import Invalid
from app.domain.stages import PromiseTerms, StrategyBody
from app.web.forms import Form

MOST_STAGE_ROWS: Final = 12
MOST_MESSAGE_ROWS: Final = 30
_SPARE: Final = 3
LONGEST_TEXT: Final = 40_000

PROMISE_FIELDS: Final[Mapping[str, tuple[str, str]]] = {
    "max_days_ahead": ("Furthest day", "days ahead"),
    "max_parts": ("Most parts", "payments"),
    "grace_days": ("Days of grace", "after the promised day"),
    "tolerance_basis_points": ("May be short by", "hundredths of a percent"),
    "tolerance_minor": ("May be short by", "minor units, such as cents"),
    "remind_days_before": ("Reminder", "days before"),
    "min_share_basis_points": ("Smallest promise", "hundredths of a percent of what is due"),
}


@dataclass(frozen=True, slots=True)
class StageRow:
    """One row of stages as it stands in the form."""

    name: str = ""
    from_day: str = ""
    attempts: str = ""
    gap_days: str = ""
    any_day: bool = False


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One row of messages as it stands in the form."""

    day: str = ""
    channel: str = ""
    template: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Typed:
    """The whole form as text: from a body, or as somebody typed it."""

    signals_act: str
    stages: tuple[StageRow, ...]
    messages: tuple[MessageRow, ...]
    promise: Mapping[str, str]
    end: Mapping[str, str]
    note: str = ""

    def with_spare_rows(self) -> Typed:
        """The same with empty rows to add something in."""
        stages = min(len(self.stages) + _SPARE, MOST_STAGE_ROWS)
        messages = min(len(self.messages) + _SPARE, MOST_MESSAGE_ROWS)
        return Typed(
            self.signals_act,
            (*self.stages, *[StageRow()] * (stages - len(self.stages))),
            (*self.messages, *[MessageRow()] * (messages - len(self.messages))),
            self.promise,
            self.end,
            self.note,
        )


def typed_of(body: StrategyBody, note: str = "") -> Typed:
    """What the form shows for a body."""
    end = {} if body.end is None else asdict(body.end)
    return Typed(
        signals_act=body.signals_act.value if body.signals_act else "",
        stages=tuple(
            StageRow(
                stage.name,
                str(stage.from_day),
                str(stage.calls.attempts) if stage.calls else "",
                str(stage.calls.gap_days) if stage.calls else "",
                stage.calls is not None and not stage.calls.working_days_only,
            )
            for stage in body.stages
        ),
        messages=tuple(
            MessageRow(
                str(notice.day),
                notice.channel.value,
                notice.template,
                notice.purpose.value == "required_notice",
            )
            for notice in body.notices
        ),
        promise={name: str(value) for name, value in asdict(body.promise).items()},
        end={name: str(getattr(value, "value", value)) for name, value in end.items()},
        note=note,
    )


def read_typed(form: Form) -> Typed:
    """The form as it was sent, rows without any word left out."""
    stages = [
        StageRow(
            form.text(f"stage-{at}-name", longest=60),
            form.text(f"stage-{at}-from", longest=6),
            form.text(f"stage-{at}-attempts", longest=6),
            form.text(f"stage-{at}-gap", longest=6),
            form.ticked(f"stage-{at}-any"),
        )
        for at in range(MOST_STAGE_ROWS)
    ]
    messages = [
        MessageRow(
            form.text(f"message-{at}-day", longest=6),
            form.text(f"message-{at}-channel", longest=10),
            form.text(f"message-{at}-template", longest=60),
            form.ticked(f"message-{at}-required"),
        )
        for at in range(MOST_MESSAGE_ROWS)
    ]
    return Typed(
        signals_act=form.text("signals_act", longest=20),
        stages=tuple(
            row for row in stages if row.name or row.from_day or row.attempts or row.gap_days
        ),
        messages=tuple(row for row in messages if row.day or row.template),
        promise={name: form.text(f"promise-{name}", longest=12) for name in asdict(PromiseTerms())},
        end={
            name: form.text(f"end-{name}", longest=20)
            for name in ("do", "wait_days", "review_every_days")
        },
        note=form.text("note", longest=500),
    )


def fields_of(typed: Typed) -> dict[str, Any]:
    """What `app.domain.stages.parse_body` reads. Raises `Invalid` naming the row."""
    stages = sorted(
        (_stage(number, row) for number, row in enumerate(typed.stages, 1)),
        key=lambda stage: int(stage["from_day"]),
    )
    remind: list[dict[str, Any]] = []
    for number, row in enumerate(typed.messages, 1):
        message = _message(number, row)
        _place(number, message, stages, remind)
    fields: dict[str, Any] = {
        "remind": remind,
        "stages": stages,
        "promise": {
            name: _whole(f"promise: {PROMISE_FIELDS[name][0].lower()}", value)
            for name, value in typed.promise.items()
            if value
        },
    }
    if typed.signals_act:
        fields["signals_act"] = typed.signals_act
    if typed.end.get("do"):
        fields["end"] = {
            "do": typed.end["do"],
            **{
                name: _whole(f"end: {name.replace('_', ' ')}", typed.end[name])
                for name in ("wait_days", "review_every_days")
                if typed.end.get(name)
            },
        }
    return fields


def _stage(number: int, row: StageRow) -> dict[str, Any]:
    where = f"stage {number}"
    if not row.name:
        raise Invalid(f"{where}: name", "is missing.", mend="Name it, or empty the row.")
    stage: dict[str, Any] = {
        "name": row.name,
        "from_day": _whole(f"{where}: from day", row.from_day),
        "notices": [],
    }
    if row.attempts:
        stage["calls"] = {
            "attempts": _whole(f"{where}: calls", row.attempts),
            "working_days_only": not row.any_day,
        }
        if row.gap_days:
            stage["calls"]["gap_days"] = _whole(f"{where}: days between calls", row.gap_days)
    elif row.gap_days:
        raise Invalid(f"{where}: calls", "are missing.", mend="Say how many, or empty the days.")
    return stage


def _message(number: int, row: MessageRow) -> dict[str, Any]:
    where = f"message {number}"
    if not row.channel or not row.template:
        missing = "text" if row.channel else "channel"
        raise Invalid(f"{where}: {missing}", "is missing.", mend="Choose it, or empty the row.")
    message: dict[str, Any] = {
        "day": _whole(f"{where}: day", row.day),
        "channel": row.channel,
        "template": row.template,
    }
    if row.required:
        message["purpose"] = "required_notice"
    return message


def _place(
    number: int,
    message: dict[str, Any],
    stages: list[dict[str, Any]],
    remind: list[dict[str, Any]],
) -> None:
    if message["day"] < 0:
        remind.append(message)
        return
    begun = [stage for stage in stages if stage["from_day"] <= message["day"]]
    if not begun:
        raise Invalid(
            f"message {number}: day",
            f"{message['day']} is before the first stage begins.",
            mend="Begin a stage earlier, or write a day before 0 for a reminder.",
        )
    begun[-1]["notices"].append(message)


def _whole(field: str, text: str) -> int:
    if not re.fullmatch(r"-?\d{1,9}", text, re.ASCII):
        raise Invalid(field, "is not a whole number.", mend="Write digits only.")
    return int(text)


def read_text(text: str) -> dict[str, Any]:
    """What an expert typed: JSON or TOML. Raises `Invalid` with the place of the fault."""
    if not text.strip():
        raise Invalid("text", "is empty.", mend="Write the strategy as JSON.")
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except json.JSONDecodeError as fault:
        raise Invalid(
            "text", f"line {fault.lineno}: {fault.msg}.", mend="Correct that line."
        ) from None
    except (tomllib.TOMLDecodeError, RecursionError) as fault:
        raise Invalid("text", f"cannot be read: {fault}.", mend="Write it as JSON.") from None
    if not isinstance(found, dict):
        raise Invalid("text", "is not a table.", mend="Begin and end it with curly brackets.")
    return found


_STEP: Final = re.compile(r"(stages|remind|notices)\[(\d+)\]")
_PLACES: Final = {"stages": "stage", "remind": "reminder", "notices": "message"}


def place_words(field: str) -> str:
    """`stages[1].notices[0].day` as people say it: "Stage 2, message 1: day"."""
    parts = field.split(".")
    words = [
        _STEP.sub(lambda found: f"{_PLACES[found[1]]} {int(found[2]) + 1}", part) for part in parts
    ]
    *heads, last = words
    said = ", ".join(heads) + (": " if heads else "") + last.replace("_", " ")
    return said[:1].upper() + said[1:]
