"""The best possible forecast of a simulated payday, by hand where a hand can follow."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from benchmarks.payday_bound import best_day
from sandbox.chance import Chance
from sandbox.paydays import BEGINS_ON, Account, Pays

DAY = 24 * 60


def paydays(number: int, days: int, drift: int) -> list[int]:
    account = Account.of(number, Chance(11, ("paydays",)))
    if account.pays is Pays.IRREGULAR:
        return []
    return [move.minute // DAY for move in account.moves(days, drift) if move.kind == "income"]


def test_two_fridays_in_a_row_make_the_third_sure() -> None:
    friday = (4 - BEGINS_ON.weekday()) % 7
    assert best_day([friday, friday + 7, friday + 14], friday + 15, 120, 0)[0] == friday + 21


def test_who_is_moved_off_a_weekend_is_expected_on_either_side_of_it() -> None:
    came = [day for day in range(90) if (BEGINS_ON + timedelta(days=day)).day == 14][:2]
    day, sure = best_day(came, came[-1] + 1, 200, 0)
    assert abs((BEGINS_ON + timedelta(days=day)).day - 14) <= 1
    assert 0.5 < sure <= 1


@pytest.mark.parametrize(
    ("drift", "least", "most"), [(0, 0.94, 1.0), (1, 0.85, 0.99), (2, 0.6, 0.85)]
)
def test_it_is_as_often_right_as_it_says(drift: int, least: float, most: float) -> None:
    right, said = [], []
    for number in range(12):
        came = paydays(number, 200, drift)
        for place, (last, following) in enumerate(pairwise(came), start=1):
            if place < 3 or following <= last:
                continue
            day, sure = best_day(came[:place], last + 1, 200, drift)
            right.append(abs(day - following) <= 1)
            said.append(sure)
    assert len(right) > 60
    assert least <= sum(right) / len(right) <= most
    assert abs(sum(right) - sum(said)) / len(right) < 0.07
