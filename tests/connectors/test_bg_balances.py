"""Berlin Group balances and accounts: official examples, and what banks make of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.balance import Spendable, Unusable
from app.domain.errors import Unreadable
from app.domain.money import Money
from app.ports import BalanceAnswer
from connectors.berlin_group.balances import believed, found_accounts, parse_balances
from tests.connectors.answers import judged

EXAMPLES = Path(__file__).resolve().parents[1] / "fixtures" / "berlin_group"


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def entry(kind: str = "interimAvailable", amount: Any = "1.00", **more: Any) -> dict[str, Any]:
    return {"balanceType": kind, "balanceAmount": {"currency": "EUR", "amount": amount}, **more}


def only(document: Any) -> BalanceAnswer:
    (answer,) = parse_balances(document)
    return answer


# ---------------------------------------------------------------- official examples


def test_a_regular_account() -> None:
    answer = only(example("balancesExample1_RegularAccount"))
    closing, expected = answer.entries
    assert (closing.kind, closing.amount) == ("closingBooked", Money(50_000, "EUR"))
    assert closing.as_of == datetime(2017, 10, 25, tzinfo=UTC)  # the start of a bare date
    assert closing.limit_included is None
    assert (expected.kind, expected.amount) == ("expected", Money(90_000, "EUR"))
    assert expected.as_of == datetime(2017, 10, 25, 15, 30, 35, 35_000, tzinfo=UTC)


def test_an_account_of_several_currencies_keeps_them_apart() -> None:
    answer = only(example("balancesExample2_MulticurrencyAcount"))
    assert [entry.amount for entry in answer.entries] == [
        Money(50_000, "EUR"),
        Money(90_000, "EUR"),
        Money(35_000, "USD"),
        Money(35_000, "USD"),
    ]
    assert answer.currency is None


def test_both_available_balances_are_stated_and_none_is_chosen() -> None:
    answer = only(example("balancesExample3_RegularAccount"))
    assert [(entry.kind, entry.limit_included) for entry in answer.entries] == [
        ("interimBooked", None),
        ("interimAvailable", None),
        ("interimAvailable", True),
    ]
    assert answer.entries[2].amount == Money(530_000, "EUR")


def test_a_bank_may_be_believed_for_some_of_its_balances_only() -> None:
    answer = only(
        [
            entry("interimAvailable", "9.00"),
            entry("expected", "7.00"),
            entry("interimBooked", "8.00"),
        ]
    )

    def spendable(*kinds: str) -> Spendable:
        said = believed(answer, kinds)
        assert len(said.entries) == 3
        return judged(said, "EUR")

    assert spendable("interimAvailable", "interimBooked").amount == Money(800, "EUR")
    assert spendable("expected", "interimBooked").amount == Money(700, "EUR")
    # Without its booked balance nobody knows whether a limit is in it: nothing is triggered.
    assert not spendable("interimAvailable").credit_excluded
    assert spendable("closingBooked").unusable is Unusable.UNKNOWN_KIND


def test_a_card_account_states_no_money() -> None:
    answer = only(example("balancesExample_CardAccount"))
    assert [entry.amount for entry in answer.entries] == [None] * 3
    assert all("card" in entry.problem for entry in answer.entries)


def test_details_without_balances_are_an_answer_without_entries() -> None:
    assert only(example("accountDetailsMulticurrencyAccount")) == BalanceAnswer((), None)


def test_an_account_list_without_balances() -> None:
    answers = parse_balances(example("accountListExample3"))
    assert [(answer.entries, answer.currency) for answer in answers] == [
        ((), None),
        ((), "EUR"),
        ((), "USD"),
    ]


def test_accounts_of_one_iban_in_several_currencies_stay_apart() -> None:
    found = found_accounts(example("accountListExample3"))
    assert [account.currency for account in found] == ["XXX", "EUR", "USD"]
    # The official example's IBAN has wrong check digits, and a wrong IBAN recognises nobody.
    assert {account.number for account in found} == {None}
    assert [account.name for account in found] == [
        "Aggregation Account",
        "Main Account",
        "US Dollar Account",
    ]
    assert [account.ref.reveal()[-3:] for account in found] == ["80f", "80e", "81d"]
    assert all(account.usable for account in found)


# ---------------------------------------------------------------- shapes


def test_the_shapes_an_answer_comes_in() -> None:
    one = {"balances": [entry()]}
    assert only(one).entries[0].amount == Money(100, "EUR")
    assert only({"account": {"currency": "EUR", "balances": [entry()]}}).currency == "EUR"
    assert only({"account": {"currency": "EUR"}, **one}).currency == "EUR"
    assert only([entry(), entry("closingBooked")]).entries[1].kind == "closingBooked"
    assert len(parse_balances([one, one])) == 2
    assert len(parse_balances({"accounts": [one, {"name": "broken"}, 7]})) == 3
    assert parse_balances({"accounts": []}) == ()
    assert parse_balances([]) == ()
    assert only({"balances": []}).entries == ()
    assert only({"cardAccounts": [one]}).entries[0].problem


@pytest.mark.parametrize(
    "document",
    [None, 7, "text", {}, {"tppMessages": []}, [1], [[{"balances": []}]], {"account": 3}],
)
def test_what_holds_no_balances_is_unreadable(document: Any) -> None:
    with pytest.raises(Unreadable):
        parse_balances(document)


@pytest.mark.parametrize("listed", [None, {}, "x", 3])
def test_balances_that_are_no_list_are_a_recorded_problem(listed: Any) -> None:
    (only_entry,) = only({"balances": listed}).entries
    assert only_entry.amount is None
    assert only_entry.problem


# ---------------------------------------------------------------- amounts


@pytest.mark.parametrize(
    "amount",
    ["1,234.56", "1.234,56", "1234,56", "NaN", "Infinity", "1e3", "", "1 234.56", "12.345", None,
     12.345, True, "0x10", "١٢", "1" * 30],
)  # fmt: skip
def test_an_amount_that_could_be_misread_is_not_read(amount: Any) -> None:
    (read,) = only({"balances": [entry(amount=amount)]}).entries
    assert read.amount is None
    assert read.kind == "interimAvailable"
    assert read.problem
    assert str(amount) not in read.problem or not amount


@pytest.mark.parametrize(
    ("amount", "minor"),
    [("0", 0), ("-316.39", -31_639), ("+5.0", 500), ("1000000.10", 100_000_010), ("3.500", 350)],
)
def test_amounts_are_signed_and_exact(amount: str, minor: int) -> None:
    (read,) = only({"balances": [entry(amount=amount)]}).entries
    assert read.amount == Money(minor, "EUR")


@pytest.mark.parametrize("currency", ["XXX", "EURO", "", None, ["EUR"], "BTC"])
def test_a_currency_we_do_not_know_is_a_recorded_problem(currency: Any) -> None:
    stated = {
        "balanceType": "interimBooked",
        "balanceAmount": {"amount": "1.00", "currency": currency},
    }
    (read,) = only({"balances": [stated]}).entries
    assert read.amount is None
    assert read.problem


@pytest.mark.parametrize(
    "broken",
    [
        7,
        None,
        [],
        {},
        {"balanceType": "expected"},
        {"balanceAmount": {"amount": "1", "currency": "EUR"}},
        {"balanceType": 3, "balanceAmount": {}},
        {"balanceType": "expected", "balanceAmount": "1.00"},
        {"debitAccounting": True},
    ],
)
def test_one_broken_entry_does_not_hide_the_others(broken: Any) -> None:
    first, second = only({"balances": [broken, entry()]}).entries
    assert first.amount is None
    assert first.problem
    assert second.amount == Money(100, "EUR")


@pytest.mark.parametrize(
    ("said", "meant"),
    [(True, True), (False, False), ("true", True), ("FALSE", False), (None, None), (1, True),
     ("1", True), (0, None), ("0", None), ("maybe", None), ([], None)],
)  # fmt: skip
def test_what_is_said_about_the_limit(said: Any, meant: bool | None) -> None:
    (read,) = only({"balances": [entry(creditLimitIncluded=said)]}).entries
    assert read.limit_included is meant


# ---------------------------------------------------------------- instants


@pytest.mark.parametrize(
    ("stated", "as_of"),
    [
        ({}, None),
        ({"referenceDate": "2026-11-20"}, "2026-11-19T23:00:00"),
        ({"referenceDate": "2026-11-20T10:00:00Z"}, "2026-11-19T23:00:00"),
        ({"lastChangeDateTime": "2026-11-20T10:00:00+01:00"}, "2026-11-20T09:00:00"),
        ({"lastChangeDateTime": "2026-11-20T10:00:00.1234567Z"}, "2026-11-20T10:00:00.123456"),
        # Without a zone it is the bank's own time.
        ({"lastChangeDateTime": "2026-11-20T10:00:00"}, "2026-11-20T09:00:00"),
        # A quiet account: last change long ago, the figure of today.
        (
            {"lastChangeDateTime": "2026-11-01T10:00:00Z", "referenceDate": "2026-11-20"},
            "2026-11-19T23:00:00",
        ),
        (
            {"lastChangeDateTime": "2026-11-20T10:00:00Z", "referenceDate": "2026-11-20"},
            "2026-11-20T10:00:00",
        ),
        ({"referenceDate": "20-11-2026"}, None),
        ({"referenceDate": "2026-02-30"}, None),
        ({"referenceDate": 20261120}, None),
        ({"lastChangeDateTime": "yesterday at noon"}, None),
        ({"lastChangeDateTime": "0001-01-01T00:00:00+14:00"}, None),
        ({"referenceDate": "0000-01-01"}, None),
        ({"lastChangeDateTime": "2026-11-20"}, None),
    ],
)
def test_when_the_bank_says_the_balance_is_of(stated: dict[str, Any], as_of: str | None) -> None:
    (answer,) = parse_balances({"balances": [entry(**stated)]}, ZoneInfo("Europe/Madrid"))
    expected = datetime.fromisoformat(as_of).replace(tzinfo=UTC) if as_of else None
    assert answer.entries[0].as_of == expected
    assert answer.entries[0].amount == Money(100, "EUR")  # a broken date costs no money


# ---------------------------------------------------------------- accounts


@pytest.mark.parametrize(
    ("account", "usable"),
    [
        ({"cashAccountType": "CACC", "status": "enabled"}, True),
        ({"cashAccountType": "SVGS"}, True),
        ({"status": "deleted"}, False),
        ({"status": "Blocked"}, False),
        ({"cashAccountType": "CARD"}, False),
        ({"cashAccountType": "loan"}, False),
        ({"cashAccountType": "ODFT"}, False),
        ({"maskedPan": "525412******3241"}, False),
        ({"maskedPan": "525412******3241", "iban": "ES9121000418450200051332"}, True),
        ({"cashAccountType": "CACC", "status": 3}, True),
    ],
)
def test_which_accounts_can_hold_money_to_pay_with(account: dict[str, Any], usable: bool) -> None:
    listed = {"resourceId": "a-1", "currency": "EUR", "balances": [entry()], **account}
    (found,) = found_accounts({"accounts": [listed]})
    assert found.usable is usable
    assert bool(found.why_unusable) is not usable
    (read,) = only({"accounts": [listed]}).entries
    assert (read.amount is not None) is usable


@pytest.mark.parametrize(
    ("account", "ref"),
    [
        ({"resourceId": "abc/def"}, "abc/def"),
        ({"_links": {"balances": {"href": "/psd2/v1/accounts/x%2F9/balances"}}}, "x/9"),
        ({"_links": {"balances": "https://b.example/v1/accounts/7/balances/"}}, "7"),
        ({}, ""),
        ({"resourceId": ".."}, ""),
        ({"resourceId": 7, "_links": []}, ""),
        ({"_links": {"balances": {"href": "/elsewhere"}}}, ""),
    ],
)
def test_how_an_account_is_asked_for(account: dict[str, Any], ref: str) -> None:
    (found,) = found_accounts({"accounts": [{"iban": "nonsense", **account}]})
    assert found.ref.reveal() == ref
    assert found.usable is bool(ref)
    assert found.number is None
    assert found.currency == ""


@pytest.mark.parametrize("document", [None, [], {}, {"accounts": {}}, "x"])
def test_an_answer_without_accounts_is_unreadable(document: Any) -> None:
    with pytest.raises(Unreadable):
        found_accounts(document)
