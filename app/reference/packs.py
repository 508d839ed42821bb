"""Read the jurisdiction packs in policies/jurisdictions into frozen records.

A pack is checked to the last field when Saldo starts: a rule that nobody can read must not be
a rule that nobody keeps. Every error names the file, the rule and the field.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from app.domain.errors import Invalid, Misconfigured
from app.domain.jurisdiction import (
    Cap,
    ChannelVariety,
    CoolDown,
    FloorLevel,
    Hours,
    Limit,
    Never,
    NoHolidays,
    Pack,
    Rule,
    Scope,
    Strength,
)
from app.domain.message import Channel
from app.domain.money import Money
from app.domain.open_hours import Window
from app.reference.places import country_zones

PACKS_FOLDER = Path(__file__).resolve().parents[2] / "policies" / "jurisdictions"
_ANYWHERE = "*"
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LENGTH = re.compile(r"([1-9]\d{0,3}) (minute|hour|day)s?\Z", re.ASCII)
_RULE_FIELDS = {
    "id", "kind", "channels", "strength", "source", "effective_from", "at_work", "but_asked_for",
}  # fmt: skip
_FLOOR_FIELDS = {"monthly", "currency", "strength", "source", "effective_from"}
_PACK_FIELDS = {"country", "name", "version", "rule", "floor"}

# The gate looks back a month: a longer window would count less than it says.
LONGEST_WINDOW = timedelta(days=31)

_TYPE_NAMES: Mapping[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    list: "a list",
    dict: "a table",
    date: "a date",
}

Member = TypeVar("Member", bound=StrEnum)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class PackBook:
    """All packs by country, and the strict one for every other place."""

    packs: Mapping[str, Pack]
    elsewhere: Pack

    def of(self, country: str | None) -> Pack:
        """The pack of a country (ISO 3166 alpha-2); the strict one where there is none."""
        return self.packs.get((country or "").upper(), self.elsewhere)


def load_packs(folder: Path = PACKS_FOLDER) -> PackBook:
    """Read every *.toml in the folder. Raises `Misconfigured` for the first fault found."""
    paths = sorted(folder.glob("*.toml"))
    packs: dict[str, Pack] = {}
    for path in paths:
        pack = _pack(path)
        if pack.country in packs:
            raise _fault(path.name, "country", f"{pack.country} has a pack already")
        packs[pack.country] = pack
    elsewhere = packs.pop(_ANYWHERE, None)
    if elsewhere is None:
        raise _fault(str(folder), "country", 'no pack says country = "*"')
    return PackBook(packs, elsewhere)


@dataclass(frozen=True, slots=True)
class _Table:
    """One TOML table with the words to name it in an error."""

    where: str
    fields: Mapping[str, Any]

    def only(self, known: set[str]) -> None:
        """Refuse fields that nobody reads: mostly they are typing errors."""
        unknown = sorted(set(self.fields) - known)
        if unknown:
            raise _fault(self.where, unknown[0], "is not a field that is known here")

    def take(self, field: str, kind: type[Value]) -> Value:
        """A field of exactly this type; empty counts as missing."""
        value = self.fields.get(field)
        # Exactly: a bool is an int, and a date with a time is a date, but not what is meant.
        if type(value) is not kind or value in ("", [], {}):
            raise _fault(self.where, field, f"must be given as {_TYPE_NAMES[kind]}")
        return value

    def choose(self, field: str, members: type[Member]) -> Member:
        """A field that is one word of a list."""
        word = self.take(field, str)
        try:
            return members(word)
        except ValueError:
            known = ", ".join(members)
            raise _fault(self.where, field, f"{word!r} is none of: {known}") from None

    def count(self, field: str) -> int:
        """A whole number above zero."""
        number = self.take(field, int)
        if number < 1:
            raise _fault(self.where, field, "must be at least 1")
        return number

    def length(self, field: str) -> timedelta:
        """A length of time such as "7 days"."""
        found = _LENGTH.match(self.take(field, str))
        if found is None:
            raise _fault(self.where, field, 'must be a length of time like "7 days"')
        length = timedelta(**{f"{found[2]}s": int(found[1])})
        if length > LONGEST_WINDOW:
            raise _fault(self.where, field, f"is longer than {LONGEST_WINDOW.days} days")
        return length

    def flag(self, field: str) -> bool:
        """True or false; false where it is not given."""
        return field in self.fields and self.take(field, bool)


def _pack(path: Path) -> Pack:
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise _fault(path.name, "TOML", str(fault)) from None
    table = _Table(path.name, fields)
    table.only(_PACK_FIELDS)
    country = table.take("country", str)
    if country != _ANYWHERE and not country_zones(country):
        raise _fault(path.name, "country", f"{country!r} is not an ISO 3166 country code")
    rules = tuple(_rule(path.name, entry) for entry in _entries(table, "rule"))
    names = [rule.id for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise _fault(f"{path.name}, rule {name}", "id", "is used twice")
    if not any(isinstance(rule.limit, Hours) for rule in rules):
        raise _fault(path.name, "rule", 'no rule of kind "hours"')
    return Pack(
        country=country,
        name=table.take("name", str),
        version=table.take("version", date).isoformat(),
        zones=country_zones(country),
        rules=rules,
        floors=tuple(_floor(path.name, entry) for entry in _entries(table, "floor")),
    )


def _entries(table: _Table, field: str) -> Sequence[Mapping[str, Any]]:
    """The tables written as [[field]]; none is allowed here."""
    entries = table.fields.get(field, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _fault(table.where, field, f"must be written as [[{field}]]")
    return entries


def _rule(file: str, fields: Mapping[str, Any]) -> Rule:
    name = _Table(f"{file}, a rule", fields).take("id", str)
    table = _Table(f"{file}, rule {name}", fields)
    kind = table.take("kind", str)
    if kind not in _KINDS:
        raise _fault(table.where, "kind", f"{kind!r} is none of: {', '.join(sorted(_KINDS))}")
    own_fields, read = _KINDS[kind]
    table.only(_RULE_FIELDS | own_fields)
    return Rule(
        id=name,
        limit=read(table),
        channels=_channels(table),
        strength=table.choose("strength", Strength),
        source=table.take("source", str),
        effective_from=table.take("effective_from", date),
        at_work=table.flag("at_work"),
        but_asked_for=table.flag("but_asked_for"),
    )


def _channels(table: _Table) -> frozenset[Channel]:
    known = {str(channel): channel for channel in Channel}
    words = table.take("channels", list)
    for word in words:
        if not isinstance(word, str) or word not in known:
            raise _fault(table.where, "channels", f"{word!r} is none of: {', '.join(known)}")
    named = frozenset(known[word] for word in words)
    # A message in an app buzzes in the same pocket as a text: no rule about texts leaves it out.
    return named | {Channel.PUSH} if Channel.SMS in named else named


def _hours(table: _Table) -> Limit:
    """Windows by day or by a run of days: {"monday-friday" = ["09:00-20:00"]}."""
    week: list[tuple[Window, ...]] = [()] * len(_DAYS)
    for days, texts in table.take("windows", dict).items():
        first, _, last = days.partition("-")
        run = range(_index(first), _index(last or first) + 1)
        if not run or _index(first) < 0:
            raise _fault(table.where, "windows", f"{days!r} is not a day or a run of days")
        try:
            windows = tuple(sorted(Window.parse(text) for text in texts))
        except (ValueError, AttributeError, TypeError) as fault:
            raise _fault(table.where, f"windows.{days}", str(fault)) from None
        for day in run:
            if week[day]:
                raise _fault(table.where, f"windows.{days}", f"{_DAYS[day]} is given twice")
            week[day] = windows
    if not any(week):
        raise _fault(table.where, "windows", "no hour of the week is open")
    return Hours(tuple(week))


def _index(day: str) -> int:
    """Monday is 0; -1 for a word that is no day."""
    return _DAYS.index(day) if day in _DAYS else -1


def _cap(table: _Table) -> Limit:
    """`within` is a rolling length, or "day" for the borrower's calendar day."""
    within = None if table.fields.get("within") == "day" else table.length("within")
    scope = table.choose("per", Scope)
    return Cap(table.count("limit"), scope, within, reached_only=table.flag("reached_only"))


def _cool_down(table: _Table) -> Limit:
    return CoolDown(table.length("length"), table.choose("per", Scope))


def _variety(table: _Table) -> Limit:
    return ChannelVariety(table.count("limit"), table.length("within"))


def _no_holidays(_: _Table) -> Limit:
    return NoHolidays()


def _never(_: _Table) -> Limit:
    return Never()


_KINDS: Mapping[str, tuple[set[str], Callable[[_Table], Limit]]] = {
    "hours": ({"windows"}, _hours),
    "no_holidays": (set(), _no_holidays),
    "cap": ({"limit", "per", "within", "reached_only"}, _cap),
    "cool_down": ({"length", "per"}, _cool_down),
    "channel_variety": ({"limit", "within"}, _variety),
    "never": (set(), _never),
}


def _floor(file: str, fields: Mapping[str, Any]) -> FloorLevel:
    since = fields.get("effective_from", "without a date")
    table = _Table(f"{file}, floor {since}", fields)
    table.only(_FLOOR_FIELDS)
    try:
        monthly = Money.parse(table.take("monthly", str), table.take("currency", str))
    except Invalid as fault:
        raise _fault(table.where, fault.field, fault.said) from None
    if monthly.minor <= 0:
        raise _fault(table.where, "monthly", "must be above zero")
    return FloorLevel(
        monthly=monthly,
        effective_from=table.take("effective_from", date),
        strength=table.choose("strength", Strength),
        source=table.take("source", str),
    )


def _fault(where: str, field: str, problem: str) -> Misconfigured:
    return Misconfigured(f"policies: {where}", f"{field}: {problem}", "Correct the file.")
