"""Days on which banks book, and figures of the moment under the date of the next one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.balance import (
    BalanceEntry,
    Spendable,
    Unusable,
    choose_spendable,
    spendable_per_currency,
    tomorrow_at,
)
from app.domain.money import Money
from app.flows.reads.judge_reading import spendable_at
from app.ports import BalanceAnswer, Bank
from app.reference.bank_days import books_end_at, is_bank_day

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("day", "books"),
    [
        ("2026-11-27", True),
        ("2026-11-28", False),
        ("2026-11-29", False),
        ("2026-04-03", False),
        ("2026-04-06", False),
        ("2026-04-07", True),
        ("2026-05-01", False),
        ("2026-12-24", True),
        ("2026-12-25", False),
        ("2025-12-26", False),
        ("2027-01-01", False),
    ],
)
def test_when_euros_move_between_banks(day: str, books: bool) -> None:
    assert is_bank_day(date.fromisoformat(day)) is books


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2026-11-24T10:00", "2026-11-24"),
        ("2026-11-24T17:59", "2026-11-24"),
        ("2026-11-24T18:00", "2026-11-25"),
        ("2026-11-27T20:00", "2026-11-30"),
        ("2026-11-28T00:00", "2026-11-30"),
        ("2026-11-29T23:59", "2026-11-30"),
        ("2026-12-24T19:00", "2026-12-28"),
        ("2026-04-02T18:30", "2026-04-07"),
    ],
)
def test_the_last_day_whose_books_are_open(now: str, last: str) -> None:
    here = datetime.fromisoformat(now).replace(tzinfo=BERLIN)
    end = books_end_at(here, BERLIN)
    assert (end - timedelta(seconds=1)).astimezone(BERLIN).date() == date.fromisoformat(last)


def stated(kind: str, euros: int, day: str, included: bool | None = None) -> BalanceEntry:
    midnight = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
    return BalanceEntry(kind, Money(100 * euros, "EUR"), included, midnight.astimezone(UTC))


def seen(now: str, *entries: BalanceEntry) -> Spendable:
    here = datetime.fromisoformat(now).replace(tzinfo=BERLIN)
    return choose_spendable(
        entries,
        "EUR",
        limits_excluded=False,
        tomorrow=tomorrow_at(here, BERLIN),
        books_end=books_end_at(here, BERLIN),
    )


SATURDAY, MONDAY, TUESDAY = "2026-11-28T10:00", "2026-11-30", "2026-12-01"


def test_on_a_saturday_a_figure_of_the_moment_may_bear_mondays_date() -> None:
    found = seen(SATURDAY, stated("interimAvailable", 800, MONDAY, False))
    assert (found.amount, found.credit_excluded) == (Money(80_000, "EUR"), True)
    # Whatever bounds it is of the same day, and bounds it as ever.
    found = seen(
        SATURDAY,
        stated("interimAvailable", 800, MONDAY),
        stated("interimBooked", 300, MONDAY),
    )
    assert (found.amount, found.bounded_by) == (Money(30_000, "EUR"), "interimBooked")


@pytest.mark.parametrize(
    ("now", "entry"),
    [
        (SATURDAY, stated("interimAvailable", 800, TUESDAY, False)),
        ("2026-11-27T12:00", stated("interimAvailable", 800, MONDAY, False)),
        ("2026-11-24T12:00", stated("interimAvailable", 800, "2026-11-25", False)),
        (SATURDAY, stated("closingBooked", 800, MONDAY)),
        (SATURDAY, stated("closingAvailable", 800, MONDAY, False)),
        (SATURDAY, stated("forwardAvailable", 800, MONDAY, False)),
        (SATURDAY, stated("expected", 800, MONDAY, False)),
    ],
)
def test_money_of_a_later_day_stays_money_of_that_day(now: str, entry: BalanceEntry) -> None:
    assert seen(now, entry).unusable is Unusable.NOT_YET


def test_a_reading_is_judged_by_the_banks_own_days() -> None:
    bank = Bank(id="b", name="B", country="DE", time_zone="Europe/Berlin")
    answer = BalanceAnswer((stated("interimAvailable", 800, MONDAY, False),), "EUR")
    for now, unusable in ((SATURDAY, None), ("2026-11-27T12:00", Unusable.NOT_YET)):
        here = datetime.fromisoformat(now).replace(tzinfo=BERLIN)
        assert spendable_at(answer, "EUR", bank, here).unusable is unusable


def test_each_currency_is_seen_on_the_same_days() -> None:
    here = datetime.fromisoformat(SATURDAY).replace(tzinfo=BERLIN)
    (found,) = spendable_per_currency(
        [stated("interimAvailable", 8, MONDAY, False)],
        None,
        limits_excluded=False,
        tomorrow=tomorrow_at(here, BERLIN),
        books_end=books_end_at(here, BERLIN),
    )
    assert found.amount == Money(800, "EUR")


# ------------------------------------------------------------------ closing balances


def test_a_closing_available_balance_is_seen_where_there_is_no_other() -> None:
    now, day = "2026-11-24T10:00", "2026-11-24"
    alone = seen(now, stated("closingAvailable", 271, day))
    # Shown; whether credit is in it nobody says, so that nothing is done about it.
    assert (alone.amount, alone.credit_excluded) == (Money(27_100, "EUR"), False)
    assert alone.as_of is not None
    assert alone.stated_at == alone.as_of + timedelta(days=1)
    for booked, cents in ((100, 10_000), (900, 27_100)):
        both = seen(now, stated("closingAvailable", 271, day), stated("closingBooked", booked, day))
        assert (both.amount, both.credit_excluded) == (Money(cents, "EUR"), True)
    of_now = seen(now, stated("closingAvailable", 271, day), stated("interimBooked", 900, day))
    assert (of_now.kind, of_now.amount) == ("interimBooked", Money(90_000, "EUR"))


def test_a_minus_of_the_same_close_overrules_the_word_on_credit() -> None:
    day = "2026-11-24"
    found = seen(
        "2026-11-24T10:00",
        stated("closingAvailable", 700, day, False),
        stated("closingBooked", -300, day),
    )
    assert (found.amount, found.bounded_by) == (Money(-30_000, "EUR"), "closingBooked")
