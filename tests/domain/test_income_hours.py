"""Hours are found where the brackets of several incomes meet, and closed in on while unknown."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.income import DAY, IncomeProfile, Seen, minute_of
from app.domain.income_hours import KEPT, Bracket, kept_with, lay_out, sharpness
from app.domain.income_learning import learn, look_ahead
from app.domain.learned_plan import Awaited, next_learned_read
from app.domain.read_choice import keenness
from app.domain.read_hours import SLOTS
from app.domain.read_planner import UNATTENDED_WINDOW, PlanQuestion

HOUR = 60
BEGINS = date(2026, 1, 1)
ACCOUNT = UUID("00000000-0000-7000-8000-00000000c10c")
SALARY = 150_000

brackets = st.tuples(st.integers(0, DAY - 1), st.integers(1, DAY - 1))


def held(counts: list[float], begin: int, end: int) -> float:
    """The share of all that lies between two hours of the day."""
    return sum(counts[begin * 2 : end * 2]) / sum(counts)


def test_what_wide_brackets_have_in_common_is_the_hour() -> None:
    wide = [(0, 8 * HOUR), (6 * HOUR, 8 * HOUR), (2 * HOUR, 6 * HOUR)]
    assert held(lay_out(wide[:1]), 6, 8) < 0.5
    assert held(lay_out(wide), 6, 8) > 0.9
    # Round midnight as well.
    late = [(20 * HOUR, 8 * HOUR), (23 * HOUR, 9 * HOUR), (17 * HOUR, 8 * HOUR)]
    counts = lay_out(late)
    assert held(counts, 23, 24) + held(counts, 0, 1) > 0.9


def test_two_employers_make_two_peaks() -> None:
    counts = lay_out([(6 * HOUR, 30), (16 * HOUR, 60)] * 3)
    assert held(counts, 6, 7) == pytest.approx(0.5, abs=0.05)
    assert held(counts, 16, 17) == pytest.approx(0.5, abs=0.05)


@given(st.lists(brackets, max_size=KEPT))
def test_each_income_counts_by_what_its_bracket_rules_out(found: list[Bracket]) -> None:
    counts = lay_out(found)
    assert len(counts) == SLOTS
    assert min(counts) >= 0
    assert sum(counts) == pytest.approx(sum(1 - length / DAY for _, length in found))


@given(st.lists(brackets, max_size=40))
def test_no_more_than_the_last_brackets_are_kept_and_a_wide_one_drives_none_out(
    found: list[Bracket],
) -> None:
    kept: tuple[Bracket, ...] = ((12 * HOUR, 10),)
    for one in found:
        before, kept = kept, kept_with(kept, one)
        assert len(kept) <= KEPT
        assert kept == before or kept[-1] == one
        assert kept_with(kept, (one[0], DAY - 1)) in (kept, (*kept, (one[0], DAY - 1))[-KEPT:])
    sharp = ((12 * HOUR, 10),)
    assert kept_with(sharp, (8 * HOUR, 8 * HOUR)) == sharp
    assert kept_with(sharp, (13 * HOUR, 8 * HOUR)) == (*sharp, (13 * HOUR, 8 * HOUR))
    assert kept_with(sharp, sharp[0]) == sharp * 2


def test_a_day_on_which_income_hardly_comes_does_not_widen_its_bracket() -> None:
    seen = []
    for number in range(160):
        day = BEGINS + timedelta(days=number)
        since = minute_of(day)
        seen.append(Seen(since, since + DAY, SALARY if day.day == 12 else 0))
    known = learn(look_ahead(IncomeProfile(), BEGINS), seen)
    assert known.brackets == ()
    at = minute_of(date(2026, 6, 12))
    calm = learn(known, [Seen(minute_of(date(2026, 6, 10)), at - 4 * HOUR, 0)])
    told = learn(calm, [Seen(at - 4 * HOUR, at + 9 * HOUR, SALARY)])
    assert told.brackets == ((0, 9 * HOUR),)
    # Over weeks no hour is told, and nothing fails.
    assert learn(known, [Seen(at, at + 40 * DAY, SALARY)]).brackets == ()


def test_what_a_read_teaches_counts_while_the_hour_is_unknown_and_then_no_more() -> None:
    assert keenness(()) > 5
    few = [keenness(((7 * HOUR, 30),) * count) for count in range(5)]
    assert few == sorted(few, reverse=True)
    assert few[-1] == 1
    # Looks that lie far apart teach little, so that they leave much to be learned.
    assert sharpness(((0, 16 * HOUR),) * KEPT) < 1 < keenness(((0, 16 * HOUR),) * KEPT)


def lived_on(hour: float, months: int) -> tuple[list[float], int]:
    """An account paid on the 12th at this hour, read as planned and by balances alone.

    Gives the hours until each payday was seen, and the most reads in 24 hours.
    """
    profile, begins = look_ahead(IncomeProfile(), BEGINS), datetime.combine(BEGINS, time(), UTC)
    now, attempts, waited = begins, list[datetime](), list[float]()
    while (now - begins).days < 31 * months:
        near = tuple(one for one in attempts if now - one < 2 * UNATTENDED_WINDOW)
        question = PlanQuestion(ACCOUNT, now, "UTC", time(), time(), attempts=near)
        awaited = Awaited(SALARY, 10_000, now, now, 0.01)
        at = next_learned_read(question, profile, awaited).at
        assert at is not None
        attempts.append(at)
        on = at.date() if at.day >= 12 else at.date().replace(day=1) - timedelta(days=1)
        paid = datetime.combine(on.replace(day=12), time(), UTC) + timedelta(hours=hour)
        since, until = ((one - begins) // timedelta(minutes=1) for one in (now, at))
        came = now <= paid < at
        since, until = (minute_of(BEGINS, minute) for minute in (since, until))
        profile = look_ahead(learn(profile, [Seen(since, until, SALARY if came else 0)]), at.date())
        if came:
            waited.append((at - paid) / timedelta(hours=1))
        now = at
    most = max(sum(timedelta(0) <= a - b < UNATTENDED_WINDOW for a in attempts) for b in attempts)
    return waited, most


@pytest.mark.parametrize("hour", [0.6, 6.3, 12.2, 16.7, 22.9])
def test_a_new_account_finds_its_hour_by_its_own_reads(hour: float) -> None:
    waited, most = lived_on(hour, 10)
    assert max(waited[6:]) <= 2
    assert most <= 3
