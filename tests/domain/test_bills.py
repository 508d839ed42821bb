"""Bills learned from debits: which are found, when they are expected, when they have left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.bills import (
    HISTORY_DAYS,
    Bill,
    BillProfile,
    Debit,
    Every,
    Expected,
    SetAside,
    foresee,
    learn_bills,
    see_fall,
    set_aside,
)

# A Thursday; the ninety days before it hold three of each day of the month but a few.
TODAY = date(2026, 11, 26)
SINCE = TODAY - timedelta(days=HISTORY_DAYS)
DAY = timedelta(days=1)
RENT = 43_000


def on_days(minor: int, *days: str) -> list[Debit]:
    return [Debit(date.fromisoformat(f"2026-{day}"), minor) for day in days]


def learned(debits: Iterable[Debit], today: date = TODAY) -> BillProfile:
    return learn_bills(debits, today - timedelta(days=HISTORY_DAYS), today)


def shapes(profile: BillProfile) -> list[tuple[Every, int, int]]:
    return sorted((one.every, one.phase, one.minor) for one in profile.bills)


def rent(**changes: object) -> BillProfile:
    bill = Bill(Every.MONTH, 5, 0, RENT, date(2026, 11, 5))
    return BillProfile((replace(bill, **changes),), TODAY)  # type: ignore[arg-type]


SHOPPING = [
    Debit(SINCE + number * DAY, 1_500 + (number * 7_919) % 6_000) for number in range(0, 90, 2)
]


# ------------------------------------------------------------------ what is found


@pytest.mark.parametrize(
    ("debits", "found"),
    [
        pytest.param(
            on_days(RENT, "09-05", "10-05", "11-05"), [(Every.MONTH, 5, RENT)], id="rent"
        ),
        pytest.param(
            # The 5th of September is a Saturday: it left on Monday.
            on_days(RENT, "09-07", "10-05", "11-05"),
            [(Every.MONTH, 5, RENT)],
            id="moved off a weekend",
        ),
        pytest.param(
            [*on_days(8_100, "09-15"), *on_days(9_000, "10-15"), *on_days(7_400, "11-16")],
            [],
            id="by consumption",
        ),
        pytest.param(
            [*on_days(8_100, "09-15"), *on_days(8_150, "10-15"), *on_days(8_120, "11-16")],
            [(Every.MONTH, 15, 8_120)],
            id="one sum but for cents",
        ),
        pytest.param(
            [Debit(date(2026, 9, 2) + 7 * week * DAY, 2_500) for week in range(13)],
            [(Every.WEEK, date(2026, 11, 25).toordinal() % 7, 2_500)],
            id="each week",
        ),
        pytest.param(
            on_days(2_500, "09-02", "09-16", "09-30", "10-14", "10-28", "11-11", "11-25"),
            [(Every.FORTNIGHT, date(2026, 11, 25).toordinal() % 14, 2_500)],
            id="each fortnight",
        ),
        pytest.param([], [], id="nothing"),
        pytest.param(on_days(RENT, "10-05", "11-05"), [], id="two, with room for three"),
        pytest.param(on_days(RENT, "09-05", "10-19", "11-05"), [], id="no rhythm"),
        pytest.param(
            on_days(RENT, "08-28", "09-05", "10-05"), [], id="it has stopped: November had none"
        ),
        pytest.param(
            [*on_days(20_000, "09-05"), *on_days(60_000, "10-05"), *on_days(35_000, "11-05")],
            [],
            id="no class of amount",
        ),
    ],
)  # fmt: skip
def test_what_comes_back_is_a_bill(
    debits: list[Debit], found: list[tuple[Every, int, int]]
) -> None:
    assert shapes(learned(debits)) == found


def test_two_of_exactly_one_sum_are_enough_where_the_history_begins_between() -> None:
    # On the last day of May the first of March is out of sight.
    today = date(2026, 5, 31)
    twice = [Debit(date(2026, 4, 1), RENT), Debit(date(2026, 5, 4), RENT)]
    assert shapes(learned(twice, today)) == [(Every.MONTH, 1, RENT)]
    near = [twice[0], Debit(date(2026, 5, 4), RENT + 1)]
    assert learned(near, today).bills == ()
    assert learned([*twice, Debit(date(2026, 4, 17), RENT)], today).bills == ()


def test_spending_is_no_bill_and_hides_none() -> None:
    among = [*SHOPPING, *on_days(RENT, "09-07", "10-05", "11-05"), *on_days(9_900, "09-20")]
    assert (Every.MONTH, 5, RENT) in shapes(learned(among))
    assert sum(one.minor for one in learned(SHOPPING).bills) == 0


def test_small_sums_are_left_out_and_so_are_credits() -> None:
    trifle = on_days(99, "09-05", "10-05", "11-05")
    assert shapes(learned([*trifle, *on_days(90_000, "09-11")])) == []
    assert learned([Debit(one.day, -RENT) for one in trifle]).bills == ()


def test_a_pending_debit_is_one_that_has_left() -> None:
    profile = learned(on_days(RENT, "09-28", "10-27", "11-26"))
    (bill,) = profile.bills
    assert bill.gone_for == date(2026, 11, 26)
    assert foresee(profile, TODAY, TODAY + 3 * DAY) == ()


def test_the_end_of_the_month_is_a_day_of_its_own() -> None:
    # The 30th of August is a Sunday: that is a bill of the 30th.
    assert shapes(learned(on_days(RENT, "08-31", "09-30", "10-30"))) == [(Every.MONTH, 30, RENT)]
    profile = learned(on_days(RENT, "08-31", "09-30", "11-02"))
    assert foresee(profile, TODAY, date(2026, 12, 1)) == (
        Expected(date(2026, 11, 30), date(2026, 11, 30), RENT),
    )


# ------------------------------------------------------------------ what is expected


@pytest.mark.parametrize(
    ("today", "income_on", "expected"),
    [
        (date(2026, 12, 3), date(2026, 12, 28), [(5, 7)]),  # a Saturday: by Monday
        (date(2026, 12, 7), date(2026, 12, 28), [(7, 7)]),
        (date(2026, 12, 8), date(2026, 12, 28), []),
        (date(2026, 12, 3), date(2026, 12, 4), []),
        (date(2026, 12, 3), date(2026, 12, 5), [(5, 7)]),  # nobody knows which comes first
        (date(2026, 11, 29), None, [(5, 7)]),
        (date(2026, 11, 27), None, []),  # without an income a week counts
    ],
)
def test_a_bill_is_expected_until_the_next_income(
    today: date, income_on: date | None, expected: list[tuple[int, int]]
) -> None:
    found = foresee(rent(), today, income_on)
    assert [(one.on.day, one.by.day) for one in found] == expected
    assert all(one.minor == RENT for one in found)


def test_a_far_income_counts_no_bill_twice_in_a_month() -> None:
    assert len(foresee(rent(), TODAY, TODAY + 300 * DAY)) == 1


def test_what_is_set_aside_is_the_sum_and_its_last_day() -> None:
    power = Bill(Every.MONTH, 9, 1, 6_000, date(2026, 11, 9))
    both = replace(rent(), bills=(*rent().bills, power))
    aside = set_aside(foresee(both, date(2026, 12, 1), date(2026, 12, 28)))
    assert aside == SetAside(49_000, date(2026, 12, 10))
    assert set_aside(()) is None


@pytest.mark.parametrize(
    ("since", "until", "fall", "left"),
    [
        ("12-03", "12-07", RENT, True),
        ("12-03", "12-04", RENT, True),  # pending the working day before
        ("12-02", "12-03", RENT, False),
        ("12-03", "12-07", RENT + 5_000, True),
        ("12-03", "12-07", RENT * 9 // 10, True),  # and something small came in
        ("12-03", "12-07", RENT // 2, False),
        ("11-20", "12-01", RENT, False),  # not its time
    ],
)
def test_a_bill_that_was_seen_to_leave_is_not_taken_off_again(
    since: str, until: str, fall: int, *, left: bool
) -> None:
    days = (date.fromisoformat(f"2026-{since}"), date.fromisoformat(f"2026-{until}"))
    after = see_fall(rent(), *days, fall)
    assert (foresee(after, days[1], date(2026, 12, 28)) == ()) is left
    # It is expected again in the month after.
    assert len(foresee(after, date(2027, 1, 2), date(2027, 1, 28))) == 1


def test_one_fall_explains_the_largest_bills_it_can_and_no_more() -> None:
    power = Bill(Every.MONTH, 4, 1, 6_000, date(2026, 11, 4))
    both = replace(rent(), bills=(power, *rent().bills))
    after = see_fall(both, date(2026, 12, 3), date(2026, 12, 7), RENT + 1_000)
    still = foresee(after, date(2026, 12, 7), date(2026, 12, 28))
    assert [one.minor for one in still] == [6_000] or still == ()
    assert see_fall(both, date(2026, 12, 3), date(2026, 12, 7), 0) is both


def test_a_profile_is_kept_as_text() -> None:
    profile = learned(on_days(RENT, "09-07", "10-05", "11-05"))
    assert BillProfile.from_json(profile.to_json()) == profile
    for spoiled in ("{}", "[]", '{"bills":[{}],"learned_on":"2026-01-01"}', "rubbish"):
        with pytest.raises(ValueError):
            BillProfile.from_json(spoiled)


# ------------------------------------------------------------------ what always holds

amounts = st.integers(1, 200_000)
debits = st.lists(
    st.builds(Debit, st.dates(SINCE - 5 * DAY, TODAY + 5 * DAY), amounts), max_size=40
)


@given(debits)
def test_bills_are_made_of_what_left_and_no_debit_serves_two(given_debits: list[Debit]) -> None:
    profile = learned(given_debits)
    seen = [one.minor for one in given_debits if SINCE <= one.day <= TODAY]
    assert all(bill.minor in seen for bill in profile.bills)
    assert len(profile.bills) * 2 <= len(seen)
    assert BillProfile.from_json(profile.to_json()) == profile
    assert learned(list(reversed(given_debits))) == profile


@given(st.integers(1, 31), amounts, st.integers(-200, 200), st.dates(TODAY, TODAY + 400 * DAY))
def test_a_bill_that_keeps_its_day_is_found_and_foretold(
    phase: int, minor: int, shift: int, today: date
) -> None:
    today += shift * DAY
    since = today - timedelta(days=HISTORY_DAYS)
    own = BillProfile((Bill(Every.MONTH, phase, 0, minor, date.min),), since)
    # What it foretells from day to day is what it leaves on, so that it must be found again.
    paid = {
        day.by for number in range(HISTORY_DAYS + 1)
        for day in foresee(own, since + number * DAY, since + number * DAY)
        if since <= day.by <= today
    }  # fmt: skip
    profile = learned([Debit(day, minor) for day in paid], today)
    if len(paid) < 3:
        return
    (bill,) = profile.bills
    assert (bill.every, bill.minor) == (Every.MONTH, minor)
    soon = [one.by for one in foresee(profile, today + DAY, today + 31 * DAY)]
    truly = [one.by for one in foresee(own, today + DAY, today + 31 * DAY)]
    assert all(abs((one - other).days) <= 3 for one, other in zip(soon, truly, strict=False))
    assert soon


@given(debits, st.integers(0, 400_000), st.integers(0, 20), st.integers(0, 40))
def test_a_fall_only_ever_frees_money_and_never_more_than_fell(
    given_debits: list[Debit], fall: int, days: int, ahead: int
) -> None:
    profile, now = learned(given_debits), TODAY + days * DAY
    after = see_fall(profile, TODAY, now, fall)
    income_on = now + ahead * DAY
    before, still = (foresee(one, now, income_on) for one in (profile, after))
    freed = sum(one.minor for one in before) - sum(one.minor for one in still)
    assert 0 <= freed * 9 <= fall * 10 + 9 * len(before)
    assert all(now <= one.on <= income_on or one.on == now for one in still)
