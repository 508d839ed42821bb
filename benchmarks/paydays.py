"""How well the next income is foretold, on simulated accounts (`sandbox.paydays`). SIMULATED.

After three incomes, and then after each, the profile of every account with a regular income is
asked for the next one: `within_a_day` is how often the likeliest day is at most a day off,
`in_interval` how often the income falls into the 90 % interval, which is right where it does so
in 88 to 92 of a hundred. `bound` is the best that anybody could do within a day who knows each
account's true rhythm: a payday that is off by up to two days, evenly, is within one day of any
guess three times in five. The profiles learn from all rows, or from the balances of one read each
evening.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise

from app.domain.income import DAY, IncomeProfile, Seen, day_of, minute_of
from app.domain.income_forecast import next_income
from app.domain.income_learning import learn, look_ahead
from app.domain.income_seen import Row, between_balances, between_rows
from benchmarks import bench
from sandbox.chance import Chance
from sandbox.paydays import BEGINS_ON, Account, Move, Pays

ORIGIN = minute_of(BEGINS_ON)
CYCLES = 3


def _stretch(
    profile: IncomeProfile, moves: list[Move], since: int, until: int, balance: int, rows: bool
) -> tuple[list[Seen], int]:
    """What is seen from one moment to another, and the balance at its end."""
    here = [move for move in moves if since <= move.minute < until]
    after = balance + sum(move.minor for move in here)
    if rows:
        told = [Row(ORIGIN + move.minute, move.minor) for move in here]
        return between_rows(told, ORIGIN + since, ORIGIN + until, timed=True), after
    found: list[Seen] = []
    for day in range(since // DAY, until // DAY):
        end = balance + sum(move.minor for move in here if move.minute // DAY == day)
        start = ORIGIN + day * DAY
        one = between_balances(profile, start, start + DAY, balance, end)
        found += [one] if one is not None else []
        balance = end
    return found, after


def _account(account: Account, days: int, drift: int, *, rows: bool) -> list[tuple[bool, bool]]:
    """For each income after the first ones: foretold within a day, and within the interval."""
    moves = account.moves(days, drift)
    incomes = [move.minute for move in moves if move.kind == "income"]
    profile, since = look_ahead(IncomeProfile(), BEGINS_ON), 0
    balance = account.opening_minor
    found = []
    for number, (came, following) in enumerate(pairwise(incomes), start=1):
        until = (came // DAY + 1) * DAY
        seen, balance = _stretch(profile, moves, since, until, balance, rows)
        profile, since = learn(profile, seen), until
        if number < CYCLES or following < until:
            continue
        told = next_income(profile, day_of(ORIGIN + until))
        if told is None:
            found.append((False, False))
            continue
        off = abs((day_of(ORIGIN + following) - told.likely_on).days)
        found.append((off <= 1, told.earliest <= ORIGIN + following < told.latest))
    return found


def measure(accounts: int, days: int, seed: int, drift: int, *, rows: bool) -> dict[str, float]:
    """The shares over all regular accounts."""
    drawn = [Account.of(number, Chance(seed, ("paydays",))) for number in range(accounts)]
    found = [
        hit
        for one in drawn
        if one.pays is not Pays.IRREGULAR
        for hit in _account(one, days, drift, rows=rows)
    ]
    return {
        "asked": len(found),
        "within_a_day": sum(day for day, _ in found) / len(found),
        "in_interval": sum(inside for _, inside in found) / len(found),
        "bound": min(1.0, 3 / (2 * drift + 1)),
    }


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=100)
    parser.add_argument("--days", type=int, default=300)
    parser.add_argument("--seed", type=int, default=11)
    chosen = parser.parse_args()
    figures: dict[str, float] = {}
    for rows in (True, False):
        for drift in (0, 1, 2):
            found = measure(chosen.accounts, chosen.days, chosen.seed, drift, rows=rows)
            name = f"{'rows' if rows else 'balances'}_drift_{drift}"
            sys.stdout.write(
                f"simulated, {name}: within a day {found['within_a_day']:.1%} (bound "
                f"{found['bound']:.0%}), in the 90 % interval {found['in_interval']:.1%}, "
                f"{found['asked']} asked\n"
            )
            figures |= {f"{name}_{key}": value for key, value in found.items()}
    bench.record("simulated_paydays", figures)


if __name__ == "__main__":
    main()
