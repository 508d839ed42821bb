"""The words of a notice about what is due now, in the borrower's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from app.domain.message import Channel
from app.domain.money import Money
from app.domain.template import LONGEST_VALUE, Cause, Rendered
from app.flows.cases.look_at_person import Person
from app.flows.house import House
from app.flows.messages.fill_template import fill_template
from app.flows.messages.find_template import find_template
from app.flows.messages.template_values import who_values
from app.reference import formats
from app.store.unit import Unit

# Stands in an observed text where the token would be: nobody could have opened it.
NO_TOKEN: Final = "…"  # noqa: S105 - the absence of one


@dataclass(frozen=True, slots=True)
class Owed:
    """One loan that a notice speaks of: what is due, or will be, and from which day on."""

    loan_id: UUID
    external_ref: str
    amount: Money
    due_on: date


@dataclass(frozen=True, slots=True)
class Promised:
    """What a reminder of a promise says."""

    due_on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class Subject:
    """What a notice is about. `today` is the borrower's own day."""

    cause: Cause
    owed: tuple[Owed, ...]
    today: date
    promised: Promised | None = None


async def notice_words(
    unit: Unit,
    house: House,
    person: Person,
    subject: Subject,
    *,
    template: str,
    channel: Channel,
    token: str,
) -> Rendered:
    """Fill the template in force, or the one that ships where that one cannot leave.

    Raises `NotFound` without any, `Invalid` for a missing value, `TooLong` for a text of too many
    parts.
    """
    row, lender = person.row, person.lender
    words = await find_template(
        unit, house, template, channel, row.language, lender_id=row.lender_id
    )
    values = who_values(
        house,
        lender=lender.name,
        contact_phone=lender.contact_phone,
        name=unit.open("borrowers.name_enc", row.id, row.name_enc),
        token=token,
    )
    if subject.owed:
        values |= _debt(subject, words.language)
    if subject.promised is not None:
        values["promise_on"] = formats.day(subject.promised.due_on, words.language)
        values["promise_amount"] = formats.money(subject.promised.amount, words.language)
    return fill_template(house, words, values)


def _debt(subject: Subject, language: str) -> dict[str, str]:
    """Amounts of one currency are added up, those of several stand side by side."""
    oldest = min(one.due_on for one in subject.owed)
    values = {
        "amount_due": " + ".join(formats.money(one, language) for one in _totals(subject.owed)),
        "due_on": formats.day(oldest, language),
        "loan_ref": _cut(", ".join(one.external_ref for one in subject.owed)),
    }
    if subject.today >= oldest:
        values["days_past_due"] = str((subject.today - oldest).days)
    return values


def _totals(owed: Sequence[Owed]) -> list[Money]:
    totals: dict[str, Money] = {}
    for one in owed:
        currency = one.amount.currency
        totals[currency] = totals.get(currency, Money.zero(currency)) + one.amount
    return list(totals.values())


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
