"""Promises: what may be promised, when one is kept, and that money never makes it worse."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import Invalid, NotAllowed
from app.domain.money import Money
from app.domain.promise import PromiseState
from app.domain.promise_terms import (
    Known,
    Paid,
    Part,
    PromiseSource,
    check_parts,
    judge,
    recurring_day,
    refuse_after_unkept,
    reminder_days,
    suggest,
    tolerance_for,
    total_of,
)
from app.domain.stages import PromiseTerms

MON = date(2026, 3, 2)
KEPT, PART, BROKEN = PromiseState.KEPT, PromiseState.PART, PromiseState.BROKEN
DUE = Money(12_000, "EUR")
TERMS = PromiseTerms(max_days_ahead=31, max_parts=4, tolerance_basis_points=100)


def euros(minor: int) -> Money:
    return Money(minor, "EUR")


def part(day: int, minor: int) -> Part:
    return Part(MON + timedelta(days=day), euros(minor))


def paid(day: int, minor: int) -> Paid:
    return Paid(MON + timedelta(days=day), euros(minor))


# ------------------------------------------------------------------ limits


@pytest.mark.parametrize(
    ("parts", "field", "words"),
    [
        ([], "parts", "1 to 4"),
        ([part(day, 200) for day in range(1, 6)], "parts", "1 to 4"),
        ([part(-1, 5000)], "parts[0].due_on", "past"),
        ([part(32, 5000)], "parts[0].due_on", "2026-04-02"),
        ([part(1, 99)], "parts[0].amount", "too little"),
        ([part(1, 0)], "parts[0].amount", "too little"),
        ([part(1, -5000)], "parts[0].amount", "too little"),
        ([part(1, 12_001)], "parts", "120.00 EUR"),
        ([part(1, 7000), part(2, 5001)], "parts", "more than what is due"),
        ([part(1, 500), part(1, 600)], "parts", "same day"),
        ([Part(MON, Money(500, "USD"))], "parts[0].amount", "EUR"),
    ],
)
def test_terms_outside_the_limits_are_named(parts: list[Part], field: str, words: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_parts(parts, due=DUE, today=MON, terms=TERMS)
    assert refusal.value.field == field
    assert words in refusal.value.message


def test_parts_come_back_in_order_and_today_and_the_last_day_are_possible() -> None:
    parts = [part(31, 6000), part(0, 6000)]
    assert check_parts(parts, due=DUE, today=MON, terms=TERMS) == (parts[1], parts[0])


def test_a_debt_smaller_than_the_least_amount_may_be_promised_whole() -> None:
    due = euros(40)
    assert check_parts([part(1, 40)], due=due, today=MON, terms=TERMS)
    with pytest.raises(Invalid):
        check_parts([part(1, 39)], due=due, today=MON, terms=TERMS)


def test_a_strategy_may_want_a_share_of_the_debt() -> None:
    terms = PromiseTerms(min_share_basis_points=2_500)
    assert check_parts([part(1, 3_000)], due=DUE, today=MON, terms=terms)
    with pytest.raises(Invalid, match=r"30\.00 EUR"):
        check_parts([part(1, 2_999)], due=DUE, today=MON, terms=terms)


# ------------------------------------------------------------------ after a broken one


def test_a_broken_promise_blocks_machines_and_asks_collectors_why() -> None:
    for ended in ([BROKEN], [BROKEN, KEPT], [BROKEN, PART], [PART, PART]):
        for source in (PromiseSource.PAGE, PromiseSource.API):
            with pytest.raises(NotAllowed) as refusal:
                refuse_after_unkept(ended, source, "he swears")
            assert refusal.value.code == "PromiseBroken"
        with pytest.raises(Invalid):
            refuse_after_unkept(ended, PromiseSource.DESK, "  ")
        refuse_after_unkept(ended, PromiseSource.DESK, "his wages were late, seen the letter")
        refuse_after_unkept(ended, PromiseSource.IMPORT, "")


@pytest.mark.parametrize(
    "ended", [[], [KEPT], [PART], [KEPT, BROKEN], [PART, KEPT], [PART, BROKEN], [KEPT, PART]]
)
def test_who_kept_his_word_once_is_trusted_and_a_part_is_forgiven_once(
    ended: list[PromiseState],
) -> None:
    for source in PromiseSource:
        refuse_after_unkept(ended, source, "")


# ------------------------------------------------------------------ the verdict


@pytest.mark.parametrize(
    ("parts", "money", "today", "grace", "event", "wait", "missing"),
    [
        # One part: on the day, early, a day late, partly, not at all.
        ([part(4, 5000)], [], 4, 0, None, 5, 5000),
        ([part(4, 5000)], [], 5, 0, "break", None, 5000),
        ([part(4, 5000)], [paid(4, 5000)], 4, 0, "keep", None, 0),
        ([part(4, 5000)], [paid(1, 5000)], 2, 0, "keep", None, 0),
        ([part(4, 5000)], [paid(5, 5000)], 5, 0, "break", None, 5000),
        ([part(4, 5000)], [paid(3, 4000)], 4, 0, None, 5, 1000),
        ([part(4, 5000)], [paid(3, 4000)], 5, 0, "part_keep", None, 1000),
        ([part(4, 5000)], [paid(3, 9000)], 3, 0, "keep", None, 0),
        # Several payments add up; grace moves the deadline.
        ([part(4, 5000)], [paid(1, 2000), paid(3, 3000)], 3, 0, "keep", None, 0),
        ([part(4, 5000)], [], 6, 2, None, 7, 5000),
        ([part(4, 5000)], [paid(6, 5000)], 6, 2, "keep", None, 0),
        ([part(4, 5000)], [], 7, 2, "break", None, 5000),
        # Several parts: each deadline decides with what came until then.
        ([part(4, 5000), part(9, 5000)], [paid(4, 5000)], 5, 0, None, 10, 5000),
        ([part(4, 5000), part(9, 5000)], [paid(4, 5000)], 10, 0, "part_keep", None, 5000),
        ([part(4, 5000), part(9, 5000)], [paid(3, 10_000)], 3, 0, "keep", None, 0),
        ([part(4, 5000), part(9, 5000)], [paid(9, 10_000)], 9, 0, "break", None, 5000),
        ([part(9, 5000), part(4, 5000)], [paid(4, 5000), paid(9, 5000)], 9, 0, "keep", None, 0),
        # Within the tolerance of 50 cents.
        ([part(4, 5000)], [paid(4, 4950)], 4, 0, "keep", None, 0),
        ([part(4, 5000)], [paid(4, 4949)], 5, 0, "part_keep", None, 51),
    ],
)
def test_the_verdict(
    parts: list[Part],
    money: list[Paid],
    today: int,
    grace: int,
    event: str | None,
    wait: int | None,
    missing: int,
) -> None:
    ruling = judge(parts, money, MON + timedelta(days=today), grace_days=grace, tolerance=euros(50))
    assert ruling.event == event
    assert ruling.wait_until == (None if wait is None else MON + timedelta(days=wait))
    assert ruling.missing == euros(missing)


def test_the_tolerance_never_makes_a_whole_part_disappear() -> None:
    wide = PromiseTerms(tolerance_basis_points=2000)
    assert tolerance_for([part(1, 9900), part(2, 100)], wide) == euros(99)
    assert tolerance_for([part(1, 12_000)], TERMS) == euros(120)
    fixed = PromiseTerms(tolerance_basis_points=100, tolerance_minor=200)
    assert tolerance_for([part(1, 12_000)], fixed) == euros(200)
    assert tolerance_for([part(1, 30_000)], fixed) == euros(300)
    assert tolerance_for([part(1, 150)], fixed) == euros(149)
    assert tolerance_for([Part(MON, Money(1, "JPY"))], wide) == Money(0, "JPY")


PARTS = st.lists(
    st.builds(part, st.integers(0, 40), st.integers(1, 9_999)),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one.due_on,
)
MONEY = st.lists(st.builds(paid, st.integers(-5, 50), st.integers(1, 9_999)), max_size=6)
DAYS = st.integers(0, 60).map(lambda day: MON + timedelta(days=day))
GRACE = st.integers(0, 5)
RANK = {"break": 0, "part_keep": 1, None: 2, "keep": 3}


@given(PARTS, MONEY, DAYS, GRACE, st.integers(1, 9_999), st.integers(-5, 60))
def test_more_money_never_makes_it_worse(
    parts: list[Part], money: list[Paid], today: date, grace: int, more: int, on: int
) -> None:
    given_terms = {"grace_days": grace, "tolerance": euros(0)}
    before = judge(parts, money, today, **given_terms)  # type: ignore[arg-type]
    after = judge(parts, [*money, paid(on, more)], today, **given_terms)  # type: ignore[arg-type]
    assert RANK[after.event] >= RANK[before.event]


@given(PARTS, MONEY, DAYS, GRACE)
def test_nothing_is_broken_before_a_deadline_and_waiting_ends(
    parts: list[Part], money: list[Paid], today: date, grace: int
) -> None:
    ruling = judge(parts, money, today, grace_days=grace, tolerance=euros(0))
    first = min(one.due_on for one in parts) + timedelta(days=grace)
    last = max(one.due_on for one in parts) + timedelta(days=grace)
    if ruling.event in ("break", "part_keep"):
        assert today > first
        assert ruling.missing.minor > 0
    if ruling.event is None:
        assert ruling.wait_until is not None
        assert today < ruling.wait_until <= last + timedelta(days=1)
    if today > last:
        assert ruling.event is not None
    assert (ruling.event == "break") <= (not ruling.paid)


@given(PARTS, MONEY, DAYS, GRACE, st.integers(0, 30))
def test_without_new_money_a_verdict_stands_for_ever(
    parts: list[Part], money: list[Paid], today: date, grace: int, later: int
) -> None:
    known = [one for one in money if one.on <= today]
    first = judge(parts, known, today, grace_days=grace, tolerance=euros(0))
    again = judge(parts, known, today + timedelta(days=later), grace_days=grace, tolerance=euros(0))
    if first.event is not None:
        assert again.event == first.event


@given(PARTS, MONEY, DAYS, GRACE, st.randoms())
def test_the_order_in_which_money_was_reported_does_not_matter(
    parts: list[Part], money: list[Paid], today: date, grace: int, chance: object
) -> None:
    shuffled = list(money)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    terms = {"grace_days": grace, "tolerance": euros(0)}
    assert judge(parts, money, today, **terms) == judge(parts, shuffled, today, **terms)  # type: ignore[arg-type]


@given(PARTS, GRACE)
def test_paying_each_part_on_its_day_keeps_it(parts: list[Part], grace: int) -> None:
    money = [Paid(one.due_on, one.amount) for one in parts]
    last = max(one.due_on for one in parts)
    ruling = judge(parts, money, last, grace_days=grace, tolerance=euros(0))
    assert ruling.event == "keep"
    assert ruling.paid == total_of(parts)


# ------------------------------------------------------------------ reminders


def test_a_reminder_comes_before_each_part_unless_it_was_just_spoken_of() -> None:
    parts = [part(1, 100), part(5, 100), part(9, 100)]
    found = reminder_days(parts, made_on=MON, days_before=1)
    assert found == ((2, MON + timedelta(days=4)), (3, MON + timedelta(days=8)))
    assert reminder_days(parts, made_on=MON, days_before=10) == ()


# ------------------------------------------------------------------ the suggestion


def test_a_payday_that_readings_have_shown_goes_before_days_of_signals() -> None:
    seen = (date(2026, 1, 10), date(2026, 2, 10))
    known = Known(DUE, "ES", seen, income_on=MON + timedelta(days=4))
    found = suggest(known, MON, TERMS)
    assert found.on == MON + timedelta(days=5)
    assert f"Income is likeliest about {MON + timedelta(days=4):%-d %b}" in found.because
    late = suggest(replace(known, income_on=MON - timedelta(days=1)), MON, TERMS)
    assert late.on == MON + timedelta(days=1)
    assert suggest(replace(known, income_on=None), MON, TERMS).on != found.on


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([], None),
        ([date(2026, 1, 27)], None),
        ([date(2026, 1, 27), date(2026, 1, 28)], None),
        ([date(2026, 1, 27), date(2026, 2, 26)], 26),
        ([date(2026, 1, 5), date(2026, 1, 27), date(2026, 2, 27), date(2025, 12, 28)], 27),
        ([date(2026, 1, 5), date(2026, 2, 15)], None),
    ],
)
def test_a_payday_is_seen_in_two_months(days: list[date], expected: int | None) -> None:
    assert recurring_day(days) == expected


@pytest.mark.parametrize(
    ("country", "today", "seen", "on"),
    [
        ("ES", date(2026, 3, 3), (), date(2026, 4, 1)),
        ("ES", date(2026, 3, 31), (), date(2026, 4, 1)),
        ("ES", date(2026, 2, 28), (), date(2026, 3, 1)),
        ("PL", date(2026, 3, 3), (), date(2026, 3, 11)),
        ("PL", date(2026, 3, 11), (), date(2026, 4, 11)),
        ("PL", date(2026, 12, 20), (), date(2027, 1, 11)),
        ("ES", date(2026, 3, 3), (date(2026, 1, 25), date(2026, 2, 25)), date(2026, 3, 26)),
        # Further than may be promised: the last possible day.
        ("PL", date(2026, 1, 11), (), date(2026, 2, 11)),
    ],
)
def test_the_day_after_payday_is_suggested(
    country: str, today: date, seen: tuple[date, ...], on: date
) -> None:
    assert suggest(Known(DUE, country, seen), today, TERMS).on == on


@pytest.mark.parametrize(
    ("instalment", "largest", "expected"),
    [(None, None, 12_000), (4000, None, 4000), (4000, 5000, 5000), (20_000, None, 12_000)],
)
def test_the_amount_rests_on_what_he_agreed_to_or_paid_before(
    instalment: int | None, largest: int | None, expected: int
) -> None:
    known = Known(
        DUE,
        "ES",
        instalment=None if instalment is None else euros(instalment),
        largest_paid=None if largest is None else euros(largest),
    )
    found = suggest(known, MON, TERMS)
    assert found.amount == euros(expected)
    assert found.because.endswith(".")


@given(
    st.integers(1, 10**9),
    st.one_of(st.none(), st.integers(1, 10**9)),
    st.one_of(st.none(), st.integers(1, 10**9)),
    st.dates(date(2024, 1, 1), date(2030, 1, 1)),
    st.lists(st.dates(date(2023, 1, 1), date(2030, 1, 1)), max_size=8),
    st.sampled_from(["ES", "PL", "US", "MX"]),
    st.integers(1, 60),
)
def test_what_is_suggested_may_be_promised(
    due: int,
    instalment: int | None,
    largest: int | None,
    today: date,
    seen: list[date],
    country: str,
    longest: int,
) -> None:
    terms = PromiseTerms(max_days_ahead=longest)
    usual, most = (None if one is None else euros(one) for one in (instalment, largest))
    known = Known(euros(due), country, tuple(seen), instalment=usual, largest_paid=most)
    found = suggest(known, today, terms)
    assert today < found.on <= today + timedelta(days=longest)
    if found.amount.minor >= 100 or found.amount == known.due:
        check_parts([Part(found.on, found.amount)], due=known.due, today=today, terms=terms)
