"""Money that a lender's ledger shows and nobody reported: read from its words on what is owed.

A lender may never report a repayment and only say, again and again, what is owed. What fell between
two words, and no known movement of money explains, is taken to have been paid. Assumed is:

* Fees and interest raise what is owed and are no money that went back. Where the ledger states what
  is paid on each instalment, they hide nothing: the larger of the fall of what is unpaid and the
  rise of what is paid counts. Where it does not, they hide as much of a payment as they are.
* Paid figures of instalments that a word lists for the first time are history, not news.
* A fall that the lender made by himself (forgiven in his own ledger) cannot be told from money. It
  counts for the borrower: nobody is called to account for money that is owed no more.
* A correction backwards (less paid, and more unpaid) takes the latest such money back.
* A ledger may show a known payment early or late: what one word has too little is what a later one
  has too much, and counts once.
* The day is not known. It is taken as the first on which it can have been, the day of the word
  before, so that a slow ledger breaks no promise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class OwedWord:
    """What the ledger held at `as_of`, and Saldo knows since `recorded_at`. Minor units.

    `amount` and `paid` are sums over all instalments, due or not; `paid_before` is the part of
    `paid` that stands on instalments which the word before did not list.
    """

    as_of: datetime
    recorded_at: datetime
    amount: int
    paid: int
    paid_before: int = 0

    @property
    def unpaid(self) -> int:
        """What is owed in all."""
        return self.amount - self.paid


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that Saldo knows of: it came at `at`, or went back (below zero). Minor units."""

    at: datetime
    minor: int


@dataclass(frozen=True, slots=True)
class Unreported:
    """Money that only the ledger's words show: paid at `at` at the earliest. Minor units."""

    at: datetime
    known_at: datetime
    minor: int


def unreported(words: Sequence[OwedWord], movements: Iterable[Movement]) -> tuple[Unreported, ...]:
    """What fell between the words and no movement explains, in the order of time.

    Each is above zero; together they are never more than what fell. `words` stand in the order of
    `as_of`.
    """
    known = list(movements)
    found: list[Unreported] = []
    debt = 0
    for before, after in pairwise(words):
        moved = sum(one.minor for one in known if before.as_of < one.at <= after.as_of)
        news = _received(before, after) - moved
        settled = min(debt, max(news, 0))
        debt, news = debt - settled, news - settled
        if news > 0:
            found.append(Unreported(before.as_of, after.recorded_at, news))
        elif news < 0:
            debt += _take_back(found, -news)
    return tuple(found)


def _received(before: OwedWord, after: OwedWord) -> int:
    """What came in by the two words alone; below zero when both say that less is paid."""
    fell = before.unpaid - after.unpaid
    rose = after.paid - after.paid_before - before.paid
    return max(fell, rose)


def _take_back(found: list[Unreported], minor: int) -> int:
    """Take it off the latest; returns what was not there to take."""
    while minor and found:
        last = found.pop()
        taken = min(minor, last.minor)
        minor -= taken
        if taken < last.minor:
            found.append(Unreported(last.at, last.known_at, last.minor - taken))
    return minor
