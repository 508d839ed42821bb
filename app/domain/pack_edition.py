"""A lender's own rules on top of a jurisdiction pack: shorter hours, fewer contacts, excluded days.

An edition is laid beside the pack, never in its place: the gate asks both, so that the stricter of
each pair decides, whatever either says. One that says less than the pack is refused all the same,
rule by rule, because whoever wrote it believed that it would count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

from app.domain import contact_words as words
from app.domain.errors import Invalid
from app.domain.jurisdiction import (
    Cap,
    ClosedOn,
    CoolDown,
    Hours,
    Pack,
    Rule,
    Scope,
    Strength,
)
from app.domain.message import Channel
from app.domain.open_hours import Weekly, Window

LONGEST_REST: Final = 31
MOST_DAYS: Final = 400
WEEK: Final = timedelta(days=7)
_EVER: Final = date(2000, 1, 1)
_FIELDS: Final = frozenset({"hours", "caps", "cool_downs", "closed_on", "contacts_per_week"})


@dataclass(frozen=True, slots=True)
class Edition:
    """What a lender keeps beyond the pack. Rules of the pack are named by their ids.

    `hours`: the week of an hours rule; `caps`: the limit of a cap; `cool_downs`: the days of rest
    after a conversation; `closed_on`: days of the borrower's calendar without any contact;
    `contacts_per_week`: all contacts with a person in seven rolling days, None for no own limit.
    """

    hours: Mapping[str, Weekly]
    caps: Mapping[str, int]
    cool_downs: Mapping[str, int]
    closed_on: frozenset[date]
    contacts_per_week: int | None = None

    def as_notes(self) -> dict[str, Any]:
        """The plain JSON that is stored; `read_edition` reads it again."""
        return {
            "hours": {
                name: [[_text(window) for window in day] for day in week]
                for name, week in sorted(self.hours.items())
            },
            "caps": dict(sorted(self.caps.items())),
            "cool_downs": dict(sorted(self.cool_downs.items())),
            "closed_on": [day.isoformat() for day in sorted(self.closed_on)],
            "contacts_per_week": self.contacts_per_week,
        }


def _text(window: Window) -> str:
    return str(window).replace("–", "-")


NOTHING: Final = Edition({}, {}, {}, frozenset())


@dataclass(frozen=True, slots=True)
class Loosened:
    """One rule that an edition would loosen, with both values in words."""

    rule: str
    pack: str
    edition: str


# ------------------------------------------------------------------ reading


def read_edition(fields: Mapping[str, Any]) -> Edition:
    """Read the stored form, checked to the last field. Raises `Invalid` naming it."""
    unknown = sorted(set(fields) - _FIELDS)
    if unknown:
        raise Invalid(
            unknown[0], "is no part of an edition.", mend="Remove it, or check its spelling."
        )
    week = fields.get("contacts_per_week")
    return Edition(
        hours={name: _week(name, days) for name, days in _table(fields, "hours").items()},
        caps={name: _whole(name, value, 1_000) for name, value in _table(fields, "caps").items()},
        cool_downs={
            name: _whole(name, value, LONGEST_REST)
            for name, value in _table(fields, "cool_downs").items()
        },
        closed_on=_days(fields.get("closed_on", [])),
        contacts_per_week=None if week is None else _whole("contacts_per_week", week, 1_000),
    )


def _table(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name, {})
    if not isinstance(value, Mapping):
        raise Invalid(name, "is not a table of rules.", mend="Write each rule by its name.")
    return value


def _whole(name: str, value: Any, largest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise Invalid(name, f"is a whole number from 1 to {largest}.")
    return value


def _week(name: str, days: Any) -> Weekly:
    if not isinstance(days, list) or len(days) != 7:
        raise Invalid(name, "has seven days, Monday first.")
    try:
        week = tuple(tuple(sorted(Window.parse(text) for text in day)) for day in days)
    except (TypeError, ValueError, AttributeError):
        raise Invalid(name, "has hours like 09:00-18:00.") from None
    if not any(week):
        raise Invalid(name, "leaves no hour of the week open.", mend="Use the stop switch instead.")
    return week


def _days(texts: Any) -> frozenset[date]:
    if not isinstance(texts, list) or len(texts) > MOST_DAYS:
        raise Invalid("closed_on", f"is a list of at most {MOST_DAYS} days.")
    try:
        return frozenset(date.fromisoformat(text) for text in texts)
    except (TypeError, ValueError):
        raise Invalid("closed_on", "has a day that is none.", mend="Write 2026-12-24.") from None


# ------------------------------------------------------------------ only stricter


def check_edition(edition: Edition, pack: Pack) -> None:
    """Raises `Invalid` naming every rule that the edition would loosen, with both values.

    Also for a rule that the pack does not have, or has of another kind.
    """
    for _ in _pairs(edition, pack):
        pass  # names every unknown rule
    found = loosened(edition, pack)
    if found:
        said = "; ".join(f"{one.rule}: {one.edition} instead of {one.pack}" for one in found)
        raise Invalid(
            "edition",
            f"is looser than the rules of {pack.name}: {said}.",
            mend="A lender's own rules may only be stricter.",
        )


def loosened(edition: Edition, pack: Pack) -> tuple[Loosened, ...]:
    """Every rule of the pack that the edition would loosen."""
    found = [one for rule, value in _pairs(edition, pack) if (one := _compare(rule, value))]
    own = edition.contacts_per_week
    if own is not None:
        found += [
            Loosened(rule.id, f"{rule.limit.limit} a week", f"{own} a week")
            for rule in pack.rules
            if isinstance(rule.limit, Cap)
            and rule.limit.scope is Scope.PERSON
            and rule.limit.within == WEEK
            and not rule.limit.reached_only
            and rule.channels == frozenset(Channel)
            and rule.limit.limit < own
        ]
    return tuple(found)


def _pairs(edition: Edition, pack: Pack) -> Iterator[tuple[Rule, Hours | Cap | CoolDown]]:
    """Each rule of the pack that the edition speaks of, with the edition's own limit."""
    known = {rule.id: rule for rule in pack.rules}
    stated: list[tuple[str, type, Any]] = [
        *((name, Hours, week) for name, week in edition.hours.items()),
        *((name, Cap, limit) for name, limit in edition.caps.items()),
        *((name, CoolDown, days) for name, days in edition.cool_downs.items()),
    ]
    for name, kind, value in stated:
        rule = known.get(name)
        if rule is None or not isinstance(rule.limit, kind):
            raise Invalid(
                name, f"is no such rule of {pack.name}.", mend="Use a name that the pack has."
            )
        match rule.limit:
            case Hours():
                yield rule, Hours(value)
            case Cap():
                yield rule, replace(rule.limit, limit=value)
            case CoolDown():
                yield rule, replace(rule.limit, length=timedelta(days=value))


def _compare(rule: Rule, own: Hours | Cap | CoolDown) -> Loosened | None:
    match rule.limit, own:
        case Hours(law), Hours(week) if not _within(week, law):
            return Loosened(rule.id, words.describe(law), words.describe(week))
        case Cap(limit=law), Cap(limit=limit) if limit > law:
            return Loosened(rule.id, f"at most {law}", f"at most {limit}")
        case CoolDown(length=law), CoolDown(length=length) if length < law:
            return Loosened(rule.id, words.length(law), words.length(length))
    return None


def _within(week: Weekly, law: Weekly) -> bool:
    return all(
        any(open_.start <= window.start and window.end <= open_.end for open_ in _joined(allowed))
        for day, allowed in zip(week, law, strict=True)
        for window in day
    )


def _joined(windows: Iterable[Window]) -> Sequence[Window]:
    """Windows in order; those that touch are one."""
    joined: list[Window] = []
    for window in windows:
        if joined and window.start <= joined[-1].end:
            joined[-1] = Window(joined[-1].start, max(joined[-1].end, window.end))
        else:
            joined.append(window)
    return joined


# ------------------------------------------------------------------ both together


def with_edition(pack: Pack, edition: Edition, number: int) -> Pack:
    """The pack with the lender's rules beside its own: a contact has to pass both.

    A rule that the pack has no longer is left out: what was stricter than it has no measure left
    (`orphans` names it).
    """
    rules = [_own(rule, limit, number) for rule, limit in _pairs(_measured(edition, pack), pack)]
    everywhere = Rule(
        "own.closed_on",
        ClosedOn(edition.closed_on),
        frozenset(Channel),
        Strength.POLICY,
        _source(number),
        _EVER,
    )
    if edition.closed_on:
        rules.append(everywhere)
    if edition.contacts_per_week is not None:
        cap = Cap(edition.contacts_per_week, Scope.PERSON, WEEK)
        rules.append(replace(everywhere, id="own.contacts_per_week", limit=cap))
    return replace(
        pack, rules=(*pack.rules, *rules), version=f"{pack.version}, own edition {number}"
    )


def orphans(edition: Edition, pack: Pack) -> tuple[str, ...]:
    """Rules that the edition is stricter than and that the pack has no longer, or of another kind.

    The gate cannot keep them: whoever answers for the lender's rules writes a new edition.
    """
    kept = _measured(edition, pack)
    return tuple(
        sorted(
            {*edition.hours, *edition.caps, *edition.cool_downs}
            - {*kept.hours, *kept.caps, *kept.cool_downs}
        )
    )


def _measured(edition: Edition, pack: Pack) -> Edition:
    """The edition without what speaks of rules that are not there, or of another kind now."""
    known = {rule.id: rule for rule in pack.rules}

    def fits(kind: type, stated: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value
            for name, value in stated.items()
            if name in known and isinstance(known[name].limit, kind)
        }

    return replace(
        edition,
        hours=fits(Hours, edition.hours),
        caps=fits(Cap, edition.caps),
        cool_downs=fits(CoolDown, edition.cool_downs),
    )


def _own(rule: Rule, limit: Hours | Cap | CoolDown, number: int) -> Rule:
    return replace(
        rule,
        id=f"own.{rule.id}",
        limit=limit,
        strength=Strength.POLICY,
        source=f"{_source(number)} Beside it stands: {rule.source}",
        effective_from=_EVER,
    )


def _source(number: int) -> str:
    return f"The lender's own rules, edition {number}."
