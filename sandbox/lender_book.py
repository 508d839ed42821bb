"""The book of the demo's lender: who owes what, drawn once from the seed and the day it began."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from sandbox.chance import Chance
from sandbox.faces.wire import euros
from sandbox.mails import address_of
from sandbox.people import Person

_PRODUCTS = ("consumer loan", "purchase loan", "car loan", "card instalments")
_LANGUAGES = ("en", "es", "pl")
# Of a hundred people.
_ASKED_FOR_BILLS = 50


@dataclass(frozen=True, slots=True)
class Part:
    """One instalment. Amounts in minor units."""

    number: int
    due_on: date
    minor: int
    paid: int = 0


@dataclass(frozen=True, slots=True)
class Loan:
    """One loan of one person."""

    ref: str
    borrower_ref: str
    product: str
    currency: str
    parts: tuple[Part, ...]

    def with_paid(self, minor: int) -> Loan:
        """The same loan after `minor` more came in: the oldest instalments first."""
        parts: list[Part] = []
        for part in self.parts:
            taken = min(minor, part.minor - part.paid)
            minor -= taken
            parts.append(replace(part, paid=part.paid + taken))
        return replace(self, parts=tuple(parts))


def borrower_body(person: Person, *, has_app: bool) -> dict[str, Any]:
    """A person as the lender's system registers him."""
    return {
        "external_ref": borrower_ref(person),
        "name": person.name,
        "phone": person.phone,
        "email": address_of(person),
        "has_app": has_app,
        "country": person.country,
        "time_zone": person.time_zone,
        "language": person.language if person.language in _LANGUAGES else "en",
        "birth_date": person.birth_date.isoformat(),
        "document_last4": person.document_last4,
    }


def borrower_ref(person: Person) -> str:
    return f"C-{person.id}"


def asks_for_bills(person: Person, seed: int) -> bool:
    """Whether the lender asks this one for a look at his transactions, too; as on every start."""
    return Chance(seed, ("bills", person.id)).between(1, 100, "asked") <= _ASKED_FOR_BILLS


def person_id_of(ref: str) -> str:
    """Whose reference it is: the way back."""
    return ref.removeprefix("C-")


def parts_body(loan: Loan) -> list[dict[str, Any]]:
    """The instalments of a loan on the wire."""
    return [
        {
            "number": part.number,
            "due_on": part.due_on.isoformat(),
            "amount": euros(part.minor),
            "paid": euros(part.paid),
        }
        for part in loan.parts
    ]


def loan_body(loan: Loan, as_of: str) -> dict[str, Any]:
    """A loan on the wire."""
    return {
        "external_ref": loan.ref,
        "borrower_ref": loan.borrower_ref,
        "product": loan.product,
        "currency": loan.currency,
        "as_of": as_of,
        "instalments": parts_body(loan),
    }


def loans_of(person: Person, seed: int, today: date) -> tuple[Loan, ...]:
    """One loan, for some two. Most have something overdue, some fall due within days, some are
    in good order.
    """
    chance = Chance(seed, ("book", person.id))
    many = 2 if chance.fraction("two") < 0.08 else 1
    return tuple(
        _loan(person, chance.under(number), number, today) for number in range(1, many + 1)
    )


def _loan(person: Person, chance: Chance, number: int, today: date) -> Loan:
    minor = chance.between(9, 38, "amount") * 500
    standing = chance.weighted((("overdue", 82), ("soon", 10), ("good", 8)), "standing")
    if standing == "overdue":
        missed, next_due = chance.weighted(((1, 6), (2, 3), (3, 1)), "missed"), 0
        first = today - timedelta(days=chance.between(2, 25, "late") + 30 * (missed - 1))
    elif standing == "soon":
        missed, next_due = 0, chance.between(1, 4, "soon")
        first = today + timedelta(days=next_due)
    else:
        missed = 0
        first = today + timedelta(days=chance.between(12, 28, "good"))
    before = chance.between(0, 4, "before")
    length = before + missed + chance.between(2, 9, "after")
    parts = tuple(
        Part(
            number=at + 1,
            due_on=first + timedelta(days=30 * (at - before)),
            minor=minor,
            paid=minor if at < before else 0,
        )
        for at in range(length)
    )
    return Loan(
        ref=f"L-{person.id}-{number}",
        borrower_ref=borrower_ref(person),
        product=chance.pick(_PRODUCTS, "product"),
        currency=person.accounts[0].currency,
        parts=parts,
    )
