"""Spread money over what is due: oldest first, exact to the last minor unit."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

from app.domain.errors import Invalid
from app.domain.money import Money

Ref = TypeVar("Ref", bound=Hashable)
LoanRef = TypeVar("LoanRef", bound=Hashable)


@dataclass(frozen=True, slots=True)
class OpenDue(Generic[Ref]):
    """What is still unpaid of one instalment. `amount` is never negative."""

    ref: Ref
    due_on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class Part(Generic[Ref]):
    """The share of a payment that goes to one instalment or loan; above zero."""

    ref: Ref
    amount: Money


@dataclass(frozen=True, slots=True)
class Spread(Generic[Ref]):
    """Parts in the order they were served; together with `left_over` they are the payment."""

    parts: tuple[Part[Ref], ...]
    left_over: Money


@dataclass(frozen=True, slots=True)
class LoanSpread(Generic[LoanRef, Ref]):
    """One payment over several loans: what each loan gets, and of it each instalment."""

    loans: tuple[Part[LoanRef], ...]
    instalments: Mapping[LoanRef, tuple[Part[Ref], ...]]
    left_over: Money


def spread(payment: Money, dues: Iterable[OpenDue[Ref]]) -> Spread[Ref]:
    """Serve the oldest due first; equal days in the given order.

    What no instalment takes is `left_over`: too much was paid, and a person gives it back.
    Raises `Invalid` for a negative amount or another currency.
    """
    if payment.minor < 0:
        raise Invalid("payment", "cannot be negative.", mend="Give 0 or more.")
    left = payment
    parts: list[Part[Ref]] = []
    for due in sorted(dues, key=lambda due: due.due_on):
        if due.amount.minor < 0:
            raise Invalid("due", "cannot be negative.", mend="Give 0 or more.")
        taken = min(left, due.amount)
        if taken:
            parts.append(Part(due.ref, taken))
            left -= taken
    return Spread(tuple(parts), left)


def spread_over_loans(
    payment: Money, loans: Mapping[LoanRef, Iterable[OpenDue[Ref]]]
) -> LoanSpread[LoanRef, Ref]:
    """Serve the oldest instalment of any loan first. Raises as `spread` does."""
    every = [
        OpenDue((loan, due.ref), due.due_on, due.amount)
        for loan, dues in loans.items()
        for due in dues
    ]
    result = spread(payment, every)
    instalments: dict[LoanRef, tuple[Part[Ref], ...]] = {}
    totals: dict[LoanRef, Money] = {}
    for part in result.parts:
        loan, ref = part.ref
        instalments[loan] = (*instalments.get(loan, ()), Part(ref, part.amount))
        totals[loan] = totals.get(loan, Money.zero(payment.currency)) + part.amount
    return LoanSpread(
        loans=tuple(Part(loan, amount) for loan, amount in totals.items()),
        instalments=instalments,
        left_over=result.left_over,
    )
