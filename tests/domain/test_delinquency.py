"""How late a loan was on any day: buckets, money undone, days that froze, and moves of a book."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.delinquency import (
    Buckets,
    MoneyIn,
    Move,
    Part,
    end_of,
    lateness_on,
    parts_on,
    roll_of,
)
from app.domain.errors import Invalid
from app.domain.intervals import Span

MADRID = ZoneInfo("Europe/Madrid")
START = date(2026, 1, 10)
DAY = timedelta(days=1)
USUAL = Buckets.parse("1-30, 31-60, 61-90, 91+")


def noon(day: int) -> datetime:
    on = START + day * DAY
    return datetime(on.year, on.month, on.day, 12, tzinfo=MADRID)


# ------------------------------------------------------------------ buckets


@pytest.mark.parametrize(
    ("days", "name"),
    [(-3, "current"), (0, "current"), (1, "1-30"), (30, "1-30"), (31, "31-60"), (90, "61-90"),
     (91, "91+"), (4000, "91+")],
)  # fmt: skip
def test_the_usual_buckets(days: int, name: str) -> None:
    assert USUAL.name_of(days) == name


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1-30, 32-60, 61+", "days 31 to 31 lie in none"),
        ("2-30, 31+", "days 1 to 1 lie in none"),
        ("1-30, 30-60, 61+", "overlaps"),
        ("1-30, 31-20, 21+", "overlaps"),
        ("0-30, 31+", "overlaps"),
        ("1-30, 31-60", "has an end"),
        ("1+, 2+", "nothing can follow"),
        ("1-30; 31+", "is not like"),
        ("", "is not like"),
        ("soon", "is not like"),
    ],
)
def test_buckets_with_a_gap_or_an_overlap_are_refused(text: str, problem: str) -> None:
    with pytest.raises(Invalid, match=problem):
        Buckets.parse(text)


@given(st.lists(st.integers(1, 60), max_size=6), st.integers(-5, 400))
def test_every_day_lies_in_exactly_one_bucket(lengths: list[int], days: int) -> None:
    first, parts = 1, []
    for length in lengths:
        parts.append(f"{first}-{first + length - 1}")
        first += length
    made = Buckets.parse(", ".join([*parts, f"{first}+"]))
    inside = [
        one for one in made.all if one.first <= days and (one.last is None or days <= one.last)
    ]
    assert len(inside) == (1 if days >= 1 else 0)
    assert made.of(days) == (inside[0] if inside else None)


# ------------------------------------------------------------------ money as of a day

schedules = st.lists(st.integers(1, 500), min_size=1, max_size=6).map(
    lambda amounts: [
        Part(number, START + 30 * number * DAY, amount, 0)
        for number, amount in enumerate(amounts, start=1)
    ]
)
# (day it came, how much, days until it was sent back; None: never)
payments = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 400), st.none() | st.integers(0, 60)),
    max_size=8,
)


def fill(parts: list[Part], total: int) -> list[Part]:
    """Money in all, put on the oldest due first."""
    filled = []
    for part in parts:
        put = min(part.amount_minor, total)
        total -= put
        filled.append(Part(part.number, part.due_on, part.amount_minor, put))
    return filled


def kept(money: list[tuple[int, int, int | None]], day: int) -> int:
    """What had come by a day and was not sent back by then."""
    return sum(
        amount
        for came, amount, back in money
        if came <= day and (back is None or came + back > day)
    )


@given(schedules, payments, st.integers(-5, 280))
def test_the_book_of_a_past_day_is_what_it_was_on_that_day(
    schedule: list[Part], money: list[tuple[int, int, int | None]], day: int
) -> None:
    # Money beyond the whole debt is applied by nobody; the story stays below it.
    whole = sum(part.amount_minor for part in schedule)
    story: list[tuple[int, int, int | None]] = []
    for one in money:
        if sum(amount for _, amount, _ in story) + one[1] <= whole:
            story.append(one)
    today = fill(schedule, kept(story, 10_000))
    facts = [
        MoneyIn(noon(came), amount, None if back is None else noon(came + back))
        for came, amount, back in story
    ]
    then = parts_on(today, facts, START + day * DAY, MADRID)
    assert list(then) == fill(schedule, kept(story, day))


def test_what_happened_in_the_last_minute_of_a_day_belongs_to_it() -> None:
    last = end_of(START, MADRID) - timedelta(microseconds=1)
    part = Part(1, START - 9 * DAY, 100, 100)
    for paid_at, left in ((last, 0), (last + timedelta(microseconds=1), 100)):
        (then,) = parts_on([part], [MoneyIn(paid_at, 100)], START, MADRID)
        assert then.left_minor == left


# ------------------------------------------------------------------ lateness


def test_a_due_date_is_not_late_and_the_day_after_is_one_day() -> None:
    part = Part(1, START, 100, 40)
    on_it = lateness_on([part], [], [], START, MADRID)
    assert (on_it.days_since_due, on_it.overdue_minor, on_it.outstanding_minor) == (0, 0, 60)
    after = lateness_on([part], [], [], START + DAY, MADRID)
    assert (after.days_since_due, after.overdue_minor, after.oldest_due_on) == (1, 60, START)


def test_a_part_payment_that_clears_the_oldest_moves_the_count() -> None:
    parts = [Part(1, START, 100, 100), Part(2, START + 30 * DAY, 100, 0)]
    money = [MoneyIn(noon(45), 100)]
    before = lateness_on(parts, money, [], START + 44 * DAY, MADRID)
    after = lateness_on(parts, money, [], START + 45 * DAY, MADRID)
    assert (before.days_past_due, after.days_past_due) == (44, 15)
    assert (before.overdue_minor, after.overdue_minor) == (200, 100)


def test_frozen_days_are_left_out_once_however_many_holds_there_are() -> None:
    part = Part(1, START, 100, 0)
    holds = [
        Span(noon(10), noon(20)),
        Span(noon(15), noon(25)),
        Span(noon(-50), noon(-40)),
        Span(noon(300), None),
    ]
    late = lateness_on([part], [], holds, START + 40 * DAY, MADRID, grace_days=5)
    assert late.days_since_due == 40
    assert late.days_frozen == 16
    assert late.days_past_due == 24
    assert late.days_delinquent == 19


spans = st.builds(
    lambda begin, length: Span(noon(begin), None if length is None else noon(begin + length)),
    st.integers(-30, 250),
    st.none() | st.integers(0, 60),
)


@given(schedules, st.lists(spans, max_size=4), spans, st.integers(0, 280), st.integers(0, 40))
def test_another_hold_never_makes_anybody_later(
    schedule: list[Part], holds: list[Span], one: Span, day: int, grace: int
) -> None:
    on = START + day * DAY
    before = lateness_on(schedule, [], holds, on, MADRID, grace_days=grace)
    after = lateness_on(schedule, [], [*holds, one], on, MADRID, grace_days=grace)
    assert 0 <= after.days_past_due <= before.days_past_due <= before.days_since_due
    assert 0 <= after.days_delinquent <= after.days_past_due
    assert after.days_since_due == before.days_since_due, "the plain count never freezes"


# ------------------------------------------------------------------ moves

cells = st.sampled_from(["current", "1-30", "31-60", "61-90", "91+"])
ends = cells | st.sampled_from(["paid", "closed", "written_off"])


@given(st.lists(st.builds(Move, cells, ends, st.integers(1, 50), st.integers(0, 9_000))))
def test_every_row_of_the_matrix_sums_to_all_its_loans(moves: list[Move]) -> None:
    roll = roll_of(moves, USUAL)
    for row in roll.rows:
        mine = [roll.share(row, column) for column in roll.columns]
        assert sum(one.loans for one in mine) == roll.totals(row).loans
        assert sum(one.minor for one in mine) == roll.totals(row).minor
        if roll.totals(row).loans:
            assert sum(one.of_loans for one in mine) == pytest.approx(1)
        if roll.totals(row).minor:
            assert sum(one.of_minor for one in mine) == pytest.approx(1)


def test_a_matrix_by_hand() -> None:
    roll = roll_of(
        [
            Move("1-30", "31-60", 1, 300),
            Move("1-30", "current", 3, 100),
            Move("current", "1-30", 1, 50),
            Move("paid", "current", 9, 0),
        ],
        USUAL,
    )
    assert roll.share("1-30", "31-60").of_loans == 0.25
    assert roll.share("1-30", "31-60").of_minor == 0.75
    assert roll.share("1-30", "91+").loans == 0
    assert roll.columns[-3:] == ("paid", "closed", "written_off")
