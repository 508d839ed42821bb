"""Totals of a lender's book, to be laid beside the figures of the system it came from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.domain.errors import Invalid
from app.domain.money import Money

_SUM: Final = re.compile(r"(?P<amount>[\d.]+) ?(?P<currency>[A-Z]{3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the other system says. None, or an empty mapping: nobody said."""

    borrowers: int | None = None
    loans: int | None = None
    owed: Mapping[str, int] = field(default_factory=dict)
    """Unpaid by currency, in minor units."""

    def notes(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"borrowers": self.borrowers, "loans": self.loans, "owed": dict(self.owed)}

    @classmethod
    def from_notes(cls, notes: Mapping[str, Any]) -> Expected:
        """From what `notes` made."""
        return cls(notes.get("borrowers"), notes.get("loans"), dict(notes.get("owed", {})))


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure on which the two systems do not agree, in words."""

    what: str
    expected: str
    found: str


def read_expected(borrowers: str, loans: str, owed: str) -> Expected:
    """What a person typed: two counts, and sums such as "1234.56 EUR", one after the other.

    Raises `Invalid` naming the field.
    """
    sums: dict[str, int] = {}
    for part in filter(None, re.split(r"[\n;,]+\s*", owed.strip())):
        read = _SUM.fullmatch(part.strip().upper())
        if read is None:
            raise Invalid("owed", f"cannot be read: {part[:40]!r}.", mend="Write 1234.56 EUR.")
        amount = Money.parse(read["amount"], read["currency"], field="owed")
        if amount.currency in sums:
            raise Invalid(
                "owed", f"names {amount.currency} twice.", mend="Give each currency one total."
            )
        sums[amount.currency] = amount.minor
    return Expected(_whole("borrowers", borrowers), _whole("loans", loans), sums)


def differences(
    expected: Expected, counts: Mapping[str, int], owed: Mapping[str, int]
) -> list[Difference]:
    """Where the file, as far as it would be loaded, and the expected figures part.

    `counts` by kind of row, `owed` by currency in minor units. Every currency counts as soon as
    one was stated: money in a currency that nobody mentioned is a difference too.
    """
    found: list[Difference] = []
    for what, wanted in (("borrowers", expected.borrowers), ("loans", expected.loans)):
        here = counts.get(what, 0)
        if wanted is not None and wanted != here:
            found.append(Difference(what, str(wanted), str(here)))
    if expected.owed:
        for currency in sorted({*expected.owed, *owed}):
            wanted, here = expected.owed.get(currency, 0), owed.get(currency, 0)
            if wanted != here:
                both = (str(Money(one, currency)) for one in (wanted, here))
                found.append(Difference(f"owed in {currency}", *both))
    return found


def _whole(name: str, text: str) -> int | None:
    if not text.strip():
        return None
    if not re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII):
        raise Invalid(name, "is not a whole number.", mend="Write it with digits alone.")
    return int(text)
