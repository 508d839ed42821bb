"""The life on an account: the same on every start, and no cent lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from sandbox.chance import Chance
from sandbox.money_life import (
    Bill,
    HabitLife,
    Life,
    Movement,
    ReplayedLife,
    Rhythm,
    Salary,
    Spending,
    Weekend,
    moved,
    paydays,
)

MADRID = ZoneInfo("Europe/Madrid")
BORN = datetime(2026, 1, 20, 8, 0, tzinfo=UTC)

SALARIES = st.one_of(
    st.none(),
    st.builds(
        Salary,
        st.integers(10_000, 400_000),
        day=st.integers(1, 31),
        hour=st.integers(0, 23),
        rhythm=st.just(Rhythm.MONTHLY),
        weekend=st.sampled_from(Weekend),
        swing_percent=st.sampled_from((0, 30)),
    ),
    st.builds(
        Salary,
        st.integers(10_000, 90_000),
        day=st.integers(0, 6),
        rhythm=st.sampled_from((Rhythm.WEEKLY, Rhythm.IRREGULAR)),
    ),
)
BILLS = st.builds(Bill, st.integers(1, 90_000), st.integers(1, 28), st.integers(0, 23))
HABITS = st.one_of(
    st.none(),
    st.builds(
        Spending,
        st.integers(-50_000, 50_000),
        st.integers(0, 60),
        st.lists(BILLS, max_size=2).map(tuple),
    ),
)
MOMENTS = st.lists(
    st.integers(0, 120 * 24 * 60).map(lambda minutes: BORN + timedelta(minutes=minutes)),
    min_size=1,
    max_size=12,
)


def a_life(salary: Salary | None, spending: Spending | None, seed: int = 5) -> HabitLife:
    return HabitLife(
        born=BORN,
        opening_minor=40_000,
        salary=salary,
        spending=spending,
        zone=MADRID,
        chance=Chance(seed, ("life",)),
    )


@given(SALARIES, HABITS, MOMENTS, MOMENTS)
def test_the_order_of_questions_and_payments_changes_nothing(
    salary: Salary | None, spending: Spending | None, asked: list[datetime], paid: list[datetime]
) -> None:
    one, other = a_life(salary, spending), a_life(salary, spending)
    movements = [Movement(at, -700 * (n + 1), f"m{n}") for n, at in enumerate(paid)]
    for moment in asked:
        one.at(moment)
    for movement in movements:
        one.add(movement)
        one.at(asked[0])
    for movement in reversed(movements):
        other.add(movement)
    said = {moment: one.at(moment) for moment in asked}
    assert said == {moment: other.at(moment) for moment in reversed(asked)}


@given(SALARIES, HABITS, MOMENTS, st.integers(1, 90_000))
def test_a_payment_takes_exactly_its_amount_at_its_moment(
    salary: Salary | None, spending: Spending | None, asked: list[datetime], minor: int
) -> None:
    at = asked[0] + timedelta(seconds=1)
    with_payment, without = a_life(salary, spending), a_life(salary, spending)
    with_payment.add(Movement(at, -minor, "m"))
    assert with_payment.at(at) == without.at(at) - minor
    before = at - timedelta(seconds=1)
    assert with_payment.at(before) == without.at(before)


def test_without_salary_and_spending_the_balance_stands_still() -> None:
    life = a_life(None, None)
    assert {life.at(BORN + timedelta(days=day)) for day in (-1, 0, 1, 400)} == {40_000}


def test_a_salary_arrives_at_its_local_hour_also_across_the_change_of_clocks() -> None:
    salary = Salary(200_000, day=30, hour=7, minute=30)
    life = a_life(salary, None)
    winter = datetime(2026, 1, 30, 7, 30, tzinfo=MADRID).astimezone(UTC)
    summer = datetime(2026, 3, 30, 7, 30, tzinfo=MADRID).astimezone(UTC)
    assert (winter.hour, summer.hour) == (6, 5)
    for payday in (winter, summer):
        assert life.at(payday) - life.at(payday - timedelta(seconds=1)) == 200_000


def test_a_payday_moves_off_the_weekend_as_agreed() -> None:
    # 1 March 2026 is a Sunday.
    first = datetime(2026, 3, 1, tzinfo=UTC).date()
    for weekend, day in ((Weekend.BEFORE, 27), (Weekend.AFTER, 2), (Weekend.SAME, 1)):
        found = paydays(Salary(1, day=1, weekend=weekend), MADRID, first, Chance(1))
        assert [at.astimezone(MADRID).day for at in found] == [day]


def test_spending_leaves_what_is_kept_back_by_payday() -> None:
    life = a_life(Salary(200_000, day=28), Spending(base_minor=3_000, rent_share=35))
    payday = datetime(2026, 3, 27, 7, 5, tzinfo=MADRID).astimezone(UTC)
    assert abs(life.at(payday - timedelta(minutes=1)) - 3_000) < 3_000
    falling = [life.at(payday + timedelta(hours=hours)) for hours in range(0, 24 * 25, 6)]
    assert falling == sorted(falling, reverse=True)
    assert falling[0] > 190_000


def test_a_bill_leaves_each_month_on_its_day_while_it_is_covered() -> None:
    bills = (Bill(4_250, day=10), Bill(900_000, day=12))
    life = a_life(Salary(200_000, day=28), Spending(base_minor=3_000, bills=bills))
    left = [
        at.astimezone(MADRID)
        for at, minor in moved(life, BORN, BORN + timedelta(days=120))
        if minor == -4_250
    ]
    # 10 May 2026 is a Sunday. Nobody has 9,000 euros.
    days = [(at.month, at.day, at.hour) for at in left]
    assert days == [(2, 10, 6), (3, 10, 6), (4, 10, 6), (5, 11, 6)]
    assert min(minor for _, minor in moved(life, BORN, BORN + timedelta(days=120))) > -100_000


def test_a_replayed_account_repeats_its_history_and_takes_payments() -> None:
    days = [(BORN + timedelta(days=day), 1_000 * day) for day in range(5)]
    life: Life = ReplayedLife(days)
    assert life.at(BORN + timedelta(days=2, hours=5)) == 2_000
    life.add(Movement(BORN + timedelta(days=3, hours=1), -250, "m"))
    assert life.at(BORN + timedelta(days=3)) == 3_000
    assert life.at(BORN + timedelta(days=30)) == 3_750
    assert life.changed_at(BORN + timedelta(days=3, hours=2)) == BORN + timedelta(days=3, hours=1)
