"""The simulated accounts with hours: repeatable, plausible, and read by others as a plain CSV."""

from __future__ import annotations

import csv
import io
from datetime import date
from itertools import pairwise

from sandbox.chance import Chance
from sandbox.paydays import Account, Pays, write


def rows(seed: int = 7, drift: int = 2) -> list[dict[str, str]]:
    out = io.StringIO()
    count = write(out, accounts=12, days=200, seed=seed, drift=drift)
    found = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert len(found) == count
    return found


def test_the_same_seed_gives_the_same_file_and_another_one_does_not() -> None:
    assert rows() == rows()
    assert rows() != rows(seed=8)


def test_incomes_are_booked_on_working_days_and_balances_add_up() -> None:
    found = rows()
    incomes = [row for row in found if row["kind"] == "income"]
    assert len(incomes) > 60
    assert all(date.fromisoformat(row["date"]).weekday() < 5 for row in incomes)
    assert any(date.fromisoformat(row["date"]).weekday() >= 5 for row in found)
    last: dict[str, float] = {}
    for row in found:
        account, balance = row["account_id"], float(row["balance"])
        assert balance >= 0
        if account in last:
            assert abs(last[account] + float(row["amount"]) - balance) < 0.005
        last[account] = balance


def test_without_drift_a_payday_keeps_its_day() -> None:
    accounts = [Account.of(number, Chance(3)) for number in range(60)]
    assert {one.pays for one in accounts} == set(Pays)
    for one in accounts:
        days = [move.minute // 1440 for move in one.moves(120, 0) if move.kind == "income"]
        gaps = [later - day for day, later in pairwise(days)]
        if one.pays is Pays.WEEKLY:
            assert set(gaps) == {7}
        elif one.pays is Pays.MONTHLY:
            assert all(26 <= gap <= 34 for gap in gaps)
