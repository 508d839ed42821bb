"""What one line of the timeline is told with, and the small pieces of such sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from app.domain.errors import Invalid
from app.domain.money import Money
from app.reference import formats

Details: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Words:
    """Title, sentence, drawing and tone of one line."""

    title: str
    said: str = ""
    icon: str = "info"
    tone: str = ""


def amount_in_words(minor: object, currency: object) -> str:
    """An amount as people write it; empty for what is none."""
    if not isinstance(minor, int) or not isinstance(currency, str):
        return ""
    try:
        return formats.money(Money(minor, currency), "en")
    except Invalid:
        return ""


def day_in_words(text: object) -> str:
    """A day written YYYY-MM-DD as people write it; anything else as it is."""
    try:
        return formats.short_day(date.fromisoformat(str(text)), "en")
    except ValueError:
        return str(text)


def sentence(text: str) -> str:
    """A word of the engine as a sentence; empty for nothing."""
    text = text.replace("_", " ").strip()
    return f"{text[0].upper()}{text[1:]}." if text else ""
