"""Berlin Group: transactions, reduced to day and amount, over all pages, the borrower present."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from app.domain.errors import AllowanceSpent, Declined, ProviderError, Unreadable
from app.domain.ids import Secret
from app.domain.money import Money
from app.ports import Grant
from app.side_ports import Moved, TransactionsPort
from connectors.berlin_group.transactions import transactions_page
from tests.connectors.answers import tpp
from tests.connectors.rigs import BankRig
from tests.connectors.scene import HERE

pytestmark = pytest.mark.anyio

SINCE = date(2026, 9, 4)
GRANT, REF = Grant("luz", Secret("c")), Secret("a1")


def entry(amount: str, **about: Any) -> dict[str, Any]:
    return {
        "transactionAmount": {"currency": "EUR", "amount": amount},
        "bookingDate": "2026-11-05",
        **about,
    }


def page(*booked: dict[str, Any], pending: tuple[Any, ...] = (), **links: str) -> dict[str, Any]:
    to = {name: {"href": href} for name, href in links.items()}
    return {"transactions": {"booked": list(booked), "pending": list(pending), "_links": to}}


def port_over(tmp_path: Path, *answers: tuple[int, Any]) -> tuple[TransactionsPort, list[Any]]:
    """A bank that gives these answers in turn, and what it was asked."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        status, body = answers[len(seen) - 1]
        return httpx.Response(status, content=json.dumps(body).encode())

    port = BankRig(tmp_path).aggregation_over(httpx.MockTransport(answer))
    assert isinstance(port, TransactionsPort)
    return port, seen


@pytest.mark.parametrize(
    ("item", "read"),
    [
        (entry("-430.00", creditorName="Casa"), -43_000),
        (entry("1500.00", debtorName="Work"), 150_000),
        (entry("1500"), 150_000),
        # Without a sign, and somebody named who receives it: it could be either.
        (entry("256.67", creditorName="John Miles"), None),
        (entry("256.67", creditorAccount={"iban": "DE67100100101306118605"}), None),
        # Unless the bank marks it.
        (entry("256.67", creditorName="John Miles", creditDebitIndicator="DBIT"), -25_667),
        (entry("256.67", creditDebitIndicator="Debit"), -25_667),
        (entry("1500.00", creditDebitIndicator="CRDT"), 150_000),
        (entry("1,500.00"), None),
        (entry("nan"), None),
        ({**entry("-1.00"), "bookingDate": "yesterday"}, None),
        ({"transactionAmount": {"currency": "EUR", "amount": "-1.00"}}, None),
        ("rubbish", None),
    ],
)
def test_only_what_surely_came_or_left_is_read(item: Any, read: int | None) -> None:
    found = transactions_page(page(item)).moved
    assert found == (() if read is None else (Moved(date(2026, 11, 5), Money(read, "EUR")),))


def test_a_pending_one_has_the_day_of_its_value() -> None:
    on_its_way = {
        "transactionAmount": {"currency": "EUR", "amount": "-9.00"},
        "valueDate": "2026-11-27",
    }
    found = transactions_page(page(pending=(on_its_way,))).moved
    assert found == (Moved(date(2026, 11, 27), Money(-900, "EUR")),)
    # Nothing but day and amount is in what goes on.
    assert set(Moved.__slots__) == {"on", "amount"}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"transactions": []},
        {"transactions": {"booked": {}}},
        {"_links": {"download": {"href": "/x"}}},
    ],
)
def test_what_is_no_list_is_not_read(document: Any) -> None:
    with pytest.raises(Unreadable):
        transactions_page(document)


async def test_all_pages_are_read_with_the_borrower_named(tmp_path: Path) -> None:
    following = "/banks/luz/psd2/v1/accounts/a1/transactions?page=2"
    port, seen = port_over(
        tmp_path, (200, page(entry("-1.00"), next=following)), (200, page(entry("-2.00")))
    )
    found = await port.transactions(GRANT, REF, SINCE, HERE)
    assert [one.amount.minor for one in found] == [-100, -200]
    assert parse_qs(urlsplit(str(seen[0].url)).query) == {
        "dateFrom": ["2026-09-04"],
        "bookingStatus": ["both"],
    }
    assert str(seen[1].url).endswith(following)
    assert {one.headers["psu-ip-address"] for one in seen} == {HERE.ip}
    assert {one.headers["consent-id"] for one in seen} == {"c"}


async def test_a_bank_that_refuses_the_pending_ones_is_asked_for_the_booked(tmp_path: Path) -> None:
    port, seen = port_over(tmp_path, (400, tpp("PARAMETER_NOT_SUPPORTED")), (200, page()))
    assert await port.transactions(GRANT, REF, SINCE, HERE) == ()
    assert "bookingStatus=booked" in str(seen[1].url)


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([(429, tpp("ACCESS_EXCEEDED"))], AllowanceSpent),
        ([(400, tpp("PERIOD_INVALID"))] * 2, Declined),
        ([(200, {"other": 1})], Unreadable),
        ([(200, page(next="https://evil.example/next"))], ProviderError),
        ([(200, page(next="/banks/luz/psd2/v1/again"))] * 20, Unreadable),
    ],
)
async def test_what_fails_is_said_by_its_next_step(
    tmp_path: Path, answers: list[tuple[int, Any]], error: type[ProviderError]
) -> None:
    port, seen = port_over(tmp_path, *answers)
    with pytest.raises(error):
        await port.transactions(GRANT, REF, SINCE, HERE)
    assert len(seen) == len(answers)
    assert all(one.url.host == "127.0.0.1" for one in seen)


async def test_a_consent_asks_for_transactions_only_where_they_were_allowed(tmp_path: Path) -> None:
    rig = BankRig(tmp_path)
    await rig.begin()
    await rig.begin(transactions=True)
    asked = [set(json.loads(one.body)["access"]) for one in rig.seen]
    assert asked == [{"accounts", "balances"}, {"accounts", "balances", "transactions"}]
