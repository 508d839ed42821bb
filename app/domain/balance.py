"""Which of a bank's balances is spendable money, and how fresh it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.domain.money import Money


@dataclass(frozen=True, slots=True)
class BalanceEntry:
    """One balance as the provider stated it, unchosen.

    `kind` is the ISO-style word (interimAvailable, closingBooked, ...). `limit_included` is
    None where the provider does not say. `amount` is None where the string could not be read;
    `problem` then says why. `as_of` is the provider's own instant, None where it gave none.
    """

    kind: str
    amount: Money | None
    limit_included: bool | None = None
    as_of: datetime | None = None
    problem: str = ""
