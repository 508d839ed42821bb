"""Money that is not the borrower's yet, or not his own: later days, pending items, overdrafts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.balance import PRIORITY, Spendable, Unusable, tomorrow_at
from tests.domain.test_balance import BOOKED, T0, TOMORROW, chosen, entry, euros

# ------------------------------------------------------------------ money that is not his yet


@pytest.mark.parametrize("kind", [kind for kind in PRIORITY if kind != "closingBooked"])
def test_what_is_dated_after_the_banks_today_is_not_his_now(kind: str) -> None:
    ahead = entry(kind, "900.00", False, as_of=TOMORROW)
    assert chosen(ahead) == Spendable(None, unusable=Unusable.NOT_YET)
    found = chosen(ahead, entry("closingBooked", "0.00", as_of=T0 - timedelta(days=1)))
    assert (euros(found), found.kind) == ("0.00", "closingBooked")
    # The whole of today counts, also where the bank's clock is ahead.
    assert euros(chosen(entry(kind, "900.00", False, as_of=TOMORROW - timedelta(hours=1))))


def test_a_booked_balance_of_a_later_day_bounds_nothing() -> None:
    found = chosen(
        entry("interimAvailable", "800.00", as_of=T0),
        entry("interimBooked", "900.00", as_of=TOMORROW.replace(tzinfo=None)),
    )
    assert (euros(found), found.credit_excluded) == ("800.00", False)


def test_a_day_is_over_in_the_banks_own_zone() -> None:
    late = datetime(2026, 11, 2, 23, 30, tzinfo=UTC)
    assert tomorrow_at(late, UTC) == datetime(2026, 11, 3, tzinfo=UTC)
    assert tomorrow_at(late, ZoneInfo("Europe/Madrid")) == datetime(2026, 11, 3, 23, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["expected", "forwardAvailable"])
@pytest.mark.parametrize("booked", BOOKED)
def test_what_is_ahead_of_the_books_lowers_and_never_raises(kind: str, booked: str) -> None:
    found = chosen(entry(kind, "900.00", False), entry(booked, "100.00"))
    assert (euros(found), found.kind, found.bounded_by) == ("100.00", kind, booked)
    assert euros(chosen(entry(kind, "40.00", False), entry(booked, "100.00"))) == "40.00"


def test_forward_money_of_today_is_at_his_disposal() -> None:
    found = chosen(
        entry("forwardAvailable", "900.00", False, as_of=T0), entry("closingBooked", "100.00")
    )
    assert (euros(found), found.bounded_by) == ("900.00", None)


# ------------------------------------------------------------------ an overdraft that shows


def test_a_minus_of_this_moment_overrules_the_word_on_credit() -> None:
    found = chosen(
        entry("interimAvailable", "2000.00", False), entry("interimBooked", "-300.00", as_of=T0)
    )
    assert (euros(found), found.bounded_by, found.stated_at) == ("-300.00", "interimBooked", T0)
    # Yesterday's minus may have been paid off by now, and the bank says so.
    found = chosen(entry("interimAvailable", "700.00", False), entry("closingBooked", "-300.00"))
    assert (euros(found), found.credit_excluded) == ("700.00", True)


@pytest.mark.parametrize(
    "kind", ["openingCleared", "openingBooked", "previouslyClosedBooked", "interimCleared"]
)
def test_a_minus_of_any_moment_shows_the_overdraft_in_a_silent_balance(kind: str) -> None:
    silent, minus = entry("forwardAvailable", "3700.80"), entry(kind, "-1195.39")
    found = chosen(silent, minus, entry("previouslyClosedBooked", "-710.84"))
    assert (euros(found), found.kind, found.bounded_by) == ("-1195.39", "forwardAvailable", kind)
    # Neither a plus nor another currency shows anything, and a bank's profile is believed.
    for other in (entry(kind, "95.39"), entry(kind, "-1195.39", currency="GBP")):
        assert (euros(chosen(silent, other)), chosen(silent, other).credit_excluded) == (
            "3700.80",
            False,
        )
    assert euros(chosen(silent, minus, excluded=True)) == "3700.80"
