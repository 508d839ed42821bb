"""Segments: rules that find cases which need another look or another strategy, with reasons.

The first rule that surely holds decides, by rank and then by name; the same facts always give the
same answer. A rule flags a case for a person, or starts another strategy. Where a person is
treated with care nothing starts by itself: a person looks instead, whatever the rule says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, TypeAlias
from uuid import UUID

from app.domain.case_facts import RuleFacts
from app.domain.conditions import (
    Condition,
    Seen,
    condition_notes,
    grounds,
    holds,
    parse_condition,
    seen,
)
from app.domain.errors import Invalid

_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}\Z", re.ASCII)
LONGEST_TITLE: Final = 80
HIGHEST_RANK: Final = 999
MOST_SEGMENTS: Final = 100


@dataclass(frozen=True, slots=True)
class Review:
    """A person looks at the case; `ask` says what for."""

    ask: str


@dataclass(frozen=True, slots=True)
class Start:
    """The case goes on under another strategy, by the name the lender gave it."""

    strategy: str


Action: TypeAlias = Review | Start


@dataclass(frozen=True, slots=True)
class Segment:
    """One rule. The lowest `rank` is asked first."""

    name: str
    title: str
    rank: int
    when: Condition
    action: Action


@dataclass(frozen=True, slots=True)
class Found:
    """The rule that matched, what it leads to, and every comparison with the value it saw.

    `because` are those that made it true.
    `softened`: the rule would have started a strategy, and care turned it into a look.
    """

    segment: Segment
    action: Action
    reasons: tuple[Seen, ...]
    because: tuple[Seen, ...]
    softened: bool = False


_LOOK_WITH_CARE: Final = "This person is treated with care: decide what fits before going on."


def in_order(segments: Iterable[Segment]) -> list[Segment]:
    """The order in which rules are asked."""
    return sorted(segments, key=lambda one: (one.rank, one.name))


def classify(segments: Iterable[Segment], facts: RuleFacts) -> Found | None:
    """The first rule that surely holds; None where none does."""
    for segment in in_order(segments):
        if holds(segment.when, facts) is not True:
            continue
        reasons, because = seen(segment.when, facts), grounds(segment.when, facts)
        if facts.care and isinstance(segment.action, Start):
            action = Review(_LOOK_WITH_CARE)
            return Found(segment, action, reasons, because, softened=True)
        return Found(segment, segment.action, reasons, because)
    return None


# ------------------------------------------------------------------ the whole book


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the rules do to a book. `first`: cases a rule decides; `would`: cases it holds for.

    `overlaps`: cases for which two rules hold. `gap`: cases that no rule decides. `shadowed`:
    rules that hold for cases and decide none of them, because others always come first.
    """

    cases: int
    first: Mapping[str, int]
    would: Mapping[str, int]
    overlaps: Mapping[tuple[str, str], int]
    gap: int
    shadowed: tuple[str, ...]
    silent: tuple[str, ...]


def coverage(segments: Sequence[Segment], book: Iterable[tuple[UUID, RuleFacts]]) -> Coverage:
    """Overlaps and gaps of the rules over a book of cases."""
    ordered = in_order(segments)
    first: Counter[str] = Counter()
    would: Counter[str] = Counter()
    overlaps: Counter[tuple[str, str]] = Counter()
    cases = gap = 0
    for _, facts in book:
        cases += 1
        names = [one.name for one in ordered if holds(one.when, facts) is True]
        would.update(names)
        overlaps.update(combinations(names, 2))
        if names:
            first[names[0]] += 1
        else:
            gap += 1
    known = [one.name for one in ordered]
    return Coverage(
        cases,
        {name: first[name] for name in known},
        {name: would[name] for name in known},
        dict(overlaps),
        gap,
        tuple(name for name in known if would[name] and not first[name]),
        tuple(name for name in known if not would[name]),
    )


# ------------------------------------------------------------------ reading


def parse_segment(
    name: Any, title: Any, rank: Any, when: Any, action: Any, *, field: str = ""
) -> Segment:
    """Read one rule from plain data. Raises `Invalid` that names the place."""
    at = f"{field}." if field else ""
    if not isinstance(name, str) or not _NAME.match(name):
        raise Invalid(f"{at}name", "has 2 to 40 of a-z, 0-9 and _, a letter first.")
    if not isinstance(title, str) or not 0 < len(title.strip()) <= LONGEST_TITLE:
        raise Invalid(f"{at}title", f"has 1 to {LONGEST_TITLE} characters.")
    whole = isinstance(rank, int) and not isinstance(rank, bool)
    if not whole or not 0 <= rank <= HIGHEST_RANK:
        raise Invalid(
            f"{at}rank",
            f"is not a whole number from 0 to {HIGHEST_RANK}.",
            mend="Write digits only.",
        )
    return Segment(
        name,
        title.strip(),
        rank,
        parse_condition(when, field=f"{at}when"),
        parse_action(action, field=f"{at}action"),
    )


def parse_action(given: Any, *, field: str = "action") -> Action:
    """`{"do": "review", "ask": ...}` or `{"do": "start", "strategy": ...}`. Raises `Invalid`."""
    if not isinstance(given, Mapping):
        raise Invalid(
            field, "is not an action.", mend="Use the actions that the page of rules names."
        )
    text = given.get("ask") if given.get("do") == "review" else given.get("strategy")
    match given.get("do"):
        case "review" if set(given) == {"do", "ask"}:
            _one_line(text, f"{field}.ask")
            return Review(str(text).strip())
        case "start" if set(given) == {"do", "strategy"}:
            _one_line(text, f"{field}.strategy")
            return Start(str(text).strip())
    raise Invalid(field, "is not known.", mend="Use review with ask, or start with strategy.")


def _one_line(text: Any, field: str) -> None:
    if not isinstance(text, str) or not 0 < len(text.strip()) <= 200 or "\n" in text:
        raise Invalid(field, "has 1 to 200 characters on one line.")


def action_notes(action: Action) -> dict[str, str]:
    """The action as plain data again."""
    match action:
        case Review(ask):
            return {"do": "review", "ask": ask}
        case Start(strategy):
            return {"do": "start", "strategy": strategy}


def segment_notes(segment: Segment) -> dict[str, Any]:
    """The rule as plain data again."""
    return {
        "name": segment.name,
        "title": segment.title,
        "rank": segment.rank,
        "when": condition_notes(segment.when),
        "action": action_notes(segment.action),
    }
