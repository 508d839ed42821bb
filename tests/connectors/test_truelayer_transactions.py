"""TrueLayer: transactions by type and day, two lists, and a bank that has only one."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest

from app.domain.errors import AllowanceSpent, Declined, ProviderError, Unreadable
from app.domain.ids import Secret
from app.domain.money import Money
from app.side_ports import Moved, TransactionsPort
from connectors.truelayer.transactions import transactions_in
from tests.connectors.registry import refused
from tests.connectors.rig_truelayer import TrueLayerRig
from tests.connectors.scene import HERE

pytestmark = pytest.mark.anyio

MADRID = ZoneInfo("Europe/Madrid")
SINCE = date(2026, 9, 4)


@pytest.fixture
def rig(tmp_path: Path) -> TrueLayerRig:
    return TrueLayerRig(tmp_path)


def entry(word: str = "DEBIT", amount: Any = -430.0, **about: Any) -> dict[str, Any]:
    return {
        "timestamp": "2026-11-05T00:00:00Z",
        "transaction_type": word,
        "amount": amount,
        "currency": "EUR",
        "description": "John Miles",
        "merchant_name": "John Miles",
        **about,
    }


@pytest.mark.parametrize(
    ("item", "read"),
    [
        (entry(), -43_000),
        # As cards have it, and some banks: the type tells, and not the sign.
        (entry(amount=430), -43_000),
        (entry("CREDIT", 430.0), 43_000),
        (entry("CREDIT", 0.29), 29),
        (entry("CREDIT", -430.0), None),
        (entry("OTHER"), None),
        (entry(transaction_type=None), None),
        (entry(amount="430,00"), None),
        (entry(amount=430.001), None),
        (entry(amount=float("nan")), None),
        (entry(currency="EURO"), None),
        (entry(timestamp="yesterday"), None),
        (entry(timestamp=None), None),
        ("rubbish", None),
    ],
)
def test_only_what_surely_came_or_left_is_read(item: Any, read: int | None) -> None:
    found = transactions_in({"results": [item]}, MADRID)
    assert found == (() if read is None else (Moved(date(2026, 11, 5), Money(read, "EUR")),))


@pytest.mark.parametrize(
    ("stated", "day"),
    [
        # A midnight is a day without an hour, and no evening before it.
        ("2026-11-05T00:00:00Z", 5),
        ("2026-11-05", 5),
        ("2026-11-05T00:00:00", 5),
        ("2026-11-05T10:30:00Z", 5),
        ("2026-11-05T23:30:00.123Z", 6),
        ("2026-11-05T23:30:00+01:00", 5),
    ],
)
def test_the_day_is_that_of_the_bank(stated: str, day: int) -> None:
    (found,) = transactions_in({"results": [entry(timestamp=stated)]}, MADRID)
    assert found.on == date(2026, 11, day)


def over(rig: TrueLayerRig, *answers: tuple[int, Any]) -> tuple[TransactionsPort, list[Any]]:
    """A vendor that gives these answers in turn, and what it was asked."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        status, body = answers[len(seen) - 1]
        return httpx.Response(status, content=json.dumps(body).encode())

    port = rig.bare(httpx.MockTransport(answer))
    assert isinstance(port, TransactionsPort)
    return port, seen


async def test_booked_and_pending_ones_are_asked_for_with_him_there(rig: TrueLayerRig) -> None:
    on_its_way = entry(amount=-9.0, timestamp="2026-11-23T08:00:00Z")
    port, seen = over(rig, (200, {"results": [entry()]}), (200, {"results": [on_its_way]}))
    found = await port.transactions(rig.any_grant("t"), Secret("a1"), SINCE, HERE)
    assert [one.amount.minor for one in found] == [-43_000, -900]
    parts = [urlsplit(str(one.url)) for one in seen]
    below = "/data/v1/accounts/a1/transactions"
    assert [one.path.partition("/truelayer/api")[2] for one in parts] == [below, f"{below}/pending"]
    # From the first midnight at the bank, which is an evening in UTC, until now.
    assert parse_qs(parts[0].query) == {
        "from": ["2026-09-03T22:00:00Z"],
        "to": ["2026-11-23T09:00:00Z"],
    }
    assert {one.headers["x-psu-ip"] for one in seen} == {HERE.ip}


async def test_a_bank_without_pending_ones_shows_the_booked_ones(rig: TrueLayerRig) -> None:
    no = {"error": "endpoint_not_supported"}
    port, _ = over(rig, (200, {"results": [entry()]}), (501, no))
    assert len(await port.transactions(rig.any_grant("t"), Secret("a1"), SINCE, HERE)) == 1
    port, _ = over(rig, (501, no))
    call = port.transactions(rig.any_grant("t"), Secret("a1"), SINCE, HERE)
    assert isinstance(await refused(call), Declined)


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([(403, {"error": "sca_exceeded"})], Declined),
        ([(429, {"error": "provider_too_many_requests"})], AllowanceSpent),
        ([(200, {"results": []}), (429, {})], AllowanceSpent),
        ([(200, {"results": []}), (200, {"results": 7})], Unreadable),
    ],
)
async def test_what_fails_is_said_by_its_next_step(
    rig: TrueLayerRig, answers: list[tuple[int, Any]], error: type[ProviderError]
) -> None:
    port, seen = over(rig, *answers)
    call = port.transactions(rig.any_grant("t"), Secret("a1"), SINCE, HERE)
    assert isinstance(await refused(call), error)
    assert len(seen) == len(answers)


async def test_the_scope_is_asked_for_only_where_it_was_allowed(rig: TrueLayerRig) -> None:
    pages = [(await rig.begin(transactions=ticked)).redirect_url for ticked in (False, True)]
    asked = [parse_qs(urlsplit(page).query)["scope"][0] for page in pages]
    plain = "accounts balance offline_access"
    assert asked == [plain, f"{plain} transactions"]
