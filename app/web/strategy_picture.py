"""A strategy drawn as a timeline: stages above, one lane per channel below, days along the foot.

The page draws it as SVG on the server; beside it stands the same as a list, for whoever does not
see a drawing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.domain.message import Channel
from app.domain.stages import StrategyBody
from app.domain.strategy_diff import day_words, notice_words

# Where a day stands in the drawing.
_At: TypeAlias = Callable[[float], float]

WIDTH: Final = 980
_LEFT: Final = 92
_RIGHT: Final = 40
_STAGE_TOP: Final = 14
_STAGE_HEIGHT: Final = 40
_LANE_TOP: Final = 86
_LANE: Final = 40
_LANES: Final[tuple[tuple[Channel, str], ...]] = (
    (Channel.SMS, "Text"),
    (Channel.EMAIL, "E-mail"),
    (Channel.PUSH, "App"),
    (Channel.CALL, "Call"),
)
_LONGEST_NAME: Final = 26


@dataclass(frozen=True, slots=True)
class Band:
    """One stage from `x`, `width` wide. `text` may be cut; `title` is whole."""

    x: float
    width: float
    text: str
    title: str
    odd: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """One channel at height `y`."""

    y: float
    name: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One message, call or end. `shape` differs by channel, so colour is never alone."""

    x: float
    y: float
    shape: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """One day at the foot."""

    x: float
    text: str
    due: bool


@dataclass(frozen=True, slots=True)
class Line:
    """The same in words: when, what."""

    day: int
    when: str
    what: str
    icon: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything the template needs. Lengths are units of the drawing."""

    height: float
    stage_top: float
    stage_height: float
    foot: float
    right: float
    left: float
    bands: tuple[Band, ...]
    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]


def picture_of(body: StrategyBody) -> Picture:
    """Lay a strategy out from its first day to its end."""
    used = {notice.channel for notice in body.notices}
    lanes = [one for one in _LANES if one[0] in used or one[0] is Channel.CALL]
    heights = {channel: _LANE_TOP + number * _LANE for number, (channel, _) in enumerate(lanes)}
    first, last = _span(body)
    scale = (WIDTH - _LEFT - _RIGHT) / max(last - first, 1)

    def at(day: float) -> float:
        return round(_LEFT + (day - first) * scale, 1)

    foot = _LANE_TOP + len(lanes) * _LANE - 6
    marks = tuple(_marks(body, at, heights))
    return Picture(
        height=foot + 34,
        stage_top=_STAGE_TOP,
        stage_height=_STAGE_HEIGHT,
        foot=foot,
        right=WIDTH - _RIGHT + 16,
        left=_LEFT - 14,
        bands=tuple(_bands(body, at, last)),
        lanes=tuple(Lane(heights[channel], name) for channel, name in lanes),
        marks=marks,
        ticks=tuple(_ticks(body, at, last)),
        lines=lines_of(body),
    )


def _span(body: StrategyBody) -> tuple[int, int]:
    days = [0, *(notice.day for notice in body.notices), _end_day(body)]
    days += [stage.from_day for stage in body.stages]
    return min(days), max(days) + 1


def _end_day(body: StrategyBody) -> int:
    """The earliest day on which the end can come."""
    if not body.stages:
        return 1
    last = body.stages[-1]
    days = [last.from_day, *(notice.day for notice in last.notices)]
    if last.calls is not None:
        days.append(last.from_day + (last.calls.attempts - 1) * last.calls.gap_days)
    return max(days) + (1 if body.end is None else body.end.wait_days)


def _bands(body: StrategyBody, at: _At, last: int) -> Iterator[Band]:
    for number, stage in enumerate(body.stages):
        ends = body.stages[number + 1].from_day if number + 1 < len(body.stages) else last
        width = max(at(ends) - at(stage.from_day) - 3, 4)
        room = min(int(width / 8.2), _LONGEST_NAME)
        name = stage.name.replace("_", " ")
        text = name if len(name) <= room else (name[: room - 1] + "…" if room > 3 else "")
        title = f"{name}, from day {stage.from_day}"
        yield Band(at(stage.from_day), width, text, title, bool(number % 2))


_SHAPES: Final = {Channel.SMS: "circle", Channel.EMAIL: "square", Channel.PUSH: "diamond"}


def _marks(body: StrategyBody, at: _At, heights: dict[Channel, int]) -> Iterator[Mark]:
    for notice in body.notices:
        title = f"{day_words(notice.day)}: {notice_words(notice)}"
        yield Mark(at(notice.day), heights[notice.channel], _SHAPES[notice.channel], title)
    for stage in body.stages:
        if stage.calls is None:
            continue
        for turn in range(stage.calls.attempts):
            day = stage.from_day + turn * stage.calls.gap_days
            title = f"day {day} at the earliest: call {turn + 1} of {stage.calls.attempts}"
            yield Mark(at(day), heights[Channel.CALL], "triangle", title)
    if body.end is not None:
        day = _end_day(body)
        title = f"day {day} at the earliest: {body.end.do.value.replace('_', ' ')}"
        yield Mark(at(day), heights[Channel.CALL], "flag", title)


def _ticks(body: StrategyBody, at: _At, last: int) -> Iterator[Tick]:
    days = {0, *(notice.day for notice in body.notices), _end_day(body)}
    days |= {stage.from_day for stage in body.stages}
    before: float | None = None
    for day in sorted(day for day in days if day <= last):
        x = at(day)
        if before is None or x - before >= 24 or day == 0:
            yield Tick(x, "due" if day == 0 else f"{day:+d}".replace("+", ""), day == 0)
            before = x


_ICONS: Final = {Channel.SMS: "text", Channel.EMAIL: "mail", Channel.PUSH: "phone"}
_NAMES: Final = {
    Channel.SMS: "Text message",
    Channel.EMAIL: "E-mail",
    Channel.PUSH: "Message in the app",
}


def lines_of(body: StrategyBody) -> tuple[Line, ...]:
    """Every step in the order of its day."""
    found = [
        Line(
            notice.day,
            day_words(notice.day),
            f"{_NAMES[notice.channel]}: {notice_words(notice)}",
            _ICONS[notice.channel],
        )
        for notice in body.notices
    ]
    for stage in body.stages:
        name = stage.name.replace("_", " ")
        found.append(Line(stage.from_day, f"from day {stage.from_day}", f"Stage {name}", "flag"))
        if stage.calls is not None:
            calls = stage.calls
            days = "working days only" if calls.working_days_only else "any day"
            often = "once a day" if calls.gap_days == 1 else f"every {calls.gap_days} days"
            words = f"Call the borrower, {calls.attempts} times, {often}, {days}"
            found.append(Line(stage.from_day, f"from day {stage.from_day}", words, "call"))
    if body.end is not None:
        day = _end_day(body)
        words = body.end.do.value.replace("_", " ").capitalize()
        found.append(Line(day, f"day {day} at the earliest", words, "scale"))
    order = {"flag": 0, "scale": 3}
    return tuple(sorted(found, key=lambda line: (line.day, order.get(line.icon, 1))))
