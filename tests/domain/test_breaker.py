"""The breaker: many people in trouble open it, one person never does, a single call closes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.domain.breaker import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MANY,
    PROBE_LASTS,
    WINDOW,
    Breaker,
    BreakerState,
    Heard,
    hear,
    pause_after,
    take_probe,
)

NOW = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
PEOPLE = [UUID(int=number) for number in range(12)]


def trouble(*people: int, fine: int = 0) -> Heard:
    return Heard(fine, len(people), frozenset(PEOPLE[one] for one in people), "HTTP 503")


def opened() -> Breaker:
    return hear(Breaker(), trouble(*range(MANY)), NOW)


def test_many_people_at_once_are_an_outage() -> None:
    assert hear(Breaker(), trouble(*range(MANY - 1)), NOW).state is BreakerState.CLOSED
    after = opened()
    assert after.state is BreakerState.OPEN
    assert after.until == NOW + FIRST_PAUSE


def test_many_people_one_after_another_are_an_outage_too() -> None:
    breaker = Breaker()
    for number in range(MANY):
        assert not breaker.down
        breaker = hear(breaker, trouble(number), NOW + number * timedelta(minutes=10))
    assert breaker.down


def test_what_lies_too_far_apart_is_not_one_trouble() -> None:
    breaker = Breaker()
    for number in range(10):
        breaker = hear(breaker, trouble(number), NOW + number * (WINDOW / 3))
        assert not breaker.down


@given(st.lists(st.integers(0, 600), max_size=60))
def test_one_person_never_opens_it_however_often_he_fails(minutes: list[int]) -> None:
    breaker, now = Breaker(), NOW
    for wait in minutes:
        now += timedelta(minutes=wait)
        breaker = hear(breaker, trouble(0), now)
        assert not breaker.suspected


def test_somebody_answered_in_between_clears_everybody() -> None:
    breaker = hear(Breaker(), trouble(0, 1, 2, 3), NOW)
    assert breaker.suspected
    assert hear(breaker, Heard(fine=1), NOW) == Breaker()


def test_a_bank_that_answers_half_is_no_outage_and_yet_nobodys_fault() -> None:
    half = trouble(*range(6), fine=6)
    assert hear(Breaker(), half, NOW) == Breaker()
    assert half.many_at_once
    assert not trouble(*range(6), fine=200).many_at_once
    assert hear(Breaker(), trouble(*range(6), fine=5), NOW).down


def test_one_probe_at_a_time_and_none_before_the_pause_is_over() -> None:
    breaker = opened()
    assert take_probe(Breaker(), NOW) is None
    assert take_probe(breaker, NOW) is None
    later = NOW + FIRST_PAUSE
    probing = take_probe(breaker, later)
    assert probing is not None
    assert probing.state is BreakerState.HALF_OPEN
    assert take_probe(probing, later) is None
    again = take_probe(probing, later + PROBE_LASTS)
    assert again is not None, "the first was lost with its process"


def test_the_pause_grows_with_each_probe_that_fails_and_ends_with_one_that_does_not() -> None:
    breaker, now, pauses = opened(), NOW, []
    for _ in range(8):
        assert breaker.until is not None
        pauses.append(breaker.until - now)
        now = breaker.until
        probing = take_probe(breaker, now)
        assert probing is not None
        breaker = hear(probing, trouble(0), now)
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE == pause_after(10_000)
    assert hear(breaker, Heard(fine=1), now) == Breaker(), "a call that somebody made himself"


def test_late_failures_of_the_same_outage_make_no_pause_longer() -> None:
    breaker = opened()
    assert hear(breaker, trouble(7, 8), NOW + timedelta(seconds=5)) == breaker


def test_somebodys_own_call_after_the_pause_finds_out_too() -> None:
    breaker, later = opened(), NOW + 2 * FIRST_PAUSE
    after = hear(breaker, trouble(9), later)
    assert (after.state, after.pauses, after.until) == (
        BreakerState.OPEN, 2, later + 2 * FIRST_PAUSE,
    )  # fmt: skip


def test_where_nobody_asks_any_more_nobody_says_that_it_is_down() -> None:
    breaker = opened()
    assert breaker.until is not None
    assert breaker.lately_down(NOW)
    assert breaker.lately_down(breaker.until + WINDOW)
    assert not breaker.lately_down(breaker.until + WINDOW + timedelta(seconds=1))
    assert not Breaker().lately_down(NOW)


@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(0, 8), st.sets(st.integers(0, 11))), max_size=40
    )
)
def test_it_is_down_exactly_while_it_has_an_end_and_any_good_batch_closes_it(
    batches: list[tuple[int, int, set[int]]],
) -> None:
    breaker, now = Breaker(), NOW
    for wait, fine, people in batches:
        now += timedelta(minutes=wait)
        breaker = take_probe(breaker, now) or breaker
        heard = trouble(*people, fine=fine)
        breaker = hear(breaker, heard, now)
        assert breaker.down == (breaker.until is not None) == (breaker.pauses > 0)
        assert len(breaker.suspects) < MANY
        if heard.works:
            assert breaker == Breaker()
        if breaker.until is not None:
            assert breaker.until <= now + LONGEST_PAUSE
