"""Plaid's balances in Europe: what is null, what holds the overdraft, how numbers are read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.balance import Spendable, Unusable
from app.domain.errors import Unreadable
from connectors.plaid.balances import parse_balances
from tests.connectors.answers import judged


def account(
    available: Any = None, current: Any = None, limit: Any = None, **about: Any
) -> dict[str, Any]:
    currency = about.pop("currency", "EUR")
    balances = {
        "available": available,
        "current": current,
        "limit": limit,
        "iso_currency_code": currency,
        "unofficial_currency_code": None,
    }
    plain = {"account_id": "a", "type": "depository", "subtype": "checking", "name": "Cuenta"}
    return {**plain, **about, "balances": balances}


def spendable(one: dict[str, Any]) -> Spendable:
    (found,) = parse_balances({"accounts": [one], "request_id": "r"})
    return judged(found)


@pytest.mark.parametrize(
    ("one", "cents", "kind", "free"),
    [
        (account(100, 110), 10_000, "interimAvailable", True),
        # Higher than what is booked and no limit stated: the booked money bounds it.
        (account(600.0, 110.0), 11_000, "interimAvailable", True),
        (account(600.0, 110.0, 500), 10_000, "interimAvailable", True),
        # With the limit off there is still more than is booked.
        (account(600.0, 60.0, 500), 6_000, "interimAvailable", True),
        (account(600.0, None, 500), 10_000, "interimAvailable", True),
        (account(-20.5, -20.5, 500), -2_050, "interimAvailable", True),
        (account(42.42, None, 0), 4_242, "interimAvailable", True),
        # Alone it is what Plaid says it is: without the overdraft.
        (account(42.42), 4_242, "interimAvailable", True),
        # Null is no balance and never zero.
        (account(None, 110.25), 11_025, "interimBooked", True),
        (account(0, 0), 0, "interimAvailable", True),
        (account(0.1 + 0.2, 5), 30, "interimAvailable", True),
        (account(109.94999999999999, 200), 10_995, "interimAvailable", True),
        (account(123456789012.34, None, 0), 12_345_678_901_234, "interimAvailable", True),
        (account(1e15, None, 0), 10**17, "interimAvailable", True),
        (account(5, 5, subtype="savings"), 500, "interimAvailable", True),
    ],
)
def test_money_that_can_be_spent(one: Any, cents: int, kind: str, free: bool) -> None:
    found = spendable(one)
    assert found.amount is not None
    assert (found.amount.minor, found.kind, found.credit_excluded) == (cents, kind, free)


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (account(), Unusable.NO_BALANCES),
        (account(100.125, None), Unusable.UNREADABLE_AMOUNT),
        (account("100,00", None), Unusable.UNREADABLE_AMOUNT),
        (account(True, None), Unusable.UNREADABLE_AMOUNT),
        (account(json.loads("NaN"), None), Unusable.UNREADABLE_AMOUNT),
        (account(json.loads("1e400"), None), Unusable.UNREADABLE_AMOUNT),
        (account(1e30, None), Unusable.UNREADABLE_AMOUNT),
        (account(0.001, None), Unusable.UNREADABLE_AMOUNT),
        (account(10**40, None), Unusable.UNREADABLE_AMOUNT),
        (account([], {}), Unusable.UNREADABLE_AMOUNT),
        (account(100, 100, currency=None), Unusable.UNREADABLE_AMOUNT),
        (account(100, 100, currency="BTC"), Unusable.UNREADABLE_AMOUNT),
        (account(100, 100, type="credit", subtype="credit card"), Unusable.NOT_MONEY),
        (account(100, 100, type="loan"), Unusable.NOT_MONEY),
        (account(100, 100, type="investment"), Unusable.NOT_MONEY),
        (account(100, 100, subtype="cd"), Unusable.NOT_MONEY),
    ],
)
def test_what_cannot_be_spent_says_why(one: Any, why: Unusable) -> None:
    found = spendable(one)
    assert (found.amount, found.unusable) == (None, why)


@pytest.mark.parametrize("limit", ["500,00", json.loads("NaN"), True, [], {"amount": 500}, 10**20])
def test_a_limit_that_cannot_be_read_is_not_taken_for_none(limit: Any) -> None:
    found = spendable(account(610, None, limit))
    assert found.amount is not None
    assert (found.amount.minor, found.credit_excluded) == (61_000, False)
    # Bounded by what is booked, it can be believed as at any bank that says nothing of a limit.
    found = spendable(account(610, 200, limit))
    assert found.amount is not None
    assert (found.amount.minor, found.credit_excluded) == (20_000, True)


def test_shapes() -> None:
    one = account(1, 2)
    one["balances"]["last_updated_datetime"] = "2026-11-23T08:59:00Z"
    for document in (one, {"accounts": [one]}, [one], one["balances"]):
        (found,) = parse_balances(document)
        assert found.entries[0].as_of is not None
        assert found.entries[0].as_of.isoformat() == "2026-11-23T08:59:00+00:00"
    assert len(parse_balances({"accounts": [one, account(), {}]})) == 3
    refusal = {"error_type": "ITEM_ERROR", "error_code": "ITEM_LOGIN_REQUIRED"}
    for nothing in ({}, refusal, {"accounts": [{"account_id": "x"}]}, "text", None, 7):
        with pytest.raises(Unreadable):
            parse_balances(nothing)
