"""Kinds of balances as banks spell them, marks of debit instead of a minus, words for closed."""

from __future__ import annotations

from typing import Any

import pytest

import connectors
from app.domain.balance import Spendable, Unusable
from connectors._kinds import kind_of
from tests.connectors.answers import judged


def said(connector: str, kind: str, amount: str, **more: Any) -> dict[str, Any]:
    money = {"amount": amount, "currency": "EUR"}
    if connector == "enable_banking":
        return {"balance_type": kind, "balance_amount": money, **more}
    return {"balanceType": kind, "balanceAmount": money, **more}


def spendable(connector: str, *listed: dict[str, Any], **account: Any) -> Spendable:
    read = connectors.discover()[connector].parse_balances
    assert read is not None
    (answer,) = read({"account": account, "balances": list(listed)})
    return judged(answer)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("InterimAvailable", "interimAvailable"),
        ("INTERIM_AVAILABLE", "interimAvailable"),
        ("INTERIMBOOKED", "interimBooked"),
        ("closing booked", "closingBooked"),
        ("ITAV", "interimAvailable"),
        ("clbd", "closingBooked"),
        ("CLAV", "closingAvailable"),
        ("NON_INVOICED", "nonInvoiced"),
        ("OpeningCleared", "openingCleared"),
        ("vorgemerkt", "vorgemerkt"),
        ("available", "available"),
        ("booked", "booked"),
        ("expectedly", "expectedly"),
        ("", ""),
    ],
)
def test_a_kind_is_known_in_every_spelling_of_it_and_no_other_is(word: str, kind: str) -> None:
    assert kind_of(word) == kind


@pytest.mark.parametrize("connector", ["berlin_group", "gocardless", "enable_banking"])
@pytest.mark.parametrize(
    ("available", "booked"), [("ITAV", "ITBD"), ("INTERIM_AVAILABLE", "InterimBooked")]
)
def test_spelt_otherwise_they_bound_each_other_all_the_same(
    connector: str, available: str, booked: str
) -> None:
    found = spendable(
        connector, said(connector, available, "800.00"), said(connector, booked, "5.00")
    )
    assert (found.amount and found.amount.minor, found.credit_excluded) == (500, True)


@pytest.mark.parametrize(
    ("connector", "name"),
    [
        ("berlin_group", "creditDebitIndicator"),
        ("gocardless", "creditDebitIndicator"),
        ("enable_banking", "credit_debit_indicator"),
    ],
)
@pytest.mark.parametrize(
    ("amount", "mark", "cents"),
    [
        ("316.39", "DBIT", -31_639),
        ("316.39", "Debit", -31_639),
        ("-316.39", "DBIT", -31_639),
        ("0.00", "DBIT", 0),
        ("316.39", "CRDT", 31_639),
        ("-316.39", "Credit", -31_639),
        ("316.39", None, 31_639),
        ("316.39", 7, 31_639),
    ],
)
def test_an_amount_that_is_marked_as_a_debit_is_owed(
    connector: str, name: str, amount: str, mark: Any, cents: int
) -> None:
    """ISO 20022 and the British standard write no minus."""
    kind = "ITBD" if connector == "enable_banking" else "interimBooked"
    booked = said(connector, kind, amount, **{name: mark})
    found = spendable(connector, booked)
    assert found.amount is not None
    assert found.amount.minor == cents
    # So it shows what of an available balance is credit.
    kind = "ITAV" if connector == "enable_banking" else "interimAvailable"
    both = spendable(connector, said(connector, kind, "9999.00"), booked)
    assert both.amount is not None
    assert both.amount.minor == cents


@pytest.mark.parametrize("word", ["Disabled", "closed", "INACTIVE", "suspended", "frozen"])
def test_an_account_that_is_not_open_holds_nothing_to_pay_with(word: str) -> None:
    found = spendable("gocardless", said("gocardless", "interimBooked", "100.00"), status=word)
    assert found.unusable is Unusable.ACCOUNT_CLOSED
    opened = spendable("gocardless", said("gocardless", "interimBooked", "1.00"), status="ENABLED")
    assert opened.amount is not None


@pytest.mark.parametrize("code", ["ALL", "AMD", "AZN", "BAM", "BYN", "MKD"])
def test_currencies_of_all_of_europe_are_read(code: str) -> None:
    one = {"balanceType": "interimBooked", "balanceAmount": {"amount": "100.00", "currency": code}}
    found = spendable("berlin_group", one)
    assert found.amount is not None
    assert str(found.amount) == f"100.00 {code}"
