"""Plaid: a history that comes as updates, complete or not at all; what left is above zero."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import plaid
import pytest
from plaid.api.plaid_api import PlaidApi
from plaid.model.transactions_sync_request import TransactionsSyncRequest
from plaid.model.transactions_sync_request_options import TransactionsSyncRequestOptions

from app.domain.errors import AllowanceSpent, Declined, ProviderError, TryLater, Unreadable
from app.domain.ids import Secret
from app.domain.money import Money
from app.ports import Grant
from app.side_ports import CopiedTransactionsPort, Moved
from connectors.plaid.grants import Held
from connectors.plaid.transactions import Told
from sandbox.faces.plaid_moved import FETCHED_AFTER
from sandbox.faces.plaid_wire import CLIENT_ID, ROOT, SECRET
from tests.connectors.registry import refused
from tests.connectors.rig_plaid import PlaidRig
from tests.connectors.test_contract_transactions import agreed, liver
from tests.connectors.test_over_http import listening

pytestmark = pytest.mark.anyio

SINCE = date(2026, 9, 4)
GRANT, REF = Grant("luz", Held("access-1", until=date(2027, 1, 31)).sealed()), Secret("a1")


@pytest.fixture
def rig(tmp_path: Path) -> PlaidRig:
    return PlaidRig(tmp_path)


def entry(number: str = "t1", amount: Any = 430.0, **about: Any) -> dict[str, Any]:
    return {
        "transaction_id": number,
        "account_id": "a1",
        "amount": amount,
        "iso_currency_code": "EUR",
        "date": "2026-11-05",
        "name": "John Miles",
        "pending": False,
        "pending_transaction_id": None,
        **about,
    }


def page(*added: Any, more: str = "", **about: Any) -> dict[str, Any]:
    return {
        "transactions_update_status": "HISTORICAL_UPDATE_COMPLETE",
        "added": list(added),
        "modified": [],
        "removed": [],
        "next_cursor": more or "end",
        "has_more": bool(more),
        **about,
    }


def told(*pages: dict[str, Any]) -> list[int]:
    found = Told("a1")
    for one in pages:
        found.take(one)
    return [one.amount.minor for one in found.moved()]


@pytest.mark.parametrize(
    ("item", "read"),
    [
        # Money that left is above zero there, and below zero with us.
        (entry(), -43_000),
        (entry(amount=-1500), 150_000),
        (entry(amount=109.94999999999999), -10_995),
        (entry(pending=True), -43_000),
        (entry(amount="430,00"), None),
        (entry(amount=True), None),
        (entry(amount=4.301), None),
        (entry(amount=float("nan")), None),
        (entry(iso_currency_code=None, unofficial_currency_code="BTC"), None),
        (entry(iso_currency_code=["EUR"]), None),
        (entry(date=None), None),
        (entry(date="yesterday"), None),
        (entry(account_id="another"), None),
        ("rubbish", None),
    ],
)
def test_only_what_surely_came_or_left_is_read(item: Any, read: int | None) -> None:
    found = Told("a1")
    assert found.take(page(item)) == ""
    wanted = () if read is None else (Moved(date(2026, 11, 5), Money(read, "EUR")),)
    assert found.moved() == wanted


def test_a_later_page_corrects_an_earlier_one() -> None:
    first = page(entry("a", 1), entry("b", 2), entry("c", 3, pending=True), more="p2")
    second = page(
        entry("d", 3, pending_transaction_id="c"),
        modified=[entry("a", 10)],
        removed=[{"transaction_id": "b", "account_id": "a1"}],
    )
    assert sorted(told(first, second)) == [-1_000, -300]


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {**page(), "added": None},
        {**page(), "removed": {}},
        {**page(), "has_more": True, "next_cursor": ""},
        {**page(), "transactions_update_status": None},
    ],
)
def test_what_is_no_page_is_not_read(document: Any) -> None:
    with pytest.raises(Unreadable):
        Told("a1").take(document)


def over(rig: PlaidRig, *answers: tuple[int, Any]) -> tuple[CopiedTransactionsPort, list[Any]]:
    """Plaid giving these answers in turn, the last one again and again; what it was asked."""
    seen: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content))
        status, body = answers[min(len(seen), len(answers)) - 1]
        return httpx.Response(status, content=json.dumps(body).encode())

    port = rig.aggregation_over(httpx.MockTransport(answer))
    assert isinstance(port, CopiedTransactionsPort)
    return port, seen


def no(code: str, kind: str = "INVALID_INPUT") -> tuple[int, dict[str, Any]]:
    return 400, {"error_type": kind, "error_code": code, "error_message": "no"}


CHANGED = no("TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION", "TRANSACTIONS_ERROR")


async def test_a_history_that_changes_meanwhile_is_read_anew(rig: PlaidRig) -> None:
    port, seen = over(
        rig,
        (200, page(entry("a", 1), more="p2")),
        CHANGED,
        (200, page(entry("a", 1), entry("b", 2), more="p2")),
        (200, page(entry("c", 3), entry("old", 4, date="2026-09-03"))),
    )
    found = await port.copied_transactions(GRANT, REF, SINCE)
    assert [one.amount.minor for one in found] == [-100, -200, -300]
    assert [one.get("cursor") for one in seen] == [None, "p2", None, "p2"]
    assert {one["options"]["account_id"] for one in seen} == {"a1"}
    port, seen = over(rig, CHANGED)
    error = await refused(port.copied_transactions(GRANT, REF, SINCE))
    assert (type(error), len(seen)) == (TryLater, 3)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((200, page(transactions_update_status="NOT_READY")), TryLater),
        ((200, page(entry(), transactions_update_status="INITIAL_UPDATE_COMPLETE")), TryLater),
        ((200, page(more="again")), Unreadable),
        (no("PRODUCTS_NOT_SUPPORTED"), Declined),
        (no("ADDITIONAL_CONSENT_REQUIRED"), Declined),
        (no("TRANSACTIONS_LIMIT", "RATE_LIMIT_EXCEEDED"), AllowanceSpent),
        (no("INTERNAL_SERVER_ERROR", "API_ERROR"), TryLater),
    ],
)
async def test_what_fails_is_said_by_its_next_step(
    rig: PlaidRig, answer: tuple[int, Any], error: type[ProviderError]
) -> None:
    port, _ = over(rig, answer)
    assert isinstance(await refused(port.copied_transactions(GRANT, REF, SINCE)), error)


async def look_at(rig: PlaidRig) -> tuple[CopiedTransactionsPort, Grant, Secret]:
    grant, ref = await agreed(rig, liver(rig))
    assert isinstance(rig.aggregation, CopiedTransactionsPort)
    return rig.aggregation, grant, ref


async def test_it_is_ready_when_plaid_has_fetched_everything(rig: PlaidRig) -> None:
    port, grant, ref = await look_at(rig)
    assert isinstance(await refused(port.copied_transactions(grant, ref, SINCE)), TryLater)
    rig.watch.on(seconds=FETCHED_AFTER.total_seconds())
    assert len(await port.copied_transactions(grant, ref, SINCE)) > 100


async def test_the_product_is_added_only_where_it_was_allowed(rig: PlaidRig) -> None:
    await rig.begin()
    await rig.begin(transactions=True)
    made = [json.loads(one.body) for one in rig.seen if one.url.endswith("/link/token/create")]
    assert [one["products"] for one in made] == [["auth"], ["auth"]]
    asked = [(one.get("required_if_supported_products"), one.get("transactions")) for one in made]
    assert asked == [(None, None), (["transactions"], {"days_requested": 90})]


async def test_without_the_setting_nothing_is_shown(tmp_path: Path) -> None:
    class Plain(PlaidRig):
        def given(self) -> dict[str, Any]:
            return {**super().given(), "transactions": False}

    assert not isinstance(Plain(tmp_path).aggregation, CopiedTransactionsPort)


async def test_a_client_of_the_vendor_reads_the_history_from_the_face(rig: PlaidRig) -> None:
    """plaid-python checks every answer against the vendor's models."""
    port, grant, ref = await look_at(rig)
    rig.watch.on(seconds=FETCHED_AFTER.total_seconds())
    ours = await port.copied_transactions(grant, ref, date(2026, 8, 1))
    async with listening(rig.scene.world) as origin:
        keys = {"clientId": CLIENT_ID, "secret": SECRET}
        api = PlaidApi(plaid.ApiClient(plaid.Configuration(f"{origin}{ROOT}", api_key=keys)))
        options = TransactionsSyncRequestOptions(account_id=ref.reveal())
        access, cursor, theirs = Held.of(grant.token).access, "", []
        while True:
            more = {"cursor": cursor} if cursor else {}
            ask = TransactionsSyncRequest(access_token=access, count=60, options=options, **more)
            got = await asyncio.to_thread(api.transactions_sync, ask)
            theirs += [(one.date, round(-one.amount * 100)) for one in got.added]
            cursor = got.next_cursor
            if not got.has_more:
                break
    assert sorted(theirs) == sorted((one.on, one.amount.minor) for one in ours)
