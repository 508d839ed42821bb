"""What a country's law, practice or our own policy says about contact and protected money.

These records are made from the files in policies/ (app/reference/packs.py). Every rule carries
its source and its strength, because a person who is told "not now" may ask who says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TypeAlias

from app.domain.message import Channel
from app.domain.money import Money
from app.domain.open_hours import Weekly


class Strength(StrEnum):
    """law: binding. practice: guidance or a voluntary code. policy: our own choice."""

    LAW = "law"
    PRACTICE = "practice"
    POLICY = "policy"


class Scope(StrEnum):
    """Whether contacts are counted for the whole person or for each debt alone."""

    PERSON = "person"
    DEBT = "debt"


@dataclass(frozen=True, slots=True)
class Hours:
    """Contact only within these hours of the borrower's own clock."""

    weekly: Weekly


@dataclass(frozen=True, slots=True)
class NoHolidays:
    """No contact on public holidays of the borrower's place."""


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `limit` contacts within `within` (rolling), or per local day where it is None.

    Our own attempts count, people's and robots' together, whether answered or not. With
    `reached_only` a call counts only when the person was spoken with; a message always does.
    """

    limit: int
    scope: Scope
    within: timedelta | None
    reached_only: bool = False


@dataclass(frozen=True, slots=True)
class CoolDown:
    """After a conversation, whoever began it, no contact for `length`."""

    length: timedelta
    scope: Scope


@dataclass(frozen=True, slots=True)
class ChannelVariety:
    """At most `limit` different channels within `within` (rolling)."""

    limit: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Never:
    """Not at all. For channels or places that a rule closes."""


@dataclass(frozen=True, slots=True)
class ClosedOn:
    """No contact on these days of the borrower's own calendar."""

    days: frozenset[date]


Limit: TypeAlias = Hours | NoHolidays | ClosedOn | Cap | CoolDown | ChannelVariety | Never


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of contact for some channels, from a day on.

    `at_work`: it is asked only when the contact would reach him where he works. `but_asked_for`:
    it does not hold for a contact that he asked for himself, and counts none.
    """

    id: str
    limit: Limit
    channels: frozenset[Channel]
    strength: Strength
    source: str
    effective_from: date
    at_work: bool = False
    but_asked_for: bool = False


@dataclass(frozen=True, slots=True)
class FloorLevel:
    """What a person needs for a month, as law or policy puts it, from a day on."""

    monthly: Money
    effective_from: date
    strength: Strength
    source: str


@dataclass(frozen=True, slots=True)
class Pack:
    """One jurisdiction. `country` is ISO 3166 alpha-2, "*" for places without a pack.

    `version` is the day of its last review, ISO 8601. `zones` are all time zones of the
    country: where a borrower's own is unknown, contact must be allowed in each of them.
    """

    country: str
    name: str
    version: str
    zones: frozenset[str]
    rules: tuple[Rule, ...]
    floors: tuple[FloorLevel, ...]

    @property
    def look_back(self) -> timedelta:
        """How far back a contact can matter: the longest window of any rule, and two days for the
        rules that count by the borrower's day.
        """
        spans = [timedelta(days=2)]
        for rule in self.rules:
            match rule.limit:
                case Cap(within=timedelta() as span) | ChannelVariety(within=span):
                    spans.append(span)
                case CoolDown(length=span):
                    spans.append(span)
                case _:
                    pass
        return max(spans)

    def floor_on(self, day: date) -> FloorLevel | None:
        """The protected floor in force on a day; None where nobody has set one.

        The floor of an account is the whole monthly level, at any time of the month. The
        statutes protect a month's income from a court's hand, not a balance from a bill that
        its owner chooses to pay; so this is our choice, not their demand: as long as we do not
        know when the next income comes, a whole month's needs are left on the account before
        anybody is asked to pay. Only a person with the right to do so may lower it.
        """
        in_force = [level for level in self.floors if level.effective_from <= day]
        return max(in_force, key=lambda level: level.effective_from, default=None)
