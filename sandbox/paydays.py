"""Simulated accounts with hours: what recorded histories without a time column cannot show.

python -m sandbox.paydays --accounts 200 --days 400 --seed 7 > simulated.csv

SIMULATED, every row of it: figures measured on this say how a way of reading fares in the world
described here, and no more. The world: each account has an income that recurs (monthly on a day,
on the last working day, twice a month, weekly, every fortnight) or none that does, from an
employer who books at his own batch of the day, some minutes early or late. A payday on a weekend
is moved before or after it; besides it drifts by up to so many days (`--drift`), evenly. Nothing
of this is booked on a weekend. Rent leaves two days after, purchases follow in the hours of the
day and are larger while there is money, cards work on weekends as well, and now and then a friend
sends something at any hour. The same seed gives the same file.

Columns: account_id, date, time (local), amount, balance, and `kind` (income, gift, rent, purchase).
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TextIO

from sandbox.chance import Chance

BEGINS_ON = date(2025, 1, 1)
_DAY = 24 * 60
# When employers' files are booked (local minutes), and how many use each.
_BATCHES = ((2 * 60, 1), (6 * 60 + 15, 4), (7 * 60 + 30, 3), (12 * 60 + 10, 2), (16 * 60 + 40, 2))
_BATCH_SPREAD = 25


class Pays(StrEnum):
    """How the income of an account recurs."""

    MONTHLY = "monthly"
    MONTH_END = "month_end"
    SEMI_MONTHLY = "semi_monthly"
    WEEKLY = "weekly"
    FORTNIGHTLY = "fortnightly"
    IRREGULAR = "irregular"


HOW_MANY = (
    (Pays.MONTHLY, 45),
    (Pays.MONTH_END, 15),
    (Pays.SEMI_MONTHLY, 10),
    (Pays.WEEKLY, 10),
    (Pays.FORTNIGHTLY, 10),
    (Pays.IRREGULAR, 10),
)


@dataclass(frozen=True, slots=True)
class Move:
    """Money that moved, at a local minute since the first day."""

    minute: int
    minor: int
    kind: str


@dataclass(frozen=True, slots=True)
class Account:
    """One simulated account. `anchor` is a day of the month, else it gives the weekday."""

    name: str
    pays: Pays
    anchor: int
    income_minor: int
    batch: int
    before: bool
    chance: Chance

    @classmethod
    def of(cls, number: int, chance: Chance) -> Account:
        """The account of this number."""
        mine = chance.under("account", number)
        pays = mine.weighted(HOW_MANY, "pays")
        per_month = {Pays.WEEKLY: 4, Pays.FORTNIGHTLY: 2, Pays.SEMI_MONTHLY: 2}.get(pays, 1)
        return cls(
            name=f"S{number:04d}",
            pays=pays,
            anchor=mine.between(1, 28, "anchor"),
            income_minor=mine.between(110_000, 240_000, "income") // per_month,
            batch=mine.weighted(_BATCHES, "batch"),
            before=mine.whole("before") % 2 == 0,
            chance=mine,
        )

    def moves(self, days: int, drift: int) -> list[Move]:
        """Everything that is booked in so many days, in order."""
        incomes = sorted(self._incomes(days, drift))
        found = [Move(minute, minor, "income") for minute, minor in incomes]
        found += self._gifts(days)
        return sorted([*found, *self._spending(days, found)], key=lambda move: move.minute)

    def _incomes(self, days: int, drift: int) -> Iterator[tuple[int, int]]:
        for nominal in self.nominal_days(days):
            day = nominal + self.chance.between(-drift, drift, "drift", nominal)
            day = self.working(day)
            if 0 <= day < days:
                early = self.chance.between(-_BATCH_SPREAD, _BATCH_SPREAD, "batch", nominal)
                swing = self.chance.between(95, 105, "swing", nominal)
                yield day * _DAY + self.batch + early, self.income_minor * swing // 100

    def nominal_days(self, days: int) -> Iterator[int]:
        """The days on which income is due, before anything moves it."""
        for day in range(-3, days + 3):
            on = BEGINS_ON + timedelta(days=day)
            last = (on + timedelta(days=1)).day == 1
            week = self.anchor % 5
            due = {
                Pays.MONTHLY: on.day == self.anchor,
                Pays.MONTH_END: last,
                Pays.SEMI_MONTHLY: on.day in (1 + self.anchor % 14, 15 + self.anchor % 14),
                Pays.WEEKLY: on.weekday() == week,
                Pays.FORTNIGHTLY: on.toordinal() % 14 == week,
                Pays.IRREGULAR: self.chance.between(1, 24, "gig", day) == 1,
            }
            if due[self.pays]:
                yield day

    def working(self, day: int) -> int:
        """The day, or the working day beside it on this employer's side of the weekend."""
        before = self.before or self.pays is Pays.MONTH_END
        while (BEGINS_ON + timedelta(days=day)).weekday() >= 5:
            day += -1 if before else 1
        return day

    def _gifts(self, days: int) -> list[Move]:
        return [
            Move(
                day * _DAY + self.chance.between(0, _DAY - 1, "gift at", day),
                self.chance.between(1_000, 9_000, "gift of", day),
                "gift",
            )
            for day in range(days)
            if self.chance.between(1, 25, "gift", day) == 1
        ]

    def _spending(self, days: int, came: list[Move]) -> Iterator[Move]:
        """Rent two days after an income, and purchases by what is there."""
        balance, place = self.opening_minor, 0
        ordered = sorted(came, key=lambda move: move.minute)
        rents = {
            move.minute // _DAY + 2: move.minor * 35 // 100
            for move in came
            if move.kind == "income"
        }
        for day in range(days):
            for minute, fixed in self._bills(day, rents.get(day)):
                at = day * _DAY + minute
                while place < len(ordered) and ordered[place].minute <= at:
                    balance += ordered[place].minor
                    place += 1
                share = self.chance.between(3, 9, "share", day, minute)
                minor = min(balance * share // 100 + 300 if fixed is None else fixed, balance)
                if minor > 0:
                    balance -= minor
                    yield Move(at, -minor, "purchase" if fixed is None else "rent")

    def _bills(self, day: int, rent: int | None) -> list[tuple[int, int | None]]:
        """When money leaves on a day, and how much where that is fixed."""
        buys = self.chance.between(0, 3, "buys", day)
        hours = sorted(self.chance.between(9 * 60, 22 * 60, "at", day, one) for one in range(buys))
        bought: list[tuple[int, int | None]] = [(minute, None) for minute in hours]
        return bought if rent is None else [(5 * 60, rent), *bought]

    @property
    def opening_minor(self) -> int:
        """What is on the account at the start."""
        return self.chance.between(1_000, 20_000, "opening")


def write(out: TextIO, *, accounts: int, days: int, seed: int, drift: int) -> int:
    """Write the accounts as CSV. Returns the number of rows."""
    sheet = csv.writer(out, lineterminator="\n")
    sheet.writerow(["account_id", "date", "time", "amount", "balance", "kind"])
    rows = 0
    for number in range(accounts):
        account = Account.of(number, Chance(seed, ("paydays",)))
        balance = account.opening_minor
        for move in account.moves(days, drift):
            balance += move.minor
            day, minute = divmod(move.minute, _DAY)
            on = BEGINS_ON + timedelta(days=day)
            time = f"{minute // 60:02d}:{minute % 60:02d}"
            money = (_text(move.minor), _text(balance))
            sheet.writerow([account.name, on.isoformat(), time, *money, move.kind])
            rows += 1
    return rows


def _text(minor: int) -> str:
    whole, cents = divmod(abs(minor), 100)
    return f"{'-' if minor < 0 else ''}{whole}.{cents:02d}"


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.paydays", description=__doc__)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--drift", type=int, default=2, help="days a payday may come off its day")
    given = parser.parse_args(arguments)
    rows = write(
        sys.stdout, accounts=given.accounts, days=given.days, seed=given.seed, drift=given.drift
    )
    print(f"{rows} simulated rows", file=sys.stderr)  # noqa: T201 - the word of a program


if __name__ == "__main__":
    main()
