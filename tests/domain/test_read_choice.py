"""The day of the next read, against the sum it stands for, written out without any short cut."""

from __future__ import annotations

from math import sqrt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.read_choice import cheapest_day, reads_worth

MISSED, GRID = 6.0, 4


def read_on(hazards: list[float], keep: float, first: int, day: int) -> tuple[float, float, float]:
    """After a vain read on the eve of `first`: how long money has lain unseen by `day`, how
    likely it is there then, and that it has come and gone.
    """
    quiet, lain, there = 1.0, 0.0, 0.0
    for number in range(first, day + 1):
        lain += there
        there = there * keep + quiet * hazards[number]
        quiet *= 1 - hazards[number]
    return lain, there, 1 - quiet - there


def costs_of(
    hazards: list[float], stay: float, price: float, latest: int, earliest: int
) -> dict[int, float]:
    """What the cheapest sequence costs that begins on each day."""
    count, keep = len(hazards), 1 - 1 / stay
    mean = max(sum(hazards) / count, 0.001)
    even = 1.4 * sqrt(2 * price / mean)
    until = min(max(latest, earliest + 1), count)

    def cost(first: int, day: int) -> float:
        lain, there, missed = read_on(hazards, keep, first, day)
        return price + lain + MISSED * missed + (1 - there) * worth[day + 1]

    worth = dict.fromkeys(range(count + 1), even)
    stops: list[int] = []
    for day in range(count - 1, earliest - 1, -1):
        if hazards[day] > (mean if day < until else 2 * mean) or (latest - 1 - day) % GRID == 0:
            reach = [stop for stop in stops if stop <= day + latest]
            worth[day + 1] = min([even, *(cost(day + 1, stop) for stop in reach)])
            stops.append(day)
    return {day: cost(0, day) for day in range(earliest, until)}


hazards_of = st.one_of(
    st.lists(st.floats(0, 0.97), min_size=1, max_size=28),
    st.builds(
        lambda flat, peak, at: [flat] * at + [peak] + [flat] * (27 - at),
        st.floats(0, 0.1),
        st.floats(0.2, 0.97),
        st.integers(0, 27),
    ),
)


@example([0.04] * 28, 15.0, 1.0, 14, 0, 0.99)
@example([0.0] * 28, 3.0, 0.0, 1, 0, 0.0)
@given(
    hazards_of,
    st.integers(6, 60).map(lambda halves: halves / 2),
    st.floats(0, 30),
    st.integers(1, 20),
    st.integers(0, 27),
    st.floats(0, 0.999) | st.none(),
)
def test_it_is_as_cheap_as_the_cheapest_day_of_the_sum_written_out(
    hazards: list[float], stay: float, price: float, latest: int, earliest: int, place: float | None
) -> None:
    earliest = min(earliest, len(hazards) - 1)
    found = cheapest_day(hazards, stay, price, latest, earliest, place)
    costs = costs_of(hazards, stay, price, latest, earliest)
    least = min(costs.values())
    best = [day for day, cost in costs.items() if cost <= least + 1e-6 * (1 + least)]
    slack = 0.0 if place is None else price / 4
    assert costs[found.days] <= least + slack + 1e-6 * (1 + least)
    assert min(abs(found.days - day) - (day + 1) // 3 for day in best) <= 0
    assert found.odds == pytest.approx(read_on(hazards, 1 - 1 / stay, 0, found.days)[1], abs=1e-6)
    assert not found.forced or latest - 1 in best


def test_there_must_be_a_day() -> None:
    for hazards, earliest in (([], 0), ([0.1] * 3, 3), ([0.1], -1)):
        with pytest.raises(ValueError, match="no day"):
            cheapest_day(hazards, 5.0, 1.0, 14, earliest)


@pytest.mark.parametrize("hazard", [0.0, 1e-12, 1e-7])
def test_where_nothing_is_likely_it_is_read_as_late_as_may_be_unless_for_nothing(
    hazard: float,
) -> None:
    for price in (1.0, 30.0):
        found = cheapest_day([hazard] * 21, 15.0, price, 14)
        assert (found.days, found.forced) == (13, True)
    assert cheapest_day([hazard] * 21, 15.0, 0.0, 14).days == 0


def test_accounts_share_out_days_that_are_as_good_and_keep_to_the_best_where_one_is() -> None:
    flat, peak = [0.04] * 28, [0.005] * 11 + [0.9] + [0.005] * 16
    places = [number / 100 for number in range(100)]
    assert len({cheapest_day(flat, 15.0, 1.0, 14, 0, place).days for place in places}) >= 3
    assert {cheapest_day(peak, 15.0, 1.0, 14, 0, place).days for place in places} == {11}


def test_more_reads_a_day_where_they_are_worth_it() -> None:
    waits = (0.4, 0.2, 0.15, 0.14)
    assert reads_worth(0.9, waits, 0.0) == 4
    assert reads_worth(0.9, waits, 0.03) == 3
    assert reads_worth(0.1, waits, 0.03) == 1
