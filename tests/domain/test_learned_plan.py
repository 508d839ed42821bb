"""The learned plan: on the likely day, at the likely hour, and never against a rule."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.income import DAY, IncomeProfile, Seen, minute_of
from app.domain.income_learning import learn, look_ahead
from app.domain.learned_plan import (
    SPREAD,
    Awaited,
    LearnedPlan,
    LearnedRules,
    next_learned_read,
)
from app.domain.read_planner import UNATTENDED_WINDOW, PlanQuestion, PlanReason

SPACE = UUID("00000000-0000-7000-8000-00000000feed")
BEGINS = date(2026, 1, 1)
SALARY = 150_000
HOUR = timedelta(hours=1)


@cache
def salaried(days: int = 121, payday: int = 12, hour: int = 7) -> IncomeProfile:
    """Read every day up to the first of May; the salary came at ten past the hour."""
    seen = []
    for number in range(days):
        day = BEGINS + timedelta(days=number)
        since = minute_of(day)
        came = day.day == payday
        when = since + hour * 60 + 10 if came else None
        seen.append(Seen(since, since + DAY, SALARY if came else 0, 4_500, when))
    return learn(look_ahead(IncomeProfile(), BEGINS), seen)


def ask(now: datetime, number: int = 1, **changes: Any) -> PlanQuestion:
    base = PlanQuestion(uuid5(SPACE, str(number)), now, "UTC", time(5), time(22))
    return replace(base, **changes)


def awaited(since: datetime, price: float = 1.0, balance: int | None = 20_000) -> Awaited:
    return Awaited(100_000, balance, since, since, price)


def plan(now: datetime, price: float = 1.0, **changes: Any) -> LearnedPlan:
    return next_learned_read(ask(now, **changes), salaried(), awaited(now, price))


MAY = datetime(2026, 5, 2, 9, tzinfo=UTC)


def test_the_payday_is_read_at_its_hour_and_says_why() -> None:
    found = plan(MAY)
    assert found.at is not None
    assert found.at.date() == date(2026, 5, 12)
    assert time(7, 30) <= found.at.time() <= time(8)
    assert found.reason is PlanReason.INCOME
    assert found.odds > 0.55
    assert found.because == f"{found.odds:.0%} that money for what is due is there by then."


def test_what_a_read_costs_decides_how_often() -> None:
    cheap, dear = plan(MAY, price=0.0).at, plan(MAY, price=20.0).at
    assert cheap is not None
    assert dear is not None
    assert cheap.date() == MAY.date()  # for nothing every read of the day is taken
    assert dear.date() >= date(2026, 5, 12)


def test_an_account_that_nobody_knows_is_read_all_the_same() -> None:
    new = look_ahead(IncomeProfile(), MAY.date())
    found = next_learned_read(ask(MAY), new, awaited(MAY, balance=None))
    assert found.at is not None
    assert MAY < found.at <= MAY + timedelta(days=14)
    # So is one whose profile was laid out long ago, or never.
    for old in (salaried(), IncomeProfile()):
        late = MAY + timedelta(days=300)
        for blind in (0, 1, 13, 60, 290):
            waits = awaited(late - timedelta(days=blind))
            at = next_learned_read(ask(late), old, waits, rules=LearnedRules(blind_days=3)).at
            assert at is not None
            assert late < at <= late + timedelta(days=3)


def test_money_that_was_enough_until_now_lacks_little_however_long_ago_it_was_read() -> None:
    needed, small = 250_000, replace(salaried(), small=30, small_minor=30 * 40_000)
    long_ago = MAY - timedelta(days=90)
    gone = Awaited(needed, needed + 5_000, long_ago, MAY, 1.0)
    below = Awaited(needed, needed, MAY, MAY, 1.0)
    spent = replace(gone, balance_minor=needed - 1)
    plans = [next_learned_read(ask(MAY), small, one) for one in (gone, below, spent)]
    assert plans[0] == plans[1] != plans[2]
    assert plans[0].odds > plans[2].odds


def test_nothing_likely_is_still_looked_at_and_says_so() -> None:
    never = replace(salaried(), ahead=(0.0001,) * 60)
    rules = LearnedRules(blind_days=5)
    for number in range(10):
        found = next_learned_read(ask(MAY, number), never, awaited(MAY, price=30.0), rules=rules)
        assert found.at is not None
        assert MAY + timedelta(days=2) < found.at <= MAY + timedelta(days=5)
        assert found.reason is PlanReason.BLIND
        assert found.because == "No account goes unread for longer than 5 days."


def test_brakes_come_first_and_a_consent_that_ends_ends_it() -> None:
    down = MAY + timedelta(days=12)
    found = plan(MAY, bank_down_until=down)
    assert found.at is not None
    assert found.at >= down
    back = {plan(MAY, account_id=uuid5(SPACE, f"{n}"), bank_down_until=down).at for n in range(50)}
    assert len(back) == 50
    assert plan(MAY, window_ends_at=MAY + timedelta(days=2)).at is None
    assert plan(MAY, failures=1, attempts=(MAY,)).at >= MAY + HOUR  # type: ignore[operator]


def test_maintenance_is_waited_for() -> None:
    rest = datetime(2026, 5, 12, 7, tzinfo=UTC), datetime(2026, 5, 12, 8, 30, tzinfo=UTC)
    found = plan(MAY, resting=(rest,)).at
    assert found is not None
    assert rest[1] <= found <= rest[1] + SPREAD


def test_accounts_of_one_payday_do_not_arrive_at_once() -> None:
    at = [next_learned_read(ask(MAY, number), salaried(), awaited(MAY)).at for number in range(200)]
    minutes = [one.replace(second=0, microsecond=0) for one in at if one is not None]
    assert len(minutes) == 200
    assert max(minutes.count(one) for one in minutes) < 20
    assert max(minutes) - min(minutes) <= SPREAD


@pytest.mark.parametrize(("accounts", "rounds", "most"), [(10_000, 1, 0.03), (500, 3, 0.08)])
def test_accounts_that_nobody_knows_are_no_burst_for_their_bank(
    accounts: int, rounds: int, most: float
) -> None:
    """Opened within ten minutes, read as planned, and nothing comes: the fullest half hour."""
    new, looks = look_ahead(IncomeProfile(), MAY.date()), Counter[int]()
    for number in range(accounts):
        now = MAY + timedelta(seconds=number * 600 / accounts)
        for _ in range(rounds):
            at = next_learned_read(ask(now, number), new, awaited(now)).at
            assert at is not None
            looks[int(at.timestamp()) // 1800] += 1
            now = at
    assert max(looks.values()) < most * accounts


def test_hours_that_are_not_known_spread_reads_over_the_day_and_known_ones_do_not() -> None:
    unknown = replace(salaried(), half_hours=(0.0,) * 48)
    for profile, least, most in ((salaried(), 0, 1), (unknown, 5, 8)):
        plans = [next_learned_read(ask(MAY, n), profile, awaited(MAY)).at for n in range(100)]
        times = [at.hour + at.minute / 60 for at in plans if at is not None]
        assert {at.date() for at in plans if at is not None} == {date(2026, 5, 12)}
        assert all(5 <= at <= 22 for at in times)
        assert least <= max(times) - min(times) <= most


def test_one_read_of_the_day_is_left_for_the_last_look() -> None:
    for reserve in (0, 1, 2):
        now, attempts = MAY, list[datetime]()
        for _ in range(30):
            question = ask(now, attempts=tuple(attempts))
            rules = LearnedRules(reserve=reserve)
            at = next_learned_read(question, salaried(), awaited(now, 0.0), rules=rules).at
            assert at is not None
            attempts.append(at)
            now = at
        most = max(
            sum(timedelta(0) <= later - one < UNATTENDED_WINDOW for later in attempts)
            for one in attempts
        )
        assert most == 4 - reserve
    with pytest.raises(ValueError, match="kept back"):
        LearnedRules(reserve=4)


profiles = st.builds(
    salaried, st.sampled_from([0, 31, 121]) .filter(bool), st.sampled_from([1, 12, 31]),
    st.sampled_from([1, 7, 16]),
)  # fmt: skip


@given(
    profiles,
    st.integers(0, 60 * 24 * 60),
    st.floats(0, 30),
    st.integers(-50_000, 200_000) | st.none(),
    st.integers(1, 20),
    st.integers(1, 4),
    st.sampled_from([(time(5), time(22)), (time(0), time(0)), (time(22), time(6))]),
)
def test_never_above_the_allowance_never_blind_for_long_and_always_the_same(
    profile: IncomeProfile,
    minutes: int,
    price: float,
    balance: int | None,
    blind_days: int,
    per_day: int,
    booking: tuple[time, time],
) -> None:
    now = MAY + timedelta(minutes=minutes)
    rules = LearnedRules(blind_days=blind_days)
    attempts: list[datetime] = []
    for _ in range(12):
        question = ask(
            now,
            attempts=tuple(attempts),
            reads_per_day=per_day,
            booking_from=booking[0],
            booking_until=booking[1],
        )
        waits = awaited(now, price, balance)
        found = next_learned_read(question, profile, waits, rules=rules)
        assert found == next_learned_read(question, profile, waits, rules=rules)
        assert found.at is not None
        assert 0 <= found.odds <= 1
        assert now < found.at <= now + max(timedelta(days=blind_days), timedelta(hours=33))
        attempts.append(found.at)
        now = found.at
    for one in attempts:
        within = [at for at in attempts if timedelta(0) <= at - one < UNATTENDED_WINDOW]
        assert len(within) <= max(per_day - 1, 1)
