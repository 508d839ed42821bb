"""Read the rules that ship with Saldo: segments and treatments, checked to the last field."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from app.domain.conditions import parse_condition
from app.domain.errors import Invalid, Misconfigured
from app.domain.money import Money
from app.domain.segments import Segment, parse_segment
from app.domain.treatment import (
    WHOLE,
    Chance,
    Preference,
    Terms,
    Treatment,
    TreatmentBook,
)

_POLICIES: Final = Path(__file__).resolve().parents[2] / "policies"
SEGMENTS_FOLDER: Final = _POLICIES / "segments"
TREATMENTS_FILE: Final = _POLICIES / "treatments.toml"

_SEGMENT_FIELDS: Final = {"name", "title", "rank", "when", "action", "source"}
_TERM_FIELDS: Final = {"name", "chance", "share", "commission", "cost", "strength", "source"}
_RULE_FIELDS: Final = {"name", "treatment", "why", "source", "when"}
_STRENGTHS: Final = ("law", "practice", "policy")


@dataclass(frozen=True, slots=True)
class ShippedSegment:
    """One rule with the version of its file and where its number comes from."""

    segment: Segment
    version: str
    source: str


def load_segments(folder: Path = SEGMENTS_FOLDER) -> tuple[ShippedSegment, ...]:
    """Every rule of every *.toml in the folder. Raises `Misconfigured` for the first fault."""
    found: list[ShippedSegment] = []
    for path in sorted(folder.glob("*.toml")):
        fields = _read(path)
        _only(path.name, fields, {"version", "segment"})
        version = _text(path.name, fields, "version")
        for number, entry in enumerate(_tables(path.name, fields, "segment"), 1):
            where = f"{path.name}, segment {number}"
            _only(where, entry, _SEGMENT_FIELDS)
            source = _text(where, entry, "source")
            try:
                segment = parse_segment(
                    entry.get("name"),
                    entry.get("title"),
                    entry.get("rank"),
                    entry.get("when"),
                    entry.get("action"),
                )
            except Invalid as fault:
                raise _fault(where, fault.field, fault.said) from None
            if any(one.segment.name == segment.name for one in found):
                raise _fault(where, "name", f"{segment.name} is there twice")
            found.append(ShippedSegment(segment, version, source))
    return tuple(found)


def load_treatments(path: Path = TREATMENTS_FILE) -> TreatmentBook:
    """The parameters of every way and the rules. Raises `Misconfigured` for the first fault."""
    fields = _read(path)
    _only(path.name, fields, {"version", "treatment", "rule"})
    terms = tuple(_terms(path.name, one) for one in _tables(path.name, fields, "treatment"))
    named = [one.treatment for one in terms]
    missing = [one.value for one in Treatment if named.count(one) != 1]
    if missing:
        raise _fault(path.name, "treatment", f"{missing[0]} has to be there once")
    rules = tuple(_rule(path.name, one) for one in _tables(path.name, fields, "rule"))
    return TreatmentBook(_text(path.name, fields, "version"), terms, rules)


@cache
def shipped_segments() -> tuple[ShippedSegment, ...]:
    """The rules of this installation, read once."""
    return load_segments()


@cache
def shipped_treatments() -> TreatmentBook:
    """The parameters of this installation, read once."""
    return load_treatments()


def _terms(file: str, entry: Mapping[str, Any]) -> Terms:
    where = f"{file}, treatment {entry.get('name')}"
    _only(where, entry, _TERM_FIELDS)
    costs: dict[str, Money] = {}
    for text in _list(where, entry, "cost"):
        amount, _, currency = str(text).partition(" ")
        try:
            costs[currency] = Money.parse(amount, currency, field="cost")
        except Invalid as fault:
            raise _fault(where, "cost", fault.message) from None
    strength = _text(where, entry, "strength")
    if strength not in _STRENGTHS:
        raise _fault(where, "strength", f"is one of {', '.join(_STRENGTHS)}")
    return Terms(
        _treatment(where, entry, "name"),
        tuple(_chances(where, entry)),
        _points(where, "share", entry.get("share")),
        _points(where, "commission", entry.get("commission")),
        costs,
        strength,
        _text(where, entry, "source"),
    )


def _chances(where: str, entry: Mapping[str, Any]) -> list[Chance]:
    found: list[Chance] = []
    for pair in _list(where, entry, "chance"):
        if not isinstance(pair, list) or len(pair) != 2 or type(pair[0]) is not int or pair[0] < 0:
            raise _fault(where, "chance", "is a list of [days, basis points]")
        if found and pair[0] <= found[-1].from_day:
            raise _fault(where, "chance", "its days have to rise")
        found.append(Chance(pair[0], _points(where, "chance", pair[1])))
    return found


def _rule(file: str, entry: Mapping[str, Any]) -> Preference:
    where = f"{file}, rule {entry.get('name')}"
    _only(where, entry, _RULE_FIELDS)
    _text(where, entry, "source")
    try:
        when = parse_condition(entry.get("when"))
    except Invalid as fault:
        raise _fault(where, fault.field, fault.said) from None
    treatment = _treatment(where, entry, "treatment")
    return Preference(_text(where, entry, "name"), when, treatment, _text(where, entry, "why"))


def _treatment(where: str, entry: Mapping[str, Any], field: str) -> Treatment:
    word = _text(where, entry, field)
    try:
        return Treatment(word)
    except ValueError:
        raise _fault(where, field, f"{word!r} is none of: {', '.join(Treatment)}") from None


def _points(where: str, field: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value <= WHOLE:
        raise _fault(where, field, f"is a whole number of basis points, 0 to {WHOLE}")
    return value


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as fault:
        raise _fault(path.name, "TOML", str(fault)) from None


def _only(where: str, fields: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(fields) - known)
    if unknown:
        raise _fault(where, unknown[0], "is not a field that is known here")


def _text(where: str, fields: Mapping[str, Any], field: str) -> str:
    value = fields.get(field)
    if not isinstance(value, str) or not value.strip():
        raise _fault(where, field, "must be given as a text")
    return value


def _list(where: str, fields: Mapping[str, Any], field: str) -> Sequence[Any]:
    value = fields.get(field)
    if not isinstance(value, list):
        raise _fault(where, field, "must be given as a list")
    return value


def _tables(where: str, fields: Mapping[str, Any], field: str) -> Sequence[Mapping[str, Any]]:
    found = _list(where, fields, field)
    if not found or not all(isinstance(one, dict) for one in found):
        raise _fault(where, field, "must be given as tables")
    return found


def _fault(where: str, field: str, problem: str) -> Misconfigured:
    return Misconfigured("policies", f"{where}: {field}: {problem}", "Mend the file.")
