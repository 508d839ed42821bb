"""Tink's balances: which is the borrower's own money, and how the amounts are written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain.balance import Spendable, Unusable
from app.domain.errors import Unreadable
from connectors.tink.balances import parse_balances
from tests.connectors.answers import judged


def money(minor: Any, currency: Any = "EUR", **more: Any) -> dict[str, Any]:
    """An amount as the balances endpoint writes it."""
    value = {"scale": 2, "unscaledValue": minor}
    stated = {"currencyCode": currency, "value": value, "valueInMinorUnit": minor, **more}
    return {"amount": stated}


def answer(limit: Any = None, **balances: Any) -> dict[str, Any]:
    found = {"accountId": "a", "balances": balances, "refreshed": "2026-11-23T08:59:00Z"}
    return found if limit is None else {**found, "creditLimit": limit}


def spendable(document: Any) -> Spendable:
    (found,) = parse_balances(document)
    return judged(found)


OWN, WITH, BOOKED = (
    "availableBalanceExcludingCredit",
    "availableBalanceIncludingCredit",
    "bookedBalance",
)


@pytest.mark.parametrize(
    ("document", "cents", "kind", "free"),
    [
        # The money without credit is the answer, whatever stands beside it.
        (answer(money(50_000), **{BOOKED: money(9_900), WITH: money(60_500), OWN: money(10_500)}),
         10_500, "interimAvailable", True),
        (answer(**{OWN: money(-2_550)}), -2_550, "interimAvailable", True),
        (answer(**{OWN: money(0), BOOKED: money(100)}), 0, "interimAvailable", True),
        # What holds credit counts less the stated limit, also below the booked balance.
        (answer(money(50_000), **{WITH: money(60_500)}), 10_500, "interimAvailable", True),
        (answer(money(50_000), **{WITH: money(60_500), BOOKED: money(99_900)}),
         10_500, "interimAvailable", True),
        (answer(money(0), **{WITH: money(60_500)}), 60_500, "interimAvailable", True),
        # Without a stated limit it counts not at all.
        (answer(**{WITH: money(60_500), BOOKED: money(9_900)}), 9_900, "interimBooked", True),
        # One of the two forms of an amount is enough; they may be strings in the list.
        (answer(**{OWN: {"amount": {"currencyCode": "PLN", "valueInMinorUnit": 1_234}}}),
         1_234, "interimAvailable", True),
        (answer(**{OWN: {"amount": {"currencyCode": "EUR",
                                    "value": {"scale": "-3", "unscaledValue": "19"}}}}),
         1_900_000, "interimAvailable", True),
        # Each of the whole numbers may be a string.
        (answer(**{OWN: {"amount": {"currencyCode": "EUR", "valueInMinorUnit": "-1050"}}}),
         -1_050, "interimAvailable", True),
        # The list of accounts says nothing of credit.
        ({"accounts": [{"type": "CHECKING", "balances": {"available": money(700),
                                                         "booked": money(500)}}]},
         500, "interimAvailable", True),
        ({"type": "SAVINGS", "balances": {"available": money(700)}},
         700, "interimAvailable", False),
        ({"creditLimit": money(400), "balances": {"available": money(700)}},
         300, "interimAvailable", True),
    ],
)  # fmt: skip
def test_the_money_that_is_his_own(document: Any, cents: int, kind: str, free: bool) -> None:
    found = spendable(document)
    assert found.amount is not None
    assert (found.amount.minor, found.kind, found.credit_excluded) == (cents, kind, free)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (answer(), Unusable.NO_BALANCES),
        (answer(**{OWN: None, BOOKED: None}), Unusable.NO_BALANCES),
        (answer(**{WITH: money(60_500)}), Unusable.CREDIT_INCLUDED),
        (answer(money(10, "USD"), **{WITH: money(60_500)}), Unusable.CREDIT_INCLUDED),
        (answer(**{OWN: money(10.5)}), Unusable.UNREADABLE_AMOUNT),
        (answer(**{OWN: money("1050", valueInMinorUnit="10.50")}), Unusable.UNREADABLE_AMOUNT),
        (answer(**{OWN: money(True)}), Unusable.UNREADABLE_AMOUNT),
        (answer(**{OWN: money(1_050, valueInMinorUnit=10_500)}), Unusable.UNREADABLE_AMOUNT),
        (answer(**{OWN: money(1_050, value={"scale": 3, "unscaledValue": 10_505})}),
         Unusable.UNREADABLE_AMOUNT),
        (answer(**{OWN: money(1_050, value={"scale": 99, "unscaledValue": 1})}),
         Unusable.UNREADABLE_AMOUNT),
        (answer(**{OWN: money(1_050, "XTS")}), Unusable.UNREADABLE_AMOUNT),
        (answer(**{OWN: {"amount": {"currencyCode": "EUR"}}}), Unusable.UNREADABLE_AMOUNT),
        (answer(**{OWN: {}}), Unusable.UNREADABLE_AMOUNT),
        (answer(money(2**62), **{WITH: money(-(2**62) - 2**61)}), Unusable.UNREADABLE_AMOUNT),
        ({"type": "CREDIT_CARD", "balances": {"available": money(700), "booked": money(500)}},
         Unusable.NOT_MONEY),
    ],
)  # fmt: skip
def test_what_cannot_be_spent_says_why(document: Any, why: Unusable) -> None:
    found = spendable(document)
    assert (found.amount, found.unusable) == (None, why)


def test_shapes_and_instants() -> None:
    one = answer(**{OWN: money(100)})
    (read,) = parse_balances(one)
    assert read.entries[0].as_of == datetime(2026, 11, 23, 8, 59, tzinfo=UTC)
    listed = {"balances": {"booked": money(1)}, "dates": {"lastRefreshed": "2026-11-23T08:59:00Z"}}
    (read,) = parse_balances({"accounts": [listed], "nextPageToken": ""})
    assert read.entries[0].as_of == datetime(2026, 11, 23, 8, 59, tzinfo=UTC)
    assert len(parse_balances([one, one])) == 2
    assert len(parse_balances({"accounts": [listed, {}]})) == 2
    assert len(parse_balances(one["balances"])) == 1
    assert parse_balances({"accounts": []}) == ()
    for nothing in ({}, {"accounts": [{"id": "x"}]}, "text", None, 7, {"balances": {"x": 1}},
                    {"errorCode": "forbidden"}):  # fmt: skip
        with pytest.raises(Unreadable):
            parse_balances(nothing)
