"""The form of a lender's own rules: typed text to an edition, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.domain import contact_words
from app.domain.errors import Invalid
from app.domain.jurisdiction import Cap, CoolDown, Hours, Limit, Pack, Rule, Scope
from app.domain.open_hours import Weekly
from app.domain.pack_edition import Edition, read_edition
from app.web.forms import Form
from app.web.typed import read_whole

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONGEST: Final = 2_000


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule of a pack for the page. `field` is empty where nothing can be made stricter."""

    id: str
    kind: str
    words: str
    strength: str
    source: str
    field: str
    typed: str


def lines_of(pack: Pack, edition: Edition, typed: Mapping[str, str]) -> tuple[RuleLine, ...]:
    """Every rule of the pack, with what is typed beside it or stands in the edition."""
    return tuple(_line(rule, edition, typed) for rule in pack.rules)


def _line(rule: Rule, edition: Edition, typed: Mapping[str, str]) -> RuleLine:
    match rule.limit:
        case Hours(weekly):
            kind, said = "hours", contact_words.describe(weekly)
            week = edition.hours.get(rule.id)
            own = "" if week is None else week_text(week)
        case Cap():
            kind, said = "cap", cap_words(rule.limit, rule)
            own = str(edition.caps.get(rule.id, ""))
        case CoolDown(length):
            kind, said = "rest", f"{contact_words.length(length)} of rest after a conversation"
            own = str(edition.cool_downs.get(rule.id, ""))
        case _:
            kind, own, said = "", "", _plain(rule.limit, rule)
    field = f"{kind}-{rule.id}" if kind else ""
    return RuleLine(
        rule.id, kind, said, rule.strength.value, rule.source, field, typed.get(field, own)
    )


def cap_words(cap: Cap, rule: Rule) -> str:
    """Such as "At most 3 texts and e-mails with a person in 7 days"."""
    per = "with a person" if cap.scope is Scope.PERSON else "about a debt"
    when = "a day" if cap.within is None else f"in {contact_words.length(cap.within)}"
    return f"At most {cap.limit} {contact_words.ways_named(rule.channels)} {per} {when}"


def _plain(limit: Limit, rule: Rule) -> str:
    name = re.sub(r"(?<!^)([A-Z])", r" \1", type(limit).__name__).lower()
    return f"{name.capitalize()}: {contact_words.ways_named(rule.channels)}"


def week_text(week: Weekly) -> str:
    """A week as one line: "mon-fri 09:00-18:00; sat 10:00-13:00, 15:00-17:00"; read again."""
    runs: list[tuple[int, int]] = []
    for at, windows in enumerate(week):
        if runs and week[runs[-1][0]] == windows:
            runs[-1] = (runs[-1][0], at)
        else:
            runs.append((at, at))
    return "; ".join(
        f"{_DAYS[first]}{f'-{_DAYS[last]}' if last > first else ''} "
        + ", ".join(str(window).replace("–", "-") for window in week[first])
        for first, last in runs
        if week[first]
    )


def _read_week(name: str, text: str) -> list[list[str]]:
    week: list[list[str]] = [[] for _ in _DAYS]
    for part in filter(None, (one.strip() for one in text.split(";"))):
        days, _, hours = part.partition(" ")
        first, _, last = days.lower().partition("-")
        names = [day[:3] for day in (first, last or first)]
        if not set(names) <= set(_DAYS) or not hours.strip():
            raise Invalid(name, f"cannot be read at {part!r}.", mend="Write: mon-fri 09:00-18:00.")
        for at in range(_DAYS.index(names[0]), _DAYS.index(names[1]) + 1):
            week[at] += [window.strip().replace("–", "-") for window in hours.split(",")]
    return week


def read_rules(form: Form, pack: Pack) -> Edition:
    """What is typed, as an edition; empty fields say nothing. Raises `Invalid` naming the rule."""
    fields: dict[str, Any] = {"hours": {}, "caps": {}, "cool_downs": {}}
    for line in _every(pack):
        text = form.text(line.field, longest=_LONGEST)
        if not text:
            continue
        match line.kind:
            case "hours":
                fields["hours"][line.id] = _read_week(line.id, text)
            case "cap":
                fields["caps"][line.id] = read_whole(form, line.field)
            case _:
                fields["cool_downs"][line.id] = read_whole(form, line.field)
    fields["closed_on"] = form.text("closed_on", longest=5_000).replace(",", " ").split()
    if form.text("contacts_per_week"):
        fields["contacts_per_week"] = read_whole(form, "contacts_per_week")
    return read_edition(fields)


def typed_of(form: Form, pack: Pack) -> dict[str, str]:
    """What was typed, to be shown again when it could not be read."""
    names = [*(line.field for line in _every(pack)), "closed_on", "contacts_per_week"]
    return {name: form.text(name, longest=5_000) for name in names}


def _every(pack: Pack) -> list[RuleLine]:
    nothing = read_edition({})
    return [line for line in lines_of(pack, nothing, {}) if line.field]
