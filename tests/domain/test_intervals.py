"""Time as sets: unions by example and by property, days counted across changes of the clock."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.intervals import Span, days_touched, union

MADRID = ZoneInfo("Europe/Madrid")
START = datetime(2026, 3, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)

hours = st.integers(0, 24 * 20)
spans = st.builds(
    lambda begin, length: Span(
        START + begin * HOUR, None if length is None else START + (begin + length) * HOUR
    ),
    hours,
    st.none() | st.integers(-5, 100),
)
many = st.lists(spans, max_size=8)


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2026, 3, number, hour, tzinfo=MADRID)


@given(many)
def test_a_union_is_in_order_apart_and_its_own_union(given_: list[Span]) -> None:
    joined = union(given_)
    assert union(joined) == joined
    for before, after in itertools.pairwise(joined):
        assert before.end is not None
        assert before.end < after.start


@given(many, hours)
def test_a_moment_is_in_the_union_when_it_is_in_any(given_: list[Span], at: int) -> None:
    moment = START + at * HOUR
    assert any(moment in one for one in union(given_)) == any(moment in one for one in given_)


@given(many, st.randoms())
def test_the_order_does_not_matter_and_saying_it_twice_adds_nothing(
    given_: list[Span], dice: object
) -> None:
    shuffled = list(given_)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert union(shuffled) == union(given_) == union([*given_, *given_])


def slowly(given_: Sequence[Span], after: date, upto: date) -> int:
    """Every day asked by every hour of it; spans here begin and end on whole hours."""
    counted = 0
    for ahead in range(1, (upto - after).days + 1):
        on = after + timedelta(days=ahead)
        begins = datetime(on.year, on.month, on.day, tzinfo=MADRID).astimezone(UTC)
        tomorrow = on + timedelta(days=1)
        ends = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=MADRID).astimezone(UTC)
        asked = [begins + n * HOUR for n in range(int((ends - begins) / HOUR))]
        counted += any(at in one for at in asked for one in given_)
    return counted


@given(many, st.integers(0, 25), st.integers(0, 25))
def test_days_are_those_of_a_slow_count(given_: list[Span], first: int, length: int) -> None:
    after = START.date() + timedelta(days=first - 3)
    upto = after + timedelta(days=length)
    assert days_touched(given_, MADRID, after=after, upto=upto) == slowly(given_, after, upto)


@given(many, spans)
def test_another_span_never_takes_days_away(given_: list[Span], one: Span) -> None:
    after, upto = date(2026, 3, 18), date(2026, 4, 12)
    before = days_touched(given_, MADRID, after=after, upto=upto)
    more = days_touched([*given_, one], MADRID, after=after, upto=upto)
    assert before <= more <= (upto - after).days


@pytest.mark.parametrize(
    ("begin", "end", "counted"),
    [
        (day(10, 9), day(10, 10), 1),
        (day(10, 9), day(11), 1),
        (day(10, 9), day(11, 1), 2),
        (day(10), day(10), 0),
        (day(1), day(5), 0),
        (day(28, 23), day(30), 2),  # the short day, when the clock leaps
        (day(30), None, 2),
    ],
)
def test_days_by_example(begin: datetime, end: datetime | None, counted: int) -> None:
    one = [Span(begin, end)]
    assert days_touched(one, MADRID, after=date(2026, 3, 5), upto=date(2026, 3, 31)) == counted
