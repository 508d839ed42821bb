"""Incomes are learned from rows and from balances alike, and foretold with honest odds."""

from __future__ import annotations

import json
import random
from calendar import monthrange
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.income import AHEAD_DAYS, DAY, IncomeProfile, Seen, day_of, minute_of
from app.domain.income_forecast import Recurs, Stream, next_income, streams
from app.domain.income_learning import learn, look_ahead
from app.domain.income_seen import Row, between_balances, between_rows
from app.domain.read_hours import SLOTS, best_times, share_by, share_passed, shares_of

BEGINS = date(2026, 1, 1)
SALARY = 150_000


def lived(
    comes: Callable[[date], bool], days: int, *, at: int | None = None, begins: date = BEGINS
) -> IncomeProfile:
    """A profile of an account seen every day, with an income where `comes` says so."""
    seen = []
    for number in range(days):
        day = begins + timedelta(days=number)
        since = minute_of(day)
        came = comes(day)
        when = since + at if came and at is not None else None
        seen.append(Seen(since, since + DAY, SALARY if came else 0, 3_000, when))
    return learn(look_ahead(IncomeProfile(), begins), seen)


def last_working_day(day: date) -> bool:
    last = day.replace(day=monthrange(day.year, day.month)[1])
    return day == last - timedelta(days=max(last.weekday() - 4, 0))


def after_weekend(day: date) -> bool:
    """The tenth, or the Monday after it."""
    return (day.weekday() < 5 and day.day == 10) or (day.weekday() == 0 and day.day in (11, 12))


@pytest.mark.parametrize(
    ("comes", "days", "recurs"),
    [
        (lambda day: day.day == 12, 120, Recurs.MONTHLY),
        (lambda day: day.day in (5, 20), 120, Recurs.SEMI_MONTHLY),
        (lambda day: day.weekday() == 4, 120, Recurs.WEEKLY),
        (lambda day: day.toordinal() % 14 == 5, 120, Recurs.FORTNIGHTLY),
        (last_working_day, 190, Recurs.MONTH_END),
        (after_weekend, 210, Recurs.MONTHLY),
    ],
)
def test_a_rhythm_is_found_and_its_next_day_foretold(
    comes: Callable[[date], bool], days: int, recurs: Recurs
) -> None:
    profile = lived(comes, days)
    after = BEGINS + timedelta(days=days)
    expected = next(filter(comes, (after + timedelta(days=number) for number in range(60))))
    found = next_income(profile, after)
    assert found is not None
    assert found.likely_on == expected
    assert found.odds > 0.6
    assert day_of(found.earliest) <= expected <= day_of(found.latest)
    assert streams(profile)[0].recurs is recurs
    assert profile.usual_minor == SALARY


def test_of_days_that_are_about_as_likely_the_middle_one_is_named() -> None:
    hazards = (0.0, 0.0, 0.5, 0.66, 0.9, *(0.0,) * 10, 0.4)
    found = next_income(replace(lived(lambda day: day.day == 12, 30), ahead=hazards), BEGINS)
    assert found is not None
    first = lived(lambda day: day.day == 12, 30).ahead_from
    assert found.likely_on == first + timedelta(days=3)


@pytest.mark.parametrize("every", [7, 14])
def test_a_payday_of_the_week_that_comes_a_day_early_or_late_is_foretold_all_the_same(
    every: int,
) -> None:
    right = []
    for seed in range(6):
        chance = random.Random(seed)
        came = {
            BEGINS + timedelta(days=n + chance.randint(-1, 1)) for n in range(every, 300, every)
        }
        for days in range(7 * every + 3, 12 * every, every):
            profile = lived(lambda day: day in came, days)  # noqa: B023 - lived before the next
            found = next_income(profile, profile.ahead_from)
            assert found is not None
            coming = min(day for day in came if day >= profile.ahead_from)
            right.append(abs((found.likely_on - coming).days) <= 1)
    assert sum(right) > 0.78 * len(right)


def test_an_income_that_nothing_tells_has_no_rhythm() -> None:
    chance = random.Random(3)
    profile = lived(lambda _: chance.random() < 0.06, 150)
    assert streams(profile)[0].recurs is Recurs.IRREGULAR
    assert max(profile.ahead) < 0.4
    assert streams(IncomeProfile()) == (Stream(Recurs.IRREGULAR, 0, 0.0),)
    assert next_income(IncomeProfile(), BEGINS) is None
    hopeless = look_ahead(replace(IncomeProfile(), days=900.0), BEGINS)
    assert next_income(hopeless, BEGINS) is None


def test_a_late_income_becomes_likelier_and_one_that_came_is_over() -> None:
    drifting = {date(2026, m, 10 + (m * 3) % 4) for m in range(1, 7)}
    profile = lived(lambda day: day in drifting, 191)  # to the tenth of July, in vain
    ahead = dict(zip((profile.ahead_from + timedelta(days=n) for n in range(40)), profile.ahead,
                     strict=False))  # fmt: skip
    assert ahead[date(2026, 7, 12)] > ahead[date(2026, 8, 3)] > 0
    came = lived(lambda day: day in drifting or day == date(2026, 7, 9), 191)
    assert came.ahead[1] < ahead[date(2026, 7, 12)] / 2


def test_small_money_is_no_income_and_a_windfall_does_not_hide_the_next() -> None:
    profile = lived(lambda day: day.day == 12, 100)
    at = minute_of(profile.ahead_from)
    small = learn(profile, [Seen(at, at + DAY, SALARY // 5)])
    assert (small.incomes, small.small, small.small_minor) == (profile.incomes, 1, SALARY // 5)
    rich = learn(profile, [Seen(at, at + DAY, 50 * SALARY)])
    assert rich.usual_minor == 3 * SALARY
    assert learn(rich, [Seen(at + DAY, at + 2 * DAY, SALARY)]).incomes == rich.incomes + 1


def test_an_income_between_two_far_readings_is_laid_on_its_likely_day() -> None:
    profile = lived(lambda day: day.day == 12, 121)  # to the first of May
    since, until = minute_of(date(2026, 5, 2)), minute_of(date(2026, 5, 15))
    seen = learn(profile, [Seen(since, until, SALARY)])
    assert seen.last_on == date(2026, 5, 12)
    assert next_income(seen, date(2026, 5, 15)).likely_on == date(2026, 6, 12)  # type: ignore[union-attr]


def test_balances_tell_what_they_can() -> None:
    profile = lived(lambda day: day.day == 12, 100)
    start = minute_of(date(2026, 5, 1))

    def told(days: int, before: int, after: int) -> Seen | None:
        return between_balances(profile, start, start + days * DAY, before, after)

    spent = round(profile.spent_per_day * 5)
    assert told(5, 50_000, 190_000) == Seen(start, start + 5 * DAY, 140_000 + spent, 0)
    assert told(5, 50_000, 41_000) == Seen(start, start + 5 * DAY, 0, 9_000)
    # After three weeks a salary may have come and gone: only a clear rise says something.
    assert told(21, 50_000, 20_000) is None
    assert told(21, 50_000, 180_000) is not None


def test_rows_are_cut_into_days_and_keep_the_hour_of_the_largest() -> None:
    start = minute_of(BEGINS, 600)
    rows = [Row(start, -500), Row(start + 60, 900), Row(start + 70, 5000), Row(start + DAY, 300)]
    until = minute_of(BEGINS + timedelta(days=1), 720)
    first, second = between_rows(rows, start, until, timed=True)
    assert first == Seen(start, minute_of(BEGINS) + DAY, 5900, 500, start + 70)
    assert second == Seen(first.until, until, 300, 0, start + DAY)
    assert between_rows(rows, start, until, timed=False)[0].came_at is None


def test_hours_are_learned_exactly_and_from_readings_between() -> None:
    exact = lived(lambda day: day.day == 12, 200, at=7 * 60 + 10)
    assert exact.times[0] == (7 * 60 + 30,)
    assert exact.passed(7 * 60 + 30) - exact.passed(7 * 60) > 0.5
    # Two readings a day, at six and at nine: between them it comes.
    seen = []
    for number in range(200):
        day = minute_of(BEGINS + timedelta(days=number))
        came = (BEGINS + timedelta(days=number)).day == 12
        seen += [
            Seen(day - 15 * 60, day + 6 * 60, 0),
            Seen(day + 6 * 60, day + 9 * 60, SALARY if came else 0),
        ]
    told = learn(IncomeProfile(), seen)
    assert told.passed(9 * 60) - told.passed(6 * 60) > 0.5
    assert told.times[0] == (9 * 60,)


def test_times_of_a_day_are_the_best_for_their_number() -> None:
    counts = [0.0] * SLOTS
    counts[14], counts[31] = 5.0, 3.0
    shares = shares_of(counts, 1.0)
    times, waits = best_times(shares)
    assert times[1] == (15 * 30, 32 * 30)
    assert [len(one) for one in times] == [1, 2, 3, 4]
    assert list(waits) == sorted(waits, reverse=True)
    for minute in (0, 15, 440, 1439, 1440):
        assert share_passed(counts, 1.0, minute) == pytest.approx(share_by(shares, minute))
    # Six hours of a morning: three reads cut it about into thirds, no two and one more would.
    morning = tuple(1 / 12 if 12 <= slot < 24 else 0.0 for slot in range(SLOTS))
    first, second, last = best_times(morning)[0][2]
    assert max(first - 6 * 60, second - first, last - second) <= 150
    assert last == 12 * 60


stretches = st.lists(
    st.tuples(st.integers(1, 4 * DAY), st.integers(-50_000, 200_000), st.booleans()), max_size=25
)


@given(stretches)
def test_whatever_was_seen_odds_are_odds_and_a_profile_survives_its_text(
    lengths: list[tuple[int, int, bool]],
) -> None:
    at = minute_of(BEGINS)
    seen = []
    for length, moved, gap in lengths:
        seen.append(Seen(at, at + length, max(moved, 0), max(-moved, 0)))
        at += length + (DAY if gap else 0)
    profile = learn(look_ahead(IncomeProfile(), BEGINS), seen)
    assert len(profile.ahead) == AHEAD_DAYS
    assert all(0 <= hazard <= 0.97 for hazard in profile.ahead)
    assert sum(profile.weights) == pytest.approx(1, abs=1e-4)
    assert IncomeProfile.from_json(profile.to_json()) == profile
    # Learned at once or one by one, and again: the same but for rounding.
    assert learn(look_ahead(IncomeProfile(), BEGINS), seen) == profile


def test_a_text_that_is_no_profile_is_refused() -> None:
    for text in ("{}", IncomeProfile().to_json().replace('"weights":[', '"weights":[1,')):
        with pytest.raises(ValueError, match="profile"):
            IncomeProfile.from_json(text)


def as_before_brackets(profile: IncomeProfile, half_hours: list[float]) -> str:
    """The profile in the words of the version that counted half hours and kept no brackets."""
    values = json.loads(profile.to_json())
    del values["brackets"]
    return json.dumps({**values, "half_hours": half_hours, "times": [450, 960, 30, 1200]})


def test_a_profile_from_before_brackets_keeps_what_it_was_sure_of() -> None:
    now = lived(lambda day: day.day == 12, 200, at=7 * 60 + 10)
    counts = [0.0] * SLOTS
    counts[14] = 7.0
    before = IncomeProfile.from_json(as_before_brackets(now, counts))
    assert before.times[0] == (7 * 60 + 30,)
    assert before.brackets == ((7 * 60, 30),) * 7
    assert replace(before, brackets=(), half_hours=(), times=(), waits=()) == replace(
        now, brackets=(), half_hours=(), times=(), waits=()
    )
    assert IncomeProfile.from_json(before.to_json()) == before
    # What had been spread over all hours was never known, and is looked for anew.
    spread = IncomeProfile.from_json(as_before_brackets(now, [0.3] * SLOTS))
    assert spread.brackets == ()
    assert sum(spread.half_hours) == 0
    assert IncomeProfile.from_json(as_before_brackets(now, [0.0] * SLOTS)).brackets == ()
