"""Credit limits that stand beside balances and not in them: taken off where they are contained.

Some providers have no flag for a credit limit in a balance; the account states its limit beside
it. So the two are compared: an available balance that is higher than the booked one, or that has
none beside it, has the limit taken off. One that is not higher is left to the rule for balances
that say nothing (app/domain/balance.py), which never lets it be more than the booked one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.domain.balance import BalanceEntry
from app.domain.errors import Invalid
from app.domain.money import Money
from connectors._stated import broken

_AVAILABLE = ("interimAvailable", "closingAvailable", "forwardAvailable", "expected")
_BOOKED = ("interimBooked", "closingBooked")


@dataclass(frozen=True, slots=True)
class Limit:
    """The credit limit of an account. `current`: stated in one answer with the balances; else it
    is the one of the day the account was linked, and a higher one may hold since.
    """

    amount: Money
    current: bool


def without_limit(entries: Sequence[BalanceEntry], limit: Limit) -> tuple[BalanceEntry, ...]:
    """The balances of one account, the available ones without the credit in them."""
    booked = _booked(entries, limit)
    return tuple(_taken_off(entry, limit, booked) for entry in entries)


def _booked(entries: Sequence[BalanceEntry], limit: Limit) -> Money | None:
    """The booked balance to compare with, in the limit's currency; the smallest of a kind."""
    for kind in _BOOKED:
        same = [
            entry.amount
            for entry in entries
            if entry.kind == kind
            and entry.amount is not None
            and entry.amount.currency == limit.amount.currency
        ]
        if same:
            return min(same, key=lambda money: money.minor)
    return None


def _taken_off(entry: BalanceEntry, limit: Limit, booked: Money | None) -> BalanceEntry:
    """An available balance without the credit in it. What is left is free of credit for sure only
    where the limit is of the same answer.
    """
    amount, credit = entry.amount, limit.amount
    if entry.kind not in _AVAILABLE or amount is None or amount.currency != credit.currency:
        return entry
    free = False if limit.current else None
    if credit.minor == 0:
        return replace(entry, limit_included=free)
    if booked is not None and amount.minor <= booked.minor:
        return entry
    try:
        left = Money(amount.minor - abs(credit.minor), amount.currency)
    except Invalid:
        return broken(entry.kind, "less than any amount that can be stored is left")
    return replace(entry, amount=left, limit_included=free)
