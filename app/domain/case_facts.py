"""What rules may know about a case: counts, days, sums and coarse bands, and nothing else.

What a person is (age, sex, nationality, faith, health, family) is not among it, so no rule can
ask for it. Nor is a balance: of the money seen on accounts only a band is known. Signs that
somebody needs care are kept apart: they can never be a condition, they only soften what follows
(FCA FG21/1; our policy that automatic signs may pause or soften, never intensify).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from app.domain.money import Money


class FundsHistory(StrEnum):
    """How often money for a debt was seen in the last twelve months; never how much it was."""

    NEVER = "never"
    SOMETIMES = "sometimes"
    OFTEN = "often"


class Reach(StrEnum):
    """By how many of our channels the person can be reached now."""

    NONE = "none"
    ONE = "one"
    SEVERAL = "several"


class Care(StrEnum):
    """Why somebody is treated with care, from a hold in force. Never a condition of a rule."""

    HARDSHIP = "hardship"
    VULNERABLE = "vulnerable"
    BREATHING_SPACE = "breathing_space"
    CRISIS = "crisis"
    INSOLVENCY = "insolvency"
    DECEASED = "deceased"
    REPRESENTED = "represented"
    DISPUTE = "dispute"
    COMPLAINT = "complaint"


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """A snapshot of one case. Days are the lender's calendar days.

    `times_late` counts the borrower's cases that opened in the last twelve months, this one
    included; `past_cases` those that are closed; `open_loans` his loans that are not closed;
    `loan_age_days` runs from the loan's first due date.
    """

    days_past_due: int
    owed: Money
    product: str
    open_loans: int = 1
    past_cases: int = 0
    broken_promises: int = 0
    times_late: int = 1
    loan_age_days: int = 0
    funds_seen: FundsHistory = FundsHistory.NEVER
    reach: Reach = Reach.SEVERAL
    care: frozenset[Care] = frozenset()


class FieldKind(StrEnum):
    """What the values of a field are, and so how it is compared."""

    NUMBER = "number"
    MONEY = "money"
    WORD = "word"


Value: TypeAlias = int | str | Money


@dataclass(frozen=True, slots=True)
class Field:
    """One field a condition may ask for. `words` empty: any word."""

    name: str
    kind: FieldKind
    label: str
    words: tuple[str, ...] = ()


_ALL: Final = (
    Field("days_past_due", FieldKind.NUMBER, "days past due"),
    Field("owed", FieldKind.MONEY, "amount due"),
    Field("product", FieldKind.WORD, "product"),
    Field("open_loans", FieldKind.NUMBER, "open loans"),
    Field("past_cases", FieldKind.NUMBER, "closed cases before"),
    Field("broken_promises", FieldKind.NUMBER, "broken promises"),
    Field("times_late", FieldKind.NUMBER, "times late in 12 months"),
    Field("loan_age_days", FieldKind.NUMBER, "days since the first due date"),
    Field("funds_seen", FieldKind.WORD, "money seen in 12 months", tuple(FundsHistory)),
    Field("reach", FieldKind.WORD, "ways to reach the person", tuple(Reach)),
)
FIELDS: Final[Mapping[str, Field]] = MappingProxyType({one.name: one for one in _ALL})

# Often asked for, never known here; the refusal says so instead of "unknown field".
PROTECTED: Final = frozenset(
    {
        "age", "birth_date", "sex", "gender", "nationality", "country_of_birth", "ethnicity",
        "race", "religion", "health", "disability", "marital_status", "pregnancy", "family",
        "language", "postcode", "name", "care", "vulnerable", "hardship",
    }
)  # fmt: skip


def value_of(facts: RuleFacts, field: Field) -> Value:
    """What the facts say about one field."""
    value: Value = getattr(facts, field.name)
    return str(value) if field.kind is FieldKind.WORD else value


# Bands are wide on purpose: a figure in disguise would be a balance.
_OFTEN: Final = 3


def funds_band(signals: int) -> FundsHistory:
    """The band of a number of funds signals within twelve months."""
    if signals < 1:
        return FundsHistory.NEVER
    return FundsHistory.OFTEN if signals >= _OFTEN else FundsHistory.SOMETIMES


def reach_band(ways: int) -> Reach:
    """The band of a number of channels that may be used."""
    if ways < 1:
        return Reach.NONE
    return Reach.SEVERAL if ways > 1 else Reach.ONE
