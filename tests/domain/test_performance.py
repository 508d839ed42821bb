"""Recovery and like-with-like: worked by hand, and what must hold whatever the figures are."""

from __future__ import annotations

from datetime import date, timedelta
from math import isclose, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid
from app.domain.performance import (
    LATE_FROM,
    Overdue,
    Recovery,
    Shares,
    adjusted,
    came_of,
    check_period,
    late_band,
    raw,
    together,
)

CASE = st.integers(1, 10**9).flatmap(lambda m: st.tuples(st.just(m), st.integers(0, m)))
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=12)
GROUP = st.dictionaries(st.integers(0, 4), SHARES, min_size=1).map(
    lambda strata: {key: Shares.of(shares) for key, shares in strata.items()}
)


# ------------------------------------------------------------------ money of money


def test_what_came_is_never_more_than_what_entered() -> None:
    assert came_of(100, 30, paid=False) == 30
    assert came_of(100, 130, paid=False) == 100
    assert came_of(100, 0, paid=True) == 100


def test_recovery_by_hand() -> None:
    # 100 of 100 and 0 of 300: a quarter of the money. Residuals 75 and -75, so the ratio's
    # standard error is sqrt(2 * (75^2 + 75^2) / 1) / 400 = 150 / 400.
    found = Recovery.of([(100, 100), (300, 0)])
    assert found.rate == 0.25
    assert found.interval == pytest.approx((0.0, 0.25 + 1.959964 * 0.375))
    assert found.small
    even = Recovery.of([(100, 50)] * 40)
    assert (even.rate, even.interval, even.small) == (0.5, (0.5, 0.5), False)


@given(st.lists(CASE, min_size=2, max_size=30))
def test_a_rate_lies_in_its_interval_and_within_what_single_cases_came_to(
    cases: list[tuple[int, int]],
) -> None:
    found = Recovery.of(cases)
    low, high = found.interval
    assert 0 <= low <= found.rate <= high <= 1
    shares = [recovered / entered for entered, recovered in cases]
    assert min(shares) - 1e-12 <= found.rate <= max(shares) + 1e-12


@given(st.lists(CASE, min_size=2, max_size=20), st.integers(2, 1000))
def test_another_unit_of_money_changes_nothing(cases: list[tuple[int, int]], times: int) -> None:
    one = Recovery.of(cases)
    other = Recovery.of([(entered * times, came * times) for entered, came in cases])
    assert other.rate == pytest.approx(one.rate)
    assert other.interval == pytest.approx(one.interval)


@given(st.lists(st.integers(0, 100), min_size=2, max_size=30))
def test_of_cases_alike_in_size_it_is_the_mean_of_shares(came: list[int]) -> None:
    found = Recovery.of([(100, one) for one in came])
    plain = raw({0: Shares.of(one / 100 for one in came)})
    assert found.rate == pytest.approx(plain.mean)
    assert found.interval == pytest.approx((plain.low, plain.high), abs=1e-6)


def test_nothing_and_a_single_case_tell_nothing() -> None:
    assert Recovery().rate == 0
    assert Recovery().interval == (0.0, 1.0)
    assert Recovery.of([(10, 5)]).interval == (0.0, 1.0)


# ------------------------------------------------------------------ like with like


def _shares(paid: int, of: int) -> Shares:
    return Shares.of([1.0] * paid + [0.0] * (of - paid))


def test_the_better_collector_with_the_harder_cases_is_seen() -> None:
    # Of hard cases she brings in 10 of 100, he 0 of 10; of easy ones she 8 of 10, he 70 of 100.
    she = {"hard": _shares(10, 100), "easy": _shares(8, 10)}
    he = {"hard": _shares(0, 10), "easy": _shares(70, 100)}
    everybody = together([she, he])
    assert raw(she).mean == pytest.approx(18 / 110)
    assert raw(he).mean == pytest.approx(70 / 110)
    # Half of the common mix is hard: (0.1 + 0.8) / 2 and (0 + 0.7) / 2.
    hers, his = adjusted(she, everybody), adjusted(he, everybody)
    assert [hers.mean, his.mean] == pytest.approx([0.45, 0.35])
    assert hers.covered == 1
    # By hand: hard 10 of 110, variance 0.08340; easy 78 of 110, 0.20817.
    spread = 0.25 * (10 / 110 * 100 / 110 * 110 / 109) / 100
    spread += 0.25 * (78 / 110 * 32 / 110 * 110 / 109) / 10
    assert hers.high - hers.mean == pytest.approx(1.959964 * sqrt(spread))
    # On so few easy cases her lead may be chance, and the intervals say so.
    assert hers.low < his.high


def test_who_had_only_easy_cases_is_not_compared() -> None:
    easy, both = {"easy": _shares(30, 40)}, {"easy": _shares(30, 40), "hard": _shares(5, 80)}
    found = adjusted(easy, together([easy, both]))
    assert found.mean == 0.75
    assert found.covered == pytest.approx(0.5)
    assert not found.comparable
    assert adjusted(both, together([easy, both])).comparable
    assert adjusted({}, both).covered == 0


@given(st.lists(GROUP, min_size=1, max_size=4))
def test_adjusted_stays_within_what_his_strata_came_to(
    groups: list[dict[int, Shares]],
) -> None:
    everybody = together(groups)
    for own in groups:
        found = adjusted(own, everybody)
        means = [one.mean for one in own.values()]
        assert min(means) - 1e-9 <= found.mean <= max(means) + 1e-9
        assert -1e-9 <= found.low <= found.mean + 1e-9
        assert found.mean - 1e-9 <= found.high <= 1 + 1e-9
        assert 0 < found.covered <= 1


@given(GROUP)
def test_whoever_has_the_common_mix_is_left_as_he_is(own: dict[int, Shares]) -> None:
    assert isclose(adjusted(own, own).mean, raw(own).mean, abs_tol=1e-9)


@given(GROUP, GROUP, st.integers(2, 5))
def test_being_given_more_of_one_kind_changes_no_adjusted_share(
    one: dict[int, Shares], other: dict[int, Shares], times: int
) -> None:
    """Of the same success in every stratum, the mix alone says nothing about anybody."""
    common = together([one, other])
    key = min(one)
    more = {**one, key: sum((one[key] for _ in range(times)), Shares())}
    assert isclose(adjusted(more, common).mean, adjusted(one, common).mean, abs_tol=1e-9)


# ------------------------------------------------------------------ the rest


def test_average_days_overdue_by_hand() -> None:
    # 100 for 10 days and 300 for 50: (1,000 + 15,000) / 400 and (10 + 50) / 2.
    found = Overdue(2, 400, 60, 16_000)
    assert (found.by_money, found.by_loan) == (40.0, 30.0)
    assert (Overdue(0, 0, 0, 0).by_money, Overdue(0, 0, 0, 0).by_loan) == (0.0, 0.0)


def test_bands_begin_where_they_say() -> None:
    assert [late_band(first) for first in LATE_FROM] == [0, 1, 2, 3, 4]
    assert [late_band(first - 1) for first in LATE_FROM[1:]] == [0, 1, 2, 3]
    assert late_band(-3) == 0


@pytest.mark.parametrize(
    ("since", "until", "field"),
    [(2, 1, "until"), (1, 11, "until"), (-400, 1, "since")],
)
def test_periods_nobody_can_mean_are_refused(since: int, until: int, field: str) -> None:
    first = date(2026, 3, 1)
    with pytest.raises(Invalid) as caught:
        check_period(
            first + timedelta(days=since), first + timedelta(days=until), date(2026, 3, 11)
        )
    assert caught.value.field == field
    check_period(first, date(2026, 3, 11), date(2026, 3, 11))
