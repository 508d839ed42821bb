"""How well bills are foretold, on recorded accounts (a transactions file of the backtest).

From its hundredth day on every 37 days an account's bills are learned from the ninety days before,
as at a consent, and those of the following 24 days are foretold. `right` is the share of them for
which a debit of that size, to within a tenth, left in its time; `right_by_amount` the same by what
was set aside. `of_all_that_left` is how much of everything that left in those days was foretold.
`learn_us` is one profile learned, `foresee_us` one set of bills foretold from a profile, in CPU
time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from app.backtest.files import MINUTES, read_transactions
from app.domain.bills import HISTORY_DAYS, Debit, Expected, foresee, learn_bills
from benchmarks import bench

DAY = timedelta(days=1)
BEFORE, EVERY, AHEAD = 100 * DAY, 37 * DAY, 24 * DAY


@dataclass(slots=True)
class Count:
    """What was foretold, what of it left, and everything that left; amounts in minor units."""

    foretold: int = 0
    right: int = 0
    foretold_minor: int = 0
    right_minor: int = 0
    left_minor: int = 0
    points: int = 0
    with_bills: int = 0
    learn_s: float = 0.0
    foresee_s: float = 0.0

    def figures(self) -> dict[str, float]:
        """The shares and costs."""
        return {
            "points": self.points,
            "with_bills": round(self.with_bills / self.points, 3),
            "foretold": self.foretold,
            "right": round(self.right / self.foretold, 3),
            "right_by_amount": round(self.right_minor / self.foretold_minor, 3),
            "of_all_that_left": round(self.right_minor / self.left_minor, 3),
            "learn_us": round(self.learn_s / self.points * 1e6, 1),
            "foresee_us": round(self.foresee_s / self.points * 1e6, 1),
        }


def account(debits: Sequence[Debit], first: date, last: date, count: Count) -> None:
    """Add one account's bills, learned and foretold again and again."""
    today = first + BEFORE
    while today + AHEAD + 7 * DAY <= last:
        since, began = today - HISTORY_DAYS * DAY, time.process_time()
        profile = learn_bills(debits, since, today)
        learned = time.process_time()
        expected = foresee(profile, today + DAY, today + AHEAD)
        count.foresee_s += time.process_time() - learned
        count.learn_s += learned - began
        count.points += 1
        count.with_bills += bool(profile.bills)
        _judge(expected, [one for one in debits if one.day > today], today + AHEAD, count)
        today += EVERY


def _judge(expected: Sequence[Expected], coming: list[Debit], until: date, count: Count) -> None:
    count.left_minor += sum(one.minor for one in coming if one.day <= until)
    for bill in expected:
        count.foretold += 1
        count.foretold_minor += bill.minor
        for one in coming:
            near = abs(one.minor - bill.minor) * 10 <= bill.minor
            if near and bill.on <= one.day <= bill.by:
                coming.remove(one)
                count.right += 1
                count.right_minor += bill.minor
                break


def main(argv: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transactions", type=Path, required=True)
    parser.add_argument("--currency", default="EUR")
    given = parser.parse_args(argv)
    count = Count()
    for history in read_transactions(given.transactions, given.currency):
        days = [history.begins_on + one.minute // MINUTES * DAY for one in history.entries]
        debits = [
            Debit(day, -one.minor)
            for day, one in zip(days, history.entries, strict=True)
            if one.minor < 0
        ]
        account(debits, days[0], days[-1], count)
    bench.record("bills", count.figures())
    sys.stdout.write(f"{count.figures()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
