"""Reading the cells of a lender's book: nothing is guessed, everything refused says why."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.book import (
    BookKind,
    check_header,
    column_names,
    kind_named,
    read_amount,
    read_channels,
    read_day,
    read_flag,
    read_moment,
    read_number,
)
from app.domain.book_rows import (
    read_hold,
    read_instalment,
    read_opt_out,
    read_promise,
    read_repayment,
)
from app.domain.errors import Invalid
from app.domain.message import Channel
from app.domain.money import Money
from app.domain.promise import PromiseState

MADRID = ZoneInfo("Europe/Madrid")
NOW = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Loans", BookKind.LOANS),
        ("loans-2026-11.csv", BookKind.LOANS),
        ("LOANS (2)", BookKind.LOANS),
        ("opt-outs.csv", BookKind.OPT_OUTS),
        ("Opt Outs", BookKind.OPT_OUTS),
        ("arrears", BookKind.INSTALMENTS),
        ("Customers", BookKind.BORROWERS),
        ("disputes.xlsx", BookKind.HOLDS),
        ("Sheet1", None),
        ("2026-loans", None),
        ("", None),
    ],
)
def test_a_name_says_what_the_rows_are(name: str, kind: BookKind | None) -> None:
    assert kind_named(name) is kind


def test_a_header_is_read_in_any_case_and_order() -> None:
    names = column_names([" External Ref", "NAME", "country", "Shoe-Size", ""])
    assert names == ("external_ref", "name", "country", "shoe_size", "")
    assert check_header(BookKind.BORROWERS, names) == ("shoe_size",)


def test_a_missing_or_doubled_column_is_named() -> None:
    with pytest.raises(Invalid, match="lacks the column name, country") as refused:
        check_header(BookKind.BORROWERS, ["external_ref"])
    assert "external_ref, name, country" in refused.value.mend
    with pytest.raises(Invalid, match="twice: name"):
        column_names(["Name", "name "])


@pytest.mark.parametrize(
    "typed",
    ["1,234.56", "1.234,56", "1 234.56", "1'234.56", "12,50", "€12", "12 EUR", "1e3", "1.234",
     "NaN", "0", "-5", "٣", "0.30000000000000004", "--1", ""],
)  # fmt: skip
def test_an_amount_that_two_people_read_differently_is_refused(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_amount({"amount": typed} if typed else {}, "amount", "EUR")
    assert refused.value.field == "amount"


def test_amounts_as_they_should_be() -> None:
    assert read_amount({"amount": "1234.56"}, "amount", "EUR") == Money(123456, "EUR")
    assert read_amount({"amount": "1234.5"}, "amount", "EUR") == Money(123450, "EUR")
    assert read_amount({"amount": "1234"}, "amount", "CLP") == Money(1234, "CLP")
    assert read_amount({"paid": "0"}, "paid", "EUR", above_zero=False) == Money(0, "EUR")
    with pytest.raises(Invalid, match="is PLN, but the loan is in EUR"):
        read_amount({"amount": "1", "currency": "pln"}, "amount", "EUR")


@given(st.integers(1, 10**12))
def test_every_plain_amount_comes_back_as_it_was(minor: int) -> None:
    amount = Money(minor, "EUR")
    assert read_amount({"amount": amount.plain()}, "amount", "EUR") == amount


@given(st.integers(1, 10**9), st.sampled_from([",", " ", ".", "'"]))
def test_thousands_are_never_read_with_separators(whole: int, separator: str) -> None:
    text = f"{whole:,}".replace(",", separator) + ",50"
    with pytest.raises(Invalid):
        read_amount({"amount": text}, "amount", "EUR")


@pytest.mark.parametrize(
    "typed", ["31/03/2026", "03/31/2026", "2026-3-1", "2026-02-30", "20260331"]
)
def test_a_day_in_the_order_of_some_country_is_refused(typed: str) -> None:
    with pytest.raises(Invalid, match="is not a day"):
        read_day({"due_on": typed}, "due_on")
    assert read_day({"due_on": "2026-03-31"}, "due_on") == date(2026, 3, 31)


def test_moments_keep_their_own_offset_and_else_the_lenders_clock() -> None:
    def at(text: str) -> datetime:
        return read_moment({"at": text}, "at", MADRID, NOW)

    assert at("2026-03-01T12:00:00Z") == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert at("2026-03-01 12:00+05:30") == datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
    assert at("2026-03-01T12:00") == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert at("2025-07-01T12:00") == datetime(2025, 7, 1, 10, tzinfo=UTC)


def test_an_hour_that_the_clock_skips_or_repeats_is_not_guessed() -> None:
    for text in ("2025-03-30T02:30", "2025-10-26T02:30"):
        with pytest.raises(Invalid, match="skips or shows twice"):
            read_moment({"at": text}, "at", MADRID, NOW)
    assert read_moment({"at": "2025-10-26T02:30+01:00"}, "at", MADRID, NOW).hour == 1


def test_a_day_alone_counts_as_its_last_minute_so_that_windows_end_late() -> None:
    assert read_moment({"at": "2026-03-01"}, "at", MADRID, NOW) == datetime(
        2026, 3, 1, 22, 59, tzinfo=UTC
    )
    assert read_moment({"at": "2026-03-03"}, "at", MADRID, NOW) == NOW


@pytest.mark.parametrize("text", ["2026-03-03T10:00:01Z", "2026-03-05", "2031-01-01T00:00"])
def test_what_has_not_happened_yet_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="future"):
        read_moment({"at": text}, "at", MADRID, NOW)


@given(st.datetimes(datetime(2001, 1, 1), datetime(2026, 3, 1)))  # noqa: DTZ001 - a wall clock
def test_a_moment_with_its_offset_is_exactly_that_moment(wall: datetime) -> None:
    moment = wall.replace(tzinfo=UTC)
    assert read_moment({"at": moment.isoformat()}, "at", MADRID, NOW) == moment


def test_small_cells() -> None:
    assert read_flag({}, "x") is False
    assert [read_flag({"x": word}, "x") for word in ("Yes", "1", "no", "FALSE")] == [
        True, True, False, False,
    ]  # fmt: skip
    with pytest.raises(Invalid, match="neither yes nor no"):
        read_flag({"x": "maybe"}, "x")
    assert read_number({}, "number") is None
    assert read_number({"number": "12"}, "number") == 12
    for text in ("0", "-1", "1.5", "one"):
        with pytest.raises(Invalid):
            read_number({"number": text}, "number")
    assert read_channels({"channel": "Phone"}) == (Channel.CALL,)
    assert read_channels({"channel": "all"}, several=True) == tuple(Channel)
    with pytest.raises(Invalid, match="Use: sms"):
        read_channels({"channel": "all"})
    with pytest.raises(Invalid, match="Use: sms"):
        read_channels({"channel": "pigeon"}, several=True)


def test_money_is_not_named_as_our_own_entries_are() -> None:
    cells = {"loan_ref": "L-1", "amount": "1.00", "paid_at": "2026-03-02"}
    assert read_repayment({**cells, "external_ref": "S-1"}, "EUR", MADRID, NOW).ref == "S-1"
    with pytest.raises(Invalid, match="begins with"):
        read_repayment({**cells, "external_ref": "saldo:S-1"}, "EUR", MADRID, NOW)


def test_an_instalment_cannot_be_paid_beyond_its_amount() -> None:
    cells = {"loan_ref": "L", "due_on": "2026-02-01", "amount": "10"}
    assert read_instalment(cells, "EUR").paid == Money.zero("EUR")
    with pytest.raises(Invalid, match="more than the amount"):
        read_instalment({**cells, "paid": "10.01"}, "EUR")


def test_an_ended_promise_has_its_end_and_an_open_one_has_none() -> None:
    cells = {"loan_ref": "L", "due_on": "2026-02-01", "amount": "10", "made_at": "2026-01-20"}
    assert read_promise(cells, "EUR", MADRID, NOW).state is PromiseState.OPEN
    broken = {**cells, "state": "Broken", "ended_at": "2026-02-02"}
    assert read_promise(broken, "EUR", MADRID, NOW).state is PromiseState.BROKEN
    for wrong in ({**cells, "state": "broken"}, {**cells, "ended_at": "2026-02-02"}):
        with pytest.raises(Invalid, match="ended_at"):
            read_promise(wrong, "EUR", MADRID, NOW)


def test_a_hold_may_end_in_the_future_and_an_opt_out_may_have_no_date() -> None:
    cells = {"borrower_ref": "B", "kind": "dispute", "reason": "Says it is not his."}
    hold = read_hold({**cells, "ends_at": "2026-09-01"}, MADRID, NOW)
    assert hold.starts_at == NOW
    assert hold.ends_at is not None
    assert hold.ends_at > NOW + timedelta(days=100)
    with pytest.raises(Invalid, match="before starts_at"):
        read_hold({**cells, "ends_at": "2026-01-01"}, MADRID, NOW)
    with pytest.raises(Invalid, match="Use: dispute"):
        read_hold({**cells, "kind": "annoyed"}, MADRID, NOW)
    assert read_opt_out({"borrower_ref": "B", "channel": "sms"}, MADRID, NOW).since is None
