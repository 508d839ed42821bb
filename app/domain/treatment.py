"""What could be done about a case, what each way is worth, and which one is suggested.

The worth of a way is arithmetic anybody can repeat by hand, in whole minor units:

    expected = owed x chance x share - commission on that - cost

`chance` is how often it works at this age of debt, `share` how much of the debt it brings when it
does. All are parameters with a source (policies/treatments.toml); none is learned here. Rules may
name a way for some cases before the arithmetic is asked. Who is treated with care is never
suggested anything harder: each sign of care only takes the harder ways off the list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from app.domain.case_facts import Care, RuleFacts
from app.domain.conditions import Condition, Seen, holds, seen
from app.domain.money import Money

WHOLE: Final = 10_000
"""Basis points in a whole."""


class Treatment(StrEnum):
    """A way of going on with a case. `wait` leaves the person in peace."""

    WAIT = "wait"
    EXTEND = "extend"
    RESTRUCTURE = "restructure"
    SETTLE = "settle"
    WRITE_OFF = "write_off"
    CALL = "call"
    AGENCY = "agency"


class Pressure(IntEnum):
    """How hard a way is on the person, softest first."""

    NONE = 0
    RELIEF = 1
    ASKING = 2
    HARD = 3


PRESSURE: Final[Mapping[Treatment, Pressure]] = {
    Treatment.WAIT: Pressure.NONE,
    # Giving up a debt presses nobody; it needs two people all the same.
    Treatment.WRITE_OFF: Pressure.NONE,
    Treatment.EXTEND: Pressure.RELIEF,
    Treatment.RESTRUCTURE: Pressure.RELIEF,
    Treatment.SETTLE: Pressure.RELIEF,
    Treatment.CALL: Pressure.ASKING,
    Treatment.AGENCY: Pressure.HARD,
}

# The hardest way that is left. Insolvency and death: nobody is asked for anything (a trustee or the
# estate is); a moratorium: nothing before it ends (UK Debt Respite Regulations 2020, reg. 7);
# dispute: nothing until it is verified (12 CFR 1006.38, FCA CONC 7.14). The rest is our policy.
HARDEST: Final[Mapping[Care, Pressure]] = {
    Care.DECEASED: Pressure.NONE,
    Care.INSOLVENCY: Pressure.NONE,
    Care.BREATHING_SPACE: Pressure.NONE,
    Care.CRISIS: Pressure.NONE,
    Care.DISPUTE: Pressure.NONE,
    Care.REPRESENTED: Pressure.RELIEF,
    Care.VULNERABLE: Pressure.RELIEF,
    Care.HARDSHIP: Pressure.RELIEF,
    Care.COMPLAINT: Pressure.RELIEF,
}


@dataclass(frozen=True, slots=True)
class Chance:
    """From this many days past due on it works in so many of ten thousand cases."""

    from_day: int
    basis_points: int


@dataclass(frozen=True, slots=True)
class Terms:
    """The parameters of one way. `cost` is one amount per currency; `strength` law or policy."""

    treatment: Treatment
    chances: tuple[Chance, ...]
    share: int
    commission: int
    cost: Mapping[str, Money]
    strength: str
    source: str

    def chance_at(self, days_past_due: int) -> int:
        """Basis points at this age; nothing before the first band."""
        fitting = [one for one in self.chances if one.from_day <= days_past_due]
        return max(fitting, key=lambda one: one.from_day).basis_points if fitting else 0


@dataclass(frozen=True, slots=True)
class Preference:
    """A rule: for such cases this way comes first, whatever the arithmetic says."""

    name: str
    when: Condition
    treatment: Treatment
    why: str


@dataclass(frozen=True, slots=True)
class TreatmentBook:
    """All parameters and rules. `version` stands beside every suggestion.

    Raises `ValueError` where a way is missing or there twice: `wait` has to be left for everybody.
    """

    version: str
    terms: tuple[Terms, ...]
    rules: tuple[Preference, ...]

    def __post_init__(self) -> None:
        named = [one.treatment for one in self.terms]
        if sorted(named) != sorted(Treatment):
            raise ValueError("every treatment has to be there exactly once")


@dataclass(frozen=True, slots=True)
class Worth:
    """The arithmetic of one way, every input named. `expected` None: no cost in this currency."""

    treatment: Treatment
    owed: Money
    chance: int
    share: int
    gross: Money
    commission: Money
    cost: Money | None
    expected: Money | None
    strength: str
    source: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The way that is suggested, and up to two others. `rule` empty: the arithmetic decided.

    `care` names the signs that took harder ways off the list.
    """

    main: Worth
    others: tuple[Worth, ...]
    rule: str
    why: str
    reasons: tuple[Seen, ...]
    care: tuple[Care, ...]
    version: str


def worth(terms: Terms, facts: RuleFacts) -> Worth:
    """What one way is worth for these facts. Each product is rounded down to a minor unit."""
    chance = terms.chance_at(facts.days_past_due)
    owed = facts.owed
    gross = Money(owed.minor * chance * terms.share // (WHOLE * WHOLE), owed.currency)
    commission = Money(gross.minor * terms.commission // WHOLE, owed.currency)
    cost = terms.cost.get(owed.currency)
    if cost is None and not terms.cost:
        cost = Money.zero(owed.currency)
    expected = None if cost is None else gross - commission - cost
    return Worth(
        terms.treatment,
        owed,
        chance,
        terms.share,
        gross,
        commission,
        cost,
        expected,
        terms.strength,
        terms.source,
    )


def hardest_allowed(care: frozenset[Care]) -> Pressure:
    """How hard a way may be for somebody with these signs of care."""
    return min((HARDEST[one] for one in care), default=Pressure.HARD)


def suggest(book: TreatmentBook, facts: RuleFacts) -> Suggestion:
    """The way to go on, with two alternatives.

    The first rule that surely holds names the way, if care leaves it; else the highest worth does.
    Equal worths: the softer way, then the order of the list. `wait` is always left.
    """
    limit = hardest_allowed(facts.care)
    left = [worth(one, facts) for one in book.terms if PRESSURE[one.treatment] <= limit]
    ranked = sorted(left, key=_best_first)
    care = tuple(sorted(facts.care))
    for rule in book.rules:
        named = next((one for one in ranked if one.treatment is rule.treatment), None)
        if named is not None and holds(rule.when, facts) is True:
            others = tuple(one for one in ranked if one is not named)[:2]
            reasons = seen(rule.when, facts)
            return Suggestion(named, others, rule.name, rule.why, reasons, care, book.version)
    why = "It is worth most after its cost."
    return Suggestion(ranked[0], tuple(ranked[1:3]), "", why, (), care, book.version)


def _best_first(one: Worth) -> tuple[bool, int, int, int]:
    value = 0 if one.expected is None else one.expected.minor
    order: Sequence[Treatment] = list(Treatment)
    return (one.expected is None, -value, PRESSURE[one.treatment], order.index(one.treatment))
