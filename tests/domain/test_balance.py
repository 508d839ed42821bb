"""Which balance is money: the table of the rule, real answers that misled others, properties."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.balance import (
    CLOSING,
    PRIORITY,
    BalanceEntry,
    Spendable,
    Unusable,
    choose_spendable,
    is_fresh,
    spendable_per_currency,
)
from app.domain.money import Money

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "berlin_group"
T0 = datetime(2026, 11, 2, 9, tzinfo=UTC)
TOMORROW = T0.replace(day=3, hour=0)
BOOKED = ("interimBooked", "closingBooked")


def entry(
    kind: str,
    amount: str | None,
    limit: bool | None = None,
    *,
    as_of: datetime | None = None,
    currency: str = "EUR",
) -> BalanceEntry:
    money = None if amount is None else Money.parse(amount, currency)
    return BalanceEntry(kind, money, limit, as_of, "" if amount else "unreadable")


def chosen(
    *entries: BalanceEntry, currency: str | None = "EUR", excluded: bool = False
) -> Spendable:
    return choose_spendable(entries, currency, limits_excluded=excluded, tomorrow=TOMORROW)


def euros(spendable: Spendable) -> str | None:
    return None if spendable.amount is None else spendable.amount.plain()


# ------------------------------------------------------------------ the table


@pytest.mark.parametrize("kind", PRIORITY)
def test_without_a_limit_an_entry_counts_as_it_is(kind: str) -> None:
    found = chosen(entry(kind, "120.00", False, as_of=T0))
    assert found == Spendable(Money(12000, "EUR"), kind, T0, credit_excluded=True)


@pytest.mark.parametrize("kind", PRIORITY)
def test_with_a_limit_an_entry_is_never_money(kind: str) -> None:
    found = chosen(entry(kind, "5300.00", True), excluded=True)
    assert found == Spendable(None, unusable=Unusable.CREDIT_INCLUDED)


@pytest.mark.parametrize("kind", [kind for kind in PRIORITY if kind not in (*BOOKED, *CLOSING)])
@pytest.mark.parametrize("booked", BOOKED)
@pytest.mark.parametrize(
    ("stated", "posted", "spendable", "bounded"),
    [
        ("300.00", "1000.00", "300.00", False),
        ("8000.00", "0.00", "0.00", True),
        ("4183.61", "-316.39", "-316.39", True),
        ("-5.00", "20.00", "-5.00", False),
        ("70.00", "70.00", "70.00", False),
    ],
)
def test_unsaid_is_bounded_by_the_booked_balance(
    kind: str, booked: str, stated: str, posted: str, spendable: str, bounded: bool
) -> None:
    older = T0 - timedelta(days=1)
    found = chosen(entry(booked, posted, as_of=older), entry(kind, stated, as_of=T0))
    assert euros(found) == spendable
    assert (found.kind, found.as_of, found.credit_excluded) == (kind, T0, True)
    assert found.bounded_by == (booked if bounded else None)
    # A closing balance is that of its day's end.
    closed = timedelta(days=1) if booked == "closingBooked" else timedelta(0)
    assert found.stated_at == (older + closed if bounded else T0)


@pytest.mark.parametrize("excluded", [False, True])
def test_unsaid_and_alone_needs_the_banks_profile_to_trigger(excluded: bool) -> None:
    found = chosen(entry("interimAvailable", "8000.00"), excluded=excluded)
    assert euros(found) == "8000.00"
    assert found.credit_excluded is excluded


@pytest.mark.parametrize("kind", BOOKED)
def test_a_booked_balance_holds_no_limit(kind: str) -> None:
    found = chosen(entry(kind, "-12.00"))
    assert (euros(found), found.kind, found.credit_excluded) == ("-12.00", kind, True)


def test_a_booked_balance_that_contains_a_limit_bounds_nothing() -> None:
    found = chosen(entry("interimAvailable", "800.00"), entry("interimBooked", "500.00", True))
    assert (euros(found), found.credit_excluded) == ("800.00", False)


def test_the_booked_balance_of_now_bounds_before_that_of_last_evening() -> None:
    found = chosen(
        entry("closingBooked", "10.00"),
        entry("interimBooked", "1500.00"),
        entry("interimAvailable", "1480.00"),
    )
    assert euros(found) == "1480.00"


def test_a_booked_balance_of_another_currency_bounds_nothing() -> None:
    found = chosen(
        entry("interimAvailable", "800.00"), entry("interimBooked", "5.00", currency="USD")
    )
    assert (euros(found), found.credit_excluded) == ("800.00", False)


def test_an_unreadable_booked_balance_bounds_nothing() -> None:
    found = chosen(entry("interimAvailable", "800.00"), entry("interimBooked", None))
    assert (euros(found), found.credit_excluded) == ("800.00", False)


@pytest.mark.parametrize("first", range(len(PRIORITY)))
def test_kinds_are_taken_in_their_order(first: int) -> None:
    offered = [entry(kind, f"{n}.00", False) for n, kind in enumerate(PRIORITY)]
    found = chosen(*reversed(offered[first:]))
    assert (found.kind, euros(found)) == (PRIORITY[first], f"{first}.00")


@pytest.mark.parametrize(
    "kind",
    [
        "openingBooked",
        "nonInvoiced",
        "authorised",
        "openingAvailable",
        "InterimAvailable",
        "",
        "ITAV",
    ],
)
def test_other_kinds_are_skipped(kind: str) -> None:
    assert chosen(entry(kind, "9.00", False)).unusable is Unusable.UNKNOWN_KIND
    beside = chosen(entry(kind, "9.00", False), entry("expected", "4.00", False))
    assert (beside.kind, euros(beside)) == ("expected", "4.00")
    # Start of day is not now: it neither is spendable nor bounds what is.
    alone = chosen(entry(kind, "9.00"), entry("expected", "40.00"))
    assert (euros(alone), alone.credit_excluded) == ("40.00", False)


def test_zero_is_an_amount() -> None:
    found = chosen(entry("interimAvailable", "0.00", False))
    assert found.amount == Money(0, "EUR")
    assert found.unusable is None


def test_a_closing_balance_is_fresh_for_a_day_after_its_day() -> None:
    found = chosen(entry("closingBooked", "9.00", as_of=datetime(2026, 11, 2, tzinfo=UTC)))
    day = timedelta(hours=24)
    assert found.as_of == datetime(2026, 11, 2, tzinfo=UTC)
    for hours, fresh in ((2, True), (24, True), (48, True), (49, False)):
        now = datetime(2026, 11, 2, tzinfo=UTC) + timedelta(hours=hours)
        assert is_fresh(found.stated_at, now, now=now, max_age=day) is fresh
    assert chosen(entry("closingBooked", "9.00")).stated_at is None


# ------------------------------------------------------------------ nothing left, and why


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([], Unusable.NO_BALANCES),
        ([entry("nonInvoiced", "1.00")], Unusable.UNKNOWN_KIND),
        ([entry("nonInvoiced", None)], Unusable.UNKNOWN_KIND),
        ([entry("expected", None)], Unusable.UNREADABLE_AMOUNT),
        ([entry("expected", None), entry("nonInvoiced", "1.00")], Unusable.UNREADABLE_AMOUNT),
        ([entry("expected", "1.00", currency="USD")], Unusable.OTHER_CURRENCY),
        (
            [entry("expected", "1.00", currency="USD"), entry("expected", None)],
            Unusable.OTHER_CURRENCY,
        ),
        ([entry("expected", "1.00", True)], Unusable.CREDIT_INCLUDED),
        (
            [entry("expected", "1.00", True), entry("expected", "1.00", False, currency="USD")],
            Unusable.CREDIT_INCLUDED,
        ),
    ],
)
def test_missing_is_null_with_a_reason_and_never_zero(
    entries: list[BalanceEntry], reason: Unusable
) -> None:
    found = chosen(*entries, excluded=True)
    assert (found.amount, found.unusable, found.credit_excluded) == (None, reason, False)


def test_the_reason_is_of_the_account_before_it_is_of_an_amount() -> None:
    unread = BalanceEntry("expected", None, problem="is not a plain decimal string.")
    found = chosen(BalanceEntry("", None, problem="no type"), unread)
    assert (found.unusable, found.problem) == (Unusable.UNREADABLE_AMOUNT, unread.problem)
    closed = BalanceEntry("", None, problem="it is closed", unusable=Unusable.ACCOUNT_CLOSED)
    found = chosen(unread, closed)
    assert (found.unusable, found.problem) == (Unusable.ACCOUNT_CLOSED, "it is closed")
    assert chosen(closed, entry("interimBooked", "1.00")).problem == ""


# ------------------------------------------------------------------ several of one kind


def test_an_entry_free_of_credit_goes_before_one_that_says_nothing() -> None:
    found = chosen(
        entry("interimAvailable", "300.00", as_of=T0), entry("interimAvailable", "250.00", False)
    )
    assert (euros(found), found.credit_excluded) == ("250.00", True)


def test_of_two_alike_the_later_counts() -> None:
    old, new = T0 - timedelta(days=3), T0
    for order in ([old, new], [new, old]):
        found = chosen(
            *(entry("expected", f"{moment.day}.00", False, as_of=moment) for moment in order)
        )
        assert (found.as_of, euros(found)) == (new, f"{new.day}.00")


def test_of_two_alike_without_dates_the_smaller_counts() -> None:
    found = chosen(entry("expected", "90.00", False), entry("expected", "30.00", False))
    assert euros(found) == "30.00"


@pytest.mark.parametrize("dated", [T0 - timedelta(days=30), T0])
@pytest.mark.parametrize(("of_day", "undated"), [("100.00", "10.00"), ("10.00", "100.00")])
def test_an_undated_one_is_no_older_and_the_smaller_counts(
    dated: datetime, of_day: str, undated: str
) -> None:
    found = chosen(entry("closingBooked", of_day, as_of=dated), entry("closingBooked", undated))
    assert euros(found) == "10.00"
    assert (found.as_of is None) == (undated == "10.00")


def test_an_instant_without_zone_is_read_as_utc() -> None:
    naive = T0.replace(tzinfo=None)
    found = chosen(
        entry("expected", "9.00", False, as_of=naive),
        entry("expected", "3.00", False, as_of=T0 - timedelta(hours=1)),
    )
    assert euros(found) == "9.00"


# ------------------------------------------------------------------ currencies


@pytest.mark.parametrize("unknown", [None, "", "XXX"])
def test_the_only_currency_stated_is_the_accounts(unknown: str | None) -> None:
    found = chosen(entry("expected", "9.00", False, currency="PLN"), currency=unknown)
    assert found.amount == Money(900, "PLN")


@pytest.mark.parametrize("unknown", [None, "", "XXX"])
def test_several_currencies_are_not_guessed_among(unknown: str | None) -> None:
    both = (
        entry("expected", "9.00", False),
        entry("expected", "7.00", False, currency="USD"),
        entry("closingBooked", "80.00", currency="EUR"),
    )
    assert chosen(*both, currency=unknown).unusable is Unusable.SEVERAL_CURRENCIES
    each = spendable_per_currency(both, unknown, limits_excluded=False, tomorrow=TOMORROW)
    assert [found.amount for found in each] == [Money(900, "EUR"), Money(700, "USD")]


def test_a_known_currency_gives_one_result() -> None:
    both = (entry("expected", "9.00", False), entry("expected", "7.00", False, currency="USD"))
    (found,) = spendable_per_currency(both, "USD", limits_excluded=False, tomorrow=TOMORROW)
    assert found.amount == Money(700, "USD")


def test_an_answer_without_any_currency_still_gives_its_reason() -> None:
    (found,) = spendable_per_currency((), None, limits_excluded=False, tomorrow=TOMORROW)
    assert found.unusable is Unusable.NO_BALANCES
    (found,) = spendable_per_currency(
        [entry("expected", None)], None, limits_excluded=False, tomorrow=TOMORROW
    )
    assert found.unusable is Unusable.UNREADABLE_AMOUNT


# ------------------------------------------------------------------ the specification's examples


def stated(name: str) -> list[BalanceEntry]:
    answer = json.loads((FIXTURES / name).read_text(encoding="utf-8"))
    return [
        entry(
            item["balanceType"],
            item["balanceAmount"]["amount"],
            item.get("creditLimitIncluded"),
            currency=item["balanceAmount"]["currency"],
        )
        for item in answer["balances"]
        if "balanceAmount" in item
    ]


def test_the_second_interim_available_with_credit_is_not_read_as_money() -> None:
    found = chosen(*stated("balancesExample3_RegularAccount.json"))
    assert (euros(found), found.kind, found.credit_excluded) == ("300.00", "interimAvailable", True)


def test_an_expected_balance_above_the_booked_one_is_bounded() -> None:
    found = chosen(*stated("balancesExample1_RegularAccount.json"))
    assert (euros(found), found.kind, found.bounded_by) == ("500.00", "expected", "closingBooked")


def test_the_multicurrency_example_gives_one_result_each() -> None:
    each = spendable_per_currency(
        stated("balancesExample2_MulticurrencyAcount.json"),
        "XXX",
        limits_excluded=False,
        tomorrow=TOMORROW,
    )
    assert [str(found.amount) for found in each] == ["500.00 EUR", "350.00 USD"]


# ------------------------------------------------------------------ properties

entries = st.lists(
    st.builds(
        BalanceEntry,
        kind=st.sampled_from([*PRIORITY, "openingBooked", "?"]),
        amount=st.none()
        | st.builds(Money, st.integers(-(10**9), 10**9), st.sampled_from(["EUR", "USD", "JPY"])),
        limit_included=st.sampled_from([None, True, False]),
        as_of=st.none() | st.datetimes(timezones=st.just(UTC)) | st.datetimes(),
        problem=st.just(""),
    ),
    max_size=8,
)


@given(entries, st.sampled_from([None, "XXX", "EUR", "USD", "CHF"]), st.booleans())
def test_any_answer_gets_a_verdict_that_is_safe(
    given_entries: list[BalanceEntry], currency: str | None, excluded: bool
) -> None:
    found = choose_spendable(given_entries, currency, limits_excluded=excluded, tomorrow=TOMORROW)
    assert (found.amount is None) == (found.unusable is not None)
    if found.amount is None:
        assert not found.credit_excluded
        return
    ours = [
        one
        for one in given_entries
        if one.amount is not None and one.amount.currency == found.amount.currency
    ]
    source = [one for one in ours if one.kind == found.kind and one.limit_included is not True]
    assert source
    # Never more than the largest entry of the chosen kind that is not known to hold credit.
    assert found.amount <= max(one.amount for one in source if one.amount is not None)
    if not any(one.kind in BOOKED or one.limit_included is False for one in ours):
        assert found.credit_excluded is excluded


@given(entries, st.sampled_from(["EUR", "USD"]), st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_an_answer_does_not_matter(
    given_entries: list[BalanceEntry], currency: str, excluded: bool, shuffle: object
) -> None:
    mixed = sorted(given_entries, key=lambda _: shuffle.random())  # type: ignore[attr-defined]
    one = choose_spendable(given_entries, currency, limits_excluded=excluded, tomorrow=TOMORROW)
    other = choose_spendable(mixed, currency, limits_excluded=excluded, tomorrow=TOMORROW)
    assert (one.amount, one.kind, one.credit_excluded, one.unusable) == (
        other.amount, other.kind, other.credit_excluded, other.unusable,
    )  # fmt: skip


@given(entries, st.booleans())
def test_every_currency_of_an_answer_gets_its_own_verdict(
    given_entries: list[BalanceEntry], excluded: bool
) -> None:
    each = spendable_per_currency(given_entries, None, limits_excluded=excluded, tomorrow=TOMORROW)
    assert each
    amounts = [found.amount.currency for found in each if found.amount is not None]
    assert len(set(amounts)) == len(amounts)


# ------------------------------------------------------------------ freshness


@pytest.mark.parametrize(
    ("as_of", "read_ago", "fresh"),
    [
        (None, timedelta(0), True),
        (None, timedelta(hours=24), True),
        (None, timedelta(hours=24, seconds=1), False),
        (timedelta(hours=24), timedelta(0), True),
        (timedelta(hours=24, seconds=1), timedelta(0), False),
        # A bank that states a day, or whose clock is ahead, makes nothing younger than its reading.
        (timedelta(hours=-5), timedelta(0), True),
        (timedelta(hours=-5), timedelta(hours=25), False),
    ],
)
def test_freshness_counts_from_the_banks_own_instant(
    as_of: timedelta | None, read_ago: timedelta, fresh: bool
) -> None:
    moment = None if as_of is None else T0 - as_of
    day = timedelta(hours=24)
    assert is_fresh(moment, T0 - read_ago, now=T0, max_age=day) is fresh
    if moment is not None:
        assert is_fresh(moment.replace(tzinfo=None), T0 - read_ago, now=T0, max_age=day) is fresh
