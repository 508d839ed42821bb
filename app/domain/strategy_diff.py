"""What two versions of a strategy do differently, in words a person can decide by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from app.domain.contact_policy import ContactPurpose
from app.domain.stages import Notice, StrategyBody


@dataclass(frozen=True, slots=True)
class Difference:
    """One place; `before` empty: it is new, `after` empty: it is gone."""

    place: str
    before: str
    after: str

    def words(self) -> str:
        """One line, as it is kept beside a proposal."""
        return f"{self.place}: {self.before or 'not there'} → {self.after or 'taken out'}"


_PROMISE: Final[Mapping[str, tuple[str, str]]] = {
    "max_days_ahead": ("Promise: furthest day", "{} days ahead"),
    "max_parts": ("Promise: most parts", "{}"),
    "grace_days": ("Promise: grace", "{} days"),
    "tolerance_basis_points": ("Promise: tolerance", "{} hundredths of a percent"),
    "tolerance_minor": ("Promise: tolerance in minor units", "{}"),
    "remind_days_before": ("Promise: reminder", "{} days before"),
    "min_share_basis_points": ("Promise: smallest share", "{} hundredths of a percent"),
}


def differences(before: StrategyBody | None, after: StrategyBody) -> tuple[Difference, ...]:
    """Every difference, in the order of the flow. Empty where both do the same.

    `before` None: there was nothing, and all of it is new. The name is not among them: it belongs
    to the strategy, not to a version.
    """
    old, new = {} if before is None else _lines(before), _lines(after)
    places = [*new, *(place for place in old if place not in new)]
    return tuple(
        Difference(place, old.get(place, ""), new.get(place, ""))
        for place in places
        if old.get(place) != new.get(place)
    )


def sides(diff: Iterable[Difference]) -> tuple[dict[str, str], dict[str, str]]:
    """What stood at each place before, and what stands there after; absent where nothing does."""
    found = tuple(diff)
    return (
        {one.place: one.before for one in found if one.before},
        {one.place: one.after for one in found if one.after},
    )


def day_words(day: int) -> str:
    """Day past due as people say it: "3 days before", "on the day", "day 8"."""
    if day < 0:
        return f"{-day} day{'s' if day < -1 else ''} before it is due"
    return "on the day it is due" if day == 0 else f"day {day}"


def notice_words(notice: Notice) -> str:
    """The text of a message, and whether the law demands it."""
    required = notice.purpose is ContactPurpose.REQUIRED_NOTICE
    return notice.template + (", required by law" if required else "")


def _lines(body: StrategyBody) -> dict[str, str]:
    """The whole body as one line per place."""
    found: dict[str, str] = {}
    if body.signals_act is not None:
        found["Money seen: who acts"] = body.signals_act.value
    for stage in body.stages:
        found[f"Stage {stage.name}"] = f"from day {stage.from_day}"
        if stage.calls is not None:
            calls = stage.calls
            days = "working days only" if calls.working_days_only else "any day"
            found[f"Calls in {stage.name}"] = (
                f"{calls.attempts}, {calls.gap_days} day(s) apart, {days}"
            )
    for notice in body.notices:
        found[f"{notice.channel.value} {day_words(notice.day)}"] = notice_words(notice)
    for name, value in asdict(body.promise).items():
        label, words = _PROMISE[name]
        found[label] = words.format(value)
    if body.end is not None:
        found["End"] = (
            f"{body.end.do.value.replace('_', ' ')} after {body.end.wait_days} day(s), "
            f"another look every {body.end.review_every_days} days"
        )
    return found
