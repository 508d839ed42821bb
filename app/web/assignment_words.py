"""Who gets a task and why, in words: skills, hours, and why one is nobody's yet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.domain.assignment import Need, Skills, Why, WorkKind
from app.domain.desk_profile import DAYS, Profile
from app.flows.books import register_borrower
from app.reference import formats
from app.reports.assignment import Unassigned
from app.web.telling import Details, Words

KINDS: Final[Mapping[WorkKind, str]] = {
    WorkKind.HARDSHIP: "people who cannot pay",
    WorkKind.DISPUTE: "disputes",
    WorkKind.BROKEN_PROMISE: "broken promises",
    WorkKind.MONEY: "money in the wrong place",
}

_BACK: Final = {
    "away": "Whoever had it is away.",
    "gone": "Whoever had it works no tasks any more.",
    "unfit": "Whoever had it does not do this kind of work any more.",
}


def language(code: str) -> str:
    """A language by its name."""
    return formats.language_name(code, "en")


LANGUAGES: Final[Mapping[str, str]] = {code: language(code) for code in register_borrower.LANGUAGES}


def skills_in_words(skills: Skills) -> str:
    """Everything somebody can do that not everybody can; empty: nothing is noted."""
    parts = [f"speaks {language(one)}" for one in sorted(skills.languages)]
    parts += [f"knows {one}" for one in sorted(skills.products)]
    parts += [f"takes {KINDS[one]}" for one in WorkKind if one in skills.kinds]
    parts += ["takes large amounts"] if skills.large else []
    return _sentence(", ".join(parts))


def hours_in_words(profile: Profile) -> str:
    """Mon–Fri 09:00–17:00: days with the same hours are told together."""
    told: list[tuple[int, int, str]] = []
    for day, windows in enumerate(profile.hours):
        text = ", ".join(str(one) for one in windows)
        if told and told[-1][2] == text:
            told[-1] = (told[-1][0], day, text)
        else:
            told.append((day, day, text))
    return "; ".join(f"{_days(first, last)} {text}" for first, last, text in told if text)


def _days(first: int, last: int) -> str:
    return DAYS[first][:3] if first == last else f"{DAYS[first][:3]}–{DAYS[last][:3]}"


def given_in_words(because: Mapping[str, Any], now: datetime, zone: ZoneInfo) -> str:
    """Why the rules gave a task to whoever has it."""
    if not because.get("on_shift_at"):
        return _by_rule(because, "on shift")
    at = datetime.fromisoformat(because["on_shift_at"])
    begins = formats.near_time(at, now, zone, "en")
    return _by_rule(because, f"next on shift {begins}" if at > now else f"on shift since {begins}")


def _by_rule(because: Mapping[str, Any], shift: str) -> str:
    said = _because(because, shift)
    return f"By the rules: {said[:1].lower()}{said[1:]}"


def _because(because: Mapping[str, Any], shift: str) -> str:
    parts = []
    if because.get("language"):
        parts.append(f"speaks {language(because['language'])}")
    if because.get("product"):
        parts.append(f"knows {because['product']}")
    if because.get("kind") in set(WorkKind):
        parts.append(f"takes {KINDS[WorkKind(because['kind'])]}")
    if because.get("large"):
        parts.append("takes large amounts")
    if because.get("same_borrower"):
        parts.append("has this borrower already")
    parts.append(f"{because.get('load', 0)} of {because.get('cap', 0)} open")
    return _sentence("; ".join((*parts, shift)))


def unassigned_in_words(one: Unassigned) -> str:
    """Why a task of the board is nobody's."""
    match one.why:
        case None:
            return ""
        case Why.LEADS_DECIDE:
            return "Given to nobody: somebody who may decide it takes it."
        case Why.NOBODY_CAN:
            lacking = need_in_words(one.need) or "works by these rules"
            return f"On the board: nobody {lacking}, so everybody may take it."
        case Why.NOBODY_THERE:
            return f"On the board: nobody who {need_in_words(one.need) or 'can do it'} is there."
        case Why.ALL_FULL:
            who = need_in_words(one.need) or "is there"
            return f"On the board: everybody who {who} has as many as he may have."


def need_in_words(need: Need) -> str:
    """What whoever does it has to be able to do; empty: nothing."""
    parts = []
    if need.language:
        parts.append(f"speaks {language(need.language)}")
    if need.product:
        parts.append(f"knows {need.product}")
    if need.kind is not None:
        parts.append(f"takes {KINDS[need.kind]}")
    if need.large:
        parts.append("takes large amounts")
    return " and ".join(parts)


def task_changed_hands(details: Details) -> Words | None:
    """The line of a task that was given to somebody or came back; None for any other change."""
    if details.get("name"):
        because = details.get("because", {})
        shift = "before the next shift" if because.get("on_shift_at") else "on shift"
        return Words(f"Task given to {details['name']}", _because(because, shift), "task")
    why = str(details.get("why", ""))
    if details.get("handed_to") == "board" and why in _BACK:
        return Words("Task back on the board", _BACK[why], "task")
    return None


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
