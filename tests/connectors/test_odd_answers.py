"""Shapes that banks and aggregators have been seen to answer in, and which money of them is his."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

import connectors
from app.commands.connectors import app
from app.domain.balance import Spendable, Unusable
from app.domain.errors import Unreadable
from connectors.berlin_group.balances import found_accounts
from tests.connectors.answers import judged

ISO = ("berlin_group", "gocardless")
EUR, SEK, GBP = "EUR", "SEK", "GBP"


def iso(kind: str, amount: Any, currency: str = EUR, **more: Any) -> dict[str, Any]:
    money = {"amount": amount, "currency": currency}
    return {"balanceType": kind, "balanceAmount": money, **more}


def of_enable(kind: str, amount: Any, currency: str = EUR, **more: Any) -> dict[str, Any]:
    money = {"amount": amount, "currency": currency}
    return {"name": kind, "balance_type": kind, "balance_amount": money, **more}


def of_truelayer(**figures: Any) -> dict[str, Any]:
    return {"results": [{"currency": GBP, **figures}], "status": "Succeeded"}


def spendable(connector: str, document: Any) -> Spendable:
    read = connectors.discover()[connector].parse_balances
    assert read is not None
    (answer,) = read(document)
    return judged(answer)


# ---------------------------------------------------------------- credit


@pytest.mark.parametrize("connector", ISO)
@pytest.mark.parametrize(
    "product",
    ["CreditCard", "Credit Card", "Kreditkort", "Kreditkarte Gold", "TARJETA DE CRÉDITO CLÁSICA",
     "Karta kredytowa", "Carte de crédit", "Luottokortti"],
)  # fmt: skip
def test_a_credit_card_that_calls_itself_a_current_account(connector: str, product: str) -> None:
    """A bank of the north lists its cards as CACC; what is available there is the limit's rest."""
    account = {"iban": "NO9386011117947", "cashAccountType": "CACC", "product": product}
    listed = [iso("expected", "2104.00", SEK), iso("interimAvailable", "97896.00", SEK)]
    found = spendable(connector, {"account": account, "balances": listed})
    assert (found.unusable, found.problem) == (Unusable.NOT_MONEY, "it is a card account")
    account = {"product": product, "cash_account_type": "CACC", "currency": SEK}
    listed = [of_enable("ITAV", "97896.00", SEK)]
    found = spendable("enable_banking", {"account": account, "balances": listed})
    assert found.unusable is Unusable.NOT_MONEY
    # It is not linked either.
    (listed_one,) = found_accounts({"accounts": [{"resourceId": "r", "product": product}]})
    assert not listed_one.usable


@pytest.mark.parametrize(
    "product", ["Girokonto", "Compte courant avec carte de crédit", "Cuenta Nómina", "", None, 7]
)
def test_an_account_of_another_product_is_no_card(product: Any) -> None:
    account = {"iban": "DE89370400440532013000", "product": product}
    found = spendable("gocardless", {"account": account, "balances": [iso("closingBooked", "9")]})
    assert found.amount is not None


@pytest.mark.parametrize(
    "field",
    ["last_statement_date", "payment_due_date", "card_network", "card_type",
     "partial_card_number", "credit_limit", "payment_due", "last_statement_balance"],
)  # fmt: skip
def test_whatever_tells_of_a_card_at_truelayer(field: str) -> None:
    found = spendable("truelayer", of_truelayer(available=3279.0, current=20.0, **{field: "x"}))
    assert found.unusable is Unusable.NOT_MONEY


def test_a_banks_own_warning_that_comes_through_enable_banking() -> None:
    warned = [of_enable("CLAV", "500.00", credit_limit_included=True)]
    found = spendable("enable_banking", {"balances": warned})
    assert found.unusable is Unusable.CREDIT_INCLUDED
    # Of a word that the vendor does not have, no promise is taken.
    promised = [of_enable("CLAV", "500.00", credit_limit_included=False)]
    assert spendable("enable_banking", {"balances": promised}).credit_excluded is False


def test_a_1_is_a_yes_and_a_0_is_no_promise() -> None:
    listed = [iso("interimAvailable", "800.00", creditLimitIncluded=1)]
    assert spendable("berlin_group", {"balances": listed}).unusable is Unusable.CREDIT_INCLUDED
    listed = [iso("interimAvailable", "800.00", creditLimitIncluded=0)]
    assert spendable("berlin_group", {"balances": listed}).credit_excluded is False


# ---------------------------------------------------------------- whole answers side by side


@pytest.mark.parametrize("connector", ISO)
@pytest.mark.parametrize("wrapped", [True, False])
def test_details_that_were_saved_with_the_balances_are_looked_at(
    connector: str, wrapped: bool
) -> None:
    def saved(kind: str, currency: str = EUR) -> dict[str, Any]:
        about = {"iban": "LT121000011101001000", "cashAccountType": kind, "currency": currency}
        listed = [iso("closingBooked", "12.34"), iso("closingBooked", "5.00", "USD")]
        answer = {"account": {"iban": "LT121000011101001000"}, "balances": listed}
        return {"details": {"account": about} if wrapped else about, "balances": answer}

    found = spendable(connector, saved("CACC"))
    assert found.amount is not None
    assert (found.amount.minor, found.amount.currency) == (1234, EUR)
    assert spendable(connector, saved("CARD")).unusable is Unusable.NOT_MONEY
    assert spendable(connector, saved("CACC", "PLN")).unusable is Unusable.OTHER_CURRENCY


def test_they_are_at_enable_banking_too() -> None:
    def saved(kind: str) -> dict[str, Any]:
        answer = {"balances": [of_enable("CLBD", "1.23")]}
        return {"details": {"cash_account_type": kind, "currency": EUR}, "balances": answer}

    found = spendable("enable_banking", saved("CACC"))
    assert found.amount is not None
    assert found.amount.minor == 123
    assert spendable("enable_banking", saved("LOAN")).unusable is Unusable.NOT_MONEY


@pytest.mark.parametrize("connector", [*ISO, "enable_banking"])
def test_an_object_in_the_place_of_the_list_is_no_answer(connector: str) -> None:
    none: list[Any] = [{}, {"0": iso("expected", "1.00")}, {"balances": None}, {"balances": {}}]
    for balances in none:
        found = spendable(connector, {"balances": balances})
        assert found.unusable is Unusable.UNREADABLE_ANSWER, balances


# ---------------------------------------------------------------- amounts


def test_a_decimal_string_where_a_number_is_documented() -> None:
    found = spendable("truelayer", of_truelayer(available="1161.20", current="1161.20"))
    assert found.amount is not None
    assert (found.amount.minor, found.credit_excluded) == (116_120, True)
    found = spendable("truelayer", of_truelayer(available="1500.00", overdraft="1000.00"))
    assert found.amount is not None
    assert found.amount.minor == 50_000
    balances = {"available": "110.94", "current": "200.00", "iso_currency_code": EUR}
    account = {"type": "depository", "subtype": "checking", "balances": balances}
    found = spendable("plaid", {"accounts": [account]})
    assert found.amount is not None
    assert found.amount.minor == 11_094


@pytest.mark.parametrize("text", ["1,161.20", "1161,20", "", "1.1612e3", "1161.205", "NaN", "£12"])
def test_one_that_can_be_meant_otherwise_is_not_read(text: str) -> None:
    found = spendable("truelayer", of_truelayer(available=text, current=text))
    assert found.unusable is Unusable.UNREADABLE_AMOUNT


# ---------------------------------------------------------------- one thing twice


@pytest.mark.parametrize(
    ("connector", "body"),
    [
        ("gocardless", ('{"balances": [{"balanceAmount": {"amount": "10.00", "amount": "9000.00",'
                       ' "currency": "EUR"}, "balanceType": "interimBooked"}]}')),
        ("berlin_group", ('{"balances": [{"balanceAmount": {"amount": "10.00", "currency": "EUR"},'
                         ' "balanceType": "interimBooked"}], "account": {"currency": "EUR",'
                         ' "currency": "USD"}}')),
        ("enable_banking", ('{"balances": [{"balance_amount": {"amount": "1.00"},'
                           ' "balance_type": "CLBD", "balance_type": "ITAV"}]}')),
        ("truelayer", '{"results": [{"currency": "GBP", "available": 1.2, "available": 9.9}]}'),
        ("tink", ('{"balances": {"booked": {"amount": {"currencyCode": "EUR", "value":'
                 ' {"scale": "2", "unscaledValue": "1", "unscaledValue": "100000"}}}}}')),
        ("plaid", ('{"accounts": [{"type": "credit", "type": "depository", "balances":'
                  ' {"available": 100, "iso_currency_code": "EUR"}}]}')),
    ],
)  # fmt: skip
def test_an_answer_that_states_one_thing_twice_is_not_read(connector: str, body: str) -> None:
    shown = CliRunner().invoke(app, ["parse", connector, "balances", "-"], input=body)
    assert shown.exit_code == 0
    assert '"spendable": null' in shown.stdout
    assert '"unusable": "unreadable_answer"' in shown.stdout
    assert "one thing twice" in shown.stdout


def test_two_answers_side_by_side_are_a_guess() -> None:
    one = {"balances": [iso("closingBooked", "12.34")]}
    read = connectors.discover()["gocardless"].parse_balances
    assert read is not None
    with pytest.raises(Unreadable):
        read({"a": one, "b": one})
