"""The inputs behind a line of the timeline, one readable line each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.domain.money import Money
from app.reference import formats

_HIDDEN: Final = frozenset({"checks", "situation", "steps", "verdict", "cases", "because"})


def inputs_of(details: Mapping[str, Any], zone: ZoneInfo) -> list[tuple[str, str]]:
    """Everything the act was decided from, references included, one line each."""
    lines = [
        (name.replace("_", " "), _value(value, zone))
        for name, value in details.items()
        if name not in _HIDDEN and value not in (None, "", [], {})
    ]
    situation = details.get("situation")
    if isinstance(situation, Mapping):
        lines += [
            (f"{name.replace('_', ' ')} then", _value(value, zone))
            for name, value in situation.items()
            if value not in (None, "", [], {})
        ]
    return lines


def value_in_words(value: Any, zone: ZoneInfo) -> str:
    """One value of a change as people read it; a dash for nothing."""
    return "–" if value in (None, "", [], {}) else _value(value, zone)


def _value(value: Any, zone: ZoneInfo) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case {"minor": int(minor), "currency": str(currency)}:
            return formats.money(Money(minor, currency), "en")
        case Mapping():
            return ", ".join(
                f"{key.replace('_', ' ')}: {_value(one, zone)}" for key, one in value.items()
            )
        case list() | tuple():
            return ", ".join(_value(one, zone) for one in value)
        case str():
            return instant_in_words(value, zone)
        case _:
            return str(value)


def instant_in_words(text: str, zone: ZoneInfo) -> str:
    """An ISO 8601 instant or day as people write it; anything else as it is."""
    if len(text) < 10 or text[4:5] != "-" or text[7:8] != "-":
        return text
    try:
        if len(text) == 10:
            return formats.short_day(date.fromisoformat(text), "en")
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return formats.moment(at, zone, "en") if at.tzinfo else text
