"""How well the next income is foretold, on simulated accounts (`sandbox.paydays`). SIMULATED.

After three incomes, and then after each, the profile of every account with a regular income is
asked for the next one: `within_a_day` is how often the day that is named is at most a day off,
`in_interval` how often the income falls into the 90 % interval, which is right where it does so
in 88 to 92 of a hundred. `best_possible` is how often whoever knows how the accounts are made is
right (`benchmarks.payday_bound`), and `best_foreseen` how often he expects to be. The profiles
learn from all rows, or from the balances of one read each evening.
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
from benchmarks.payday_bound import best_day
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


def _account(
    account: Account, days: int, drift: int, *, rows: bool
) -> list[tuple[bool, bool, bool, float]]:
    """For each income after the first ones: foretold within a day, and within the interval; the
    same within a day by whoever knows how accounts are made, and how sure he was of it.
    """
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
        paid = [minute // DAY for minute in incomes[:number]]
        best, sure = best_day(paid, until // DAY, days, drift)
        ideal = abs(following // DAY - best) <= 1
        told = next_income(profile, day_of(ORIGIN + until))
        if told is None:
            found.append((False, False, ideal, sure))
            continue
        off = abs((day_of(ORIGIN + following) - told.likely_on).days)
        inside = told.earliest <= ORIGIN + following < told.latest
        found.append((off <= 1, inside, ideal, sure))
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
        "within_a_day": sum(day for day, _, _, _ in found) / len(found),
        "in_interval": sum(inside for _, inside, _, _ in found) / len(found),
        "best_possible": sum(ideal for _, _, ideal, _ in found) / len(found),
        "best_foreseen": sum(sure for _, _, _, sure in found) / len(found),
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
                f"simulated, {name}: within a day {found['within_a_day']:.1%} (best possible "
                f"{found['best_possible']:.1%}, foreseen {found['best_foreseen']:.1%}), in the "
                f"90 % interval {found['in_interval']:.1%}, {found['asked']} asked\n"
            )
            figures |= {f"{name}_{key}": value for key, value in found.items()}
    bench.record("simulated_paydays", figures)


if __name__ == "__main__":
    main()
