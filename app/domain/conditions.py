"""Conditions as data: a small tree of and, or, not over the facts of a case.

There is no language in it that could be run: a leaf names a field, a comparison and a value, each
from a list. What cannot be compared (an amount in another currency) is neither true nor false, and
a rule matches only where its condition is surely true (Kleene's strong logic of three values).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from app.domain.case_facts import FIELDS, PROTECTED, Field, FieldKind, RuleFacts, value_of
from app.domain.errors import Invalid
from app.domain.money import Money

DEEPEST: Final = 6
MOST_LEAVES: Final = 40
_LARGEST_NUMBER: Final = 1_000_000

ORDERED: Final = ("at_least", "at_most", "above", "below", "is", "is_not")
WORDED: Final = ("is", "is_not", "one_of")
OP_WORDS: Final[Mapping[str, str]] = {
    "at_least": "at least",
    "at_most": "at most",
    "above": "more than",
    "below": "less than",
    "is": "is",
    "is_not": "is not",
    "one_of": "is one of",
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison. Amounts may be given once per currency, words several at a time."""

    field: Field
    op: str
    values: tuple[int | str | Money, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """True where every part is; so without parts."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where one part is; never without parts."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True where its part is surely false."""

    part: Condition


Condition: TypeAlias = Leaf | AllOf | AnyOf | Not


@dataclass(frozen=True, slots=True)
class Seen:
    """One comparison with the value it saw. `holds` None: it could not be compared."""

    field: str
    op: str
    wanted: str
    saw: str
    holds: bool | None

    def notes(self) -> dict[str, Any]:
        """Plain JSON, as it is kept beside a flag."""
        return {
            "field": self.field,
            "op": self.op,
            "wanted": self.wanted,
            "saw": self.saw,
            "holds": self.holds,
        }

    def words(self) -> str:
        """As a sentence without an end: "broken promises at least 2 (3)"."""
        label = FIELDS[self.field].label
        turned = "not: " if self.holds is False else ""
        return f"{turned}{label} {OP_WORDS[self.op]} {self.wanted} ({self.saw})"


# ------------------------------------------------------------------ reading


def parse_condition(given: Any, *, field: str = "when") -> Condition:
    """Read a condition from plain data (TOML, JSON).

    `{"all": [...]}`, `{"any": [...]}`, `{"not": {...}}` or `{"field", "op", "value"}`.
    Raises `Invalid` that names the place, for a word it does not know, for a personal trait that
    no rule may ask for, and for a tree that is deeper or larger than anybody could explain.
    """
    parsed = _parse(given, field, 1)
    if len(leaves(parsed)) > MOST_LEAVES:
        raise Invalid(field, f"has more than {MOST_LEAVES} comparisons.", mend="Split the rule.")
    return parsed


def _parse(given: Any, place: str, depth: int) -> Condition:
    if depth > DEEPEST:
        raise Invalid(place, f"is nested deeper than {DEEPEST}.", mend="Split the rule.")
    if not isinstance(given, Mapping):
        raise Invalid(place, "is not a condition.", mend="Give all, any, not, or field/op/value.")
    keys = set(given)
    if keys in ({"all"}, {"any"}):
        key = "all" if "all" in keys else "any"
        parts = _parts(given[key], f"{place}.{key}", depth)
        return AllOf(parts) if key == "all" else AnyOf(parts)
    if keys == {"not"}:
        return Not(_parse(given["not"], f"{place}.not", depth + 1))
    if keys == {"field", "op", "value"}:
        return _leaf(given, place)
    raise Invalid(
        place,
        f"has {', '.join(sorted(map(str, keys))) or 'nothing'}.",
        mend="Give exactly one of all, any, not; or field, op and value.",
    )


def _parts(given: Any, place: str, depth: int) -> tuple[Condition, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str | bytes) or not given:
        raise Invalid(place, "is not a list of conditions.", mend="Write it in square brackets.")
    if len(given) > MOST_LEAVES:
        raise Invalid(
            place, f"has more than {MOST_LEAVES} parts.", mend="Use fewer, or make two rules of it."
        )
    return tuple(_parse(one, f"{place}[{n}]", depth + 1) for n, one in enumerate(given, 1))


def _leaf(given: Mapping[str, Any], place: str) -> Leaf:
    name, op, value = given["field"], given["op"], given["value"]
    if isinstance(name, str) and name in PROTECTED:
        raise Invalid(
            f"{place}.field",
            f"{name!r} is a trait that no rule may ask for.",
            mend="Use what the person did, not what he is.",
        )
    if not isinstance(name, str) or name not in FIELDS:
        known = ", ".join(FIELDS)
        raise Invalid(f"{place}.field", f"{name!r} is not a field.", mend=f"Use: {known}.")
    asked = FIELDS[name]
    ops = WORDED if asked.kind is FieldKind.WORD else ORDERED
    if op not in ops:
        raise Invalid(f"{place}.op", f"{op!r} does not fit.", mend=f"Use: {', '.join(ops)}.")
    several = isinstance(value, list | tuple) and (asked.kind is FieldKind.MONEY or op == "one_of")
    listed: Sequence[Any] = value if several else (value,)
    if not 0 < len(listed) <= MOST_LEAVES:
        raise Invalid(f"{place}.value", f"has 1 to {MOST_LEAVES} values.")
    values = tuple(_value(asked, one, f"{place}.value") for one in listed)
    if asked.kind is FieldKind.MONEY:
        currencies = [one.currency for one in values if isinstance(one, Money)]
        if len(set(currencies)) != len(currencies):
            raise Invalid(
                f"{place}.value", "names a currency twice.", mend="Give each currency one amount."
            )
    return Leaf(asked, op, values)


def _value(asked: Field, given: Any, place: str) -> int | str | Money:
    match asked.kind:
        case FieldKind.NUMBER:
            whole = isinstance(given, int) and not isinstance(given, bool)
            if not whole or not 0 <= given <= _LARGEST_NUMBER:
                raise Invalid(place, "is not a whole number from 0 up.", mend="Write digits only.")
            return int(given)
        case FieldKind.MONEY:
            amount, _, currency = str(given).strip().partition(" ")
            if not isinstance(given, str) or not currency:
                raise Invalid(place, "is not an amount.", mend='Write it like "150.00 EUR".')
            money = Money.parse(amount, currency.strip(), field=place)
            if money.minor < 0:
                raise Invalid(place, "is below zero.", mend="Write 0 or more.")
            return money
        case FieldKind.WORD:
            if not isinstance(given, str) or not 0 < len(given) <= 100:
                raise Invalid(place, "is not a word.", mend="Write it in quotes.")
            if asked.words and given not in asked.words:
                raise Invalid(
                    place,
                    f"{given!r} is none of: {', '.join(asked.words)}.",
                    mend="Use one of these.",
                )
            return given


def condition_notes(condition: Condition) -> dict[str, Any]:
    """The condition as plain data again; `parse_condition` reads it back to an equal one."""
    match condition:
        case AllOf(parts):
            return {"all": [condition_notes(one) for one in parts]}
        case AnyOf(parts):
            return {"any": [condition_notes(one) for one in parts]}
        case Not(part):
            return {"not": condition_notes(part)}
        case Leaf(field, op, values):
            plain = [str(one) if isinstance(one, Money) else one for one in values]
            single = len(plain) == 1 and op != "one_of"
            return {"field": field.name, "op": op, "value": plain[0] if single else plain}


def condition_words(condition: Condition) -> str:
    """The condition as one sentence without an end; brackets where it is nested."""
    match condition:
        case AllOf(parts) | AnyOf(parts):
            join = " and " if isinstance(condition, AllOf) else " or "
            said = [condition_words(one) for one in parts]
            return join.join(
                f"({text})" if isinstance(part, AllOf | AnyOf) else text
                for part, text in zip(parts, said, strict=True)
            )
        case Not(part):
            return f"not ({condition_words(part)})"
        case Leaf(field, op, values):
            listed = " or ".join(str(one) for one in values)
            return f"{field.label} {OP_WORDS[op]} {listed}"


# ------------------------------------------------------------------ asking


def leaves(condition: Condition) -> tuple[Leaf, ...]:
    """Every comparison of a condition, in order."""
    match condition:
        case AllOf(parts) | AnyOf(parts):
            return tuple(leaf for one in parts for leaf in leaves(one))
        case Not(part):
            return leaves(part)
        case Leaf():
            return (condition,)


def holds(condition: Condition, facts: RuleFacts) -> bool | None:
    """Whether the condition is true of the facts; None where that cannot be said."""
    match condition:
        case AllOf(parts):
            answers = [holds(one, facts) for one in parts]
            return False if False in answers else None if None in answers else True
        case AnyOf(parts):
            answers = [holds(one, facts) for one in parts]
            return True if True in answers else None if None in answers else False
        case Not(part):
            answer = holds(part, facts)
            return None if answer is None else not answer
        case Leaf():
            return _compare(condition, facts)


def seen(condition: Condition, facts: RuleFacts) -> tuple[Seen, ...]:
    """Every comparison with the value it saw, in the order of the rule."""
    return tuple(_seen(leaf, facts) for leaf in leaves(condition))


def grounds(condition: Condition, facts: RuleFacts) -> tuple[Seen, ...]:
    """The comparisons that make a true condition true; of several ways only those that hold."""
    match condition:
        case AllOf(parts):
            return tuple(one for part in parts for one in grounds(part, facts))
        case AnyOf(parts):
            true = [part for part in parts if holds(part, facts)]
            return tuple(one for part in true for one in grounds(part, facts))
        case Not(part):
            return seen(part, facts)
        case Leaf():
            return (_seen(condition, facts),)


def _seen(leaf: Leaf, facts: RuleFacts) -> Seen:
    wanted = ", ".join(str(one) for one in leaf.values)
    matching = _wanted_in(leaf, value_of(facts, leaf.field))
    if isinstance(matching, Money):
        wanted = str(matching)
    saw = str(value_of(facts, leaf.field)) or "none"
    return Seen(leaf.field.name, leaf.op, wanted, saw, _compare(leaf, facts))


def _wanted_in(leaf: Leaf, saw: int | str | Money) -> Money | None:
    """The amount of a leaf in the currency that was seen."""
    if not isinstance(saw, Money):
        return None
    amounts = [one for one in leaf.values if isinstance(one, Money)]
    return next((one for one in amounts if one.currency == saw.currency), None)


def _compare(leaf: Leaf, facts: RuleFacts) -> bool | None:
    saw = value_of(facts, leaf.field)
    if isinstance(saw, Money):
        wanted = _wanted_in(leaf, saw)
        return None if wanted is None else _ordered(leaf.op, saw.minor, wanted.minor)
    if isinstance(saw, int):
        number = leaf.values[0]
        return _ordered(leaf.op, saw, number) if isinstance(number, int) else None
    return (saw in leaf.values) if leaf.op != "is_not" else (saw not in leaf.values)


def _ordered(op: str, saw: int, wanted: int) -> bool:
    match op:
        case "at_least":
            return saw >= wanted
        case "at_most":
            return saw <= wanted
        case "above":
            return saw > wanted
        case "below":
            return saw < wanted
        case "is_not":
            return saw != wanted
        case _:
            return saw == wanted
