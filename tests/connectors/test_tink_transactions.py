"""Tink: transactions as it has fetched them, over all pages, under a token for them alone."""

from __future__ import annotations

import asyncio
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from tink_http_python.transactions import Transactions

from app.domain.errors import ConsentGone, Declined, TryLater, Unreadable
from app.domain.ids import Secret
from app.domain.money import Money
from app.ports import Grant
from app.side_ports import CopiedTransactionsPort, Moved
from connectors.tink.grants import Held
from connectors.tink.transactions import transactions_page
from sandbox.faces.tink import LINK, LOOK_LINK
from sandbox.modes import Mode
from tests.connectors.answers import answering
from tests.connectors.registry import refused
from tests.connectors.rig_tink import TinkRig
from tests.connectors.scene import ORIGIN
from tests.connectors.test_contract_transactions import agreed, liver
from tests.connectors.test_over_http import listening
from tests.connectors.test_tink_sdk import client_of_others

pytestmark = pytest.mark.anyio

ACCOUNT = "4a2945d1481c4f4b98ab1b135afd96c0"


@pytest.fixture
def rig(tmp_path: Path) -> TinkRig:
    return TinkRig(tmp_path)


def amount(unscaled: Any = "-43000", scale: Any = "2", currency: str = "EUR") -> dict[str, Any]:
    return {"currencyCode": currency, "value": {"scale": scale, "unscaledValue": unscaled}}


def entry(**about: Any) -> dict[str, Any]:
    return {
        "id": "d8f37f7d19c240abb4ef5d5dbebae4ef",
        "accountId": ACCOUNT,
        "amount": amount(),
        "dates": {"booked": "2026-11-05", "value": "2026-11-06"},
        "descriptions": {"display": "John Miles"},
        "status": "BOOKED",
        **about,
    }


@pytest.mark.parametrize(
    ("item", "read"),
    [
        (entry(), -43_000),
        (entry(status="PENDING"), -43_000),
        (entry(status="UNDEFINED"), -43_000),
        (entry(amount=amount(-1300, 1)), -13_000),
        (entry(amount=amount("15", "-2")), 150_000),
        (entry(dates={"value": "2026-11-05"}), -43_000),
        (entry(status="DELETED"), None),
        (entry(accountId="another"), None),
        (entry(dates={}), None),
        (entry(dates=None), None),
        (entry(amount=amount("1", "5")), None),
        (entry(amount=amount("1.5")), None),
        (entry(amount=amount(currency="EURO")), None),
        (entry(amount=None), None),
        ("rubbish", None),
    ],
)
def test_only_what_surely_came_or_left_is_read(item: Any, read: int | None) -> None:
    found = transactions_page({"transactions": [item], "nextPageToken": "AQ=="}, ACCOUNT)
    wanted = () if read is None else (Moved(date(2026, 11, 5), Money(read, "EUR")),)
    assert (found.moved, found.following) == (wanted, "AQ==")


async def look_at(rig: TinkRig) -> tuple[CopiedTransactionsPort, Grant, Secret]:
    grant, ref = await agreed(rig, liver(rig))
    assert isinstance(rig.aggregation, CopiedTransactionsPort)
    return rig.aggregation, grant, ref


async def test_all_pages_come_under_a_token_that_allows_nothing_else(rig: TinkRig) -> None:
    port, grant, ref = await look_at(rig)
    before = len(rig.seen)
    assert len(await port.copied_transactions(grant, ref, date(2026, 8, 25))) > 100
    sent = rig.seen[before:]
    pages = [parse_qs(urlsplit(one.url).query) for one in sent if "/transactions?" in one.url]
    assert len(pages) > 1
    # A day earlier: midnight there is later than midnight at banks in the east.
    assert {page["bookedDateGte"][0] for page in pages} == {"2026-08-24"}
    assert ["pageToken" in page for page in pages] == [False] + [True] * (len(pages) - 1)
    scopes = [dict(parse_qsl(one.body.decode())).get("scope") for one in sent if one.body]
    assert "transactions:read" in scopes
    every = [dict(parse_qsl(one.body.decode())).get("scope", "") for one in rig.seen if one.body]
    assert not any("transactions" in word and "accounts" in word for word in every)


async def test_only_who_allowed_it_is_sent_to_the_flow_that_fetches_them(rig: TinkRig) -> None:
    pages = [(await rig.begin(transactions=ticked)).redirect_url for ticked in (False, True)]
    assert [page.partition("?")[0] for page in pages] == [f"{ORIGIN}{LINK}", f"{ORIGIN}{LOOK_LINK}"]


async def test_half_a_history_is_none(rig: TinkRig) -> None:
    port, grant, ref = await look_at(rig)
    (person,) = rig.scene.world.people.values()
    rig.scene.world.set_mode(person.id, Mode.BALANCE_ERROR_500)
    error = await refused(port.copied_transactions(grant, ref, date(2026, 8, 25)))
    assert isinstance(error, TryLater)
    rig.scene.world.set_mode(person.id, Mode.ACCOUNT_BLOCKED)
    rig.scene.world.set_mode(person.id, Mode.BALANCE_ERROR_500, on=False)
    error = await refused(port.copied_transactions(grant, ref, date(2026, 8, 25)))
    assert isinstance(error, Declined)
    rig.scene.world.set_mode(person.id, Mode.ACCOUNT_BLOCKED, on=False)
    rig.revoke(person)
    error = await refused(port.copied_transactions(grant, ref, date(2026, 8, 25)))
    assert isinstance(error, ConsentGone)


async def test_a_list_without_an_end_is_not_read(rig: TinkRig) -> None:
    port, grant, ref = await look_at(rig)
    again = {"transactions": [], "nextPageToken": "again"}
    rig.scene.recorder.divert("/transactions", answering(200, again))
    error = await refused(port.copied_transactions(grant, ref, date(2026, 8, 25)))
    assert isinstance(error, Unreadable)


async def test_a_contract_without_the_flow_shows_none(tmp_path: Path) -> None:
    class Plain(TinkRig):
        def given(self) -> dict[str, Any]:
            return {**super().given(), "transactions_link_url": ""}

    assert not isinstance(Plain(tmp_path).aggregation, CopiedTransactionsPort)


async def test_a_client_written_by_others_reads_them_page_by_page(rig: TinkRig) -> None:
    """tink-http-python checks the shape of each page."""
    port, grant, ref = await look_at(rig)
    ours = await port.copied_transactions(grant, ref, date(2026, 8, 1))
    user = Held.of(grant.token).user
    theirs: list[tuple[str, int]] = []
    async with listening(rig.scene.world) as origin:
        reader = Transactions(*await client_of_others(origin, user, "transactions:read"))
        token = None
        while token != "":
            page = await asyncio.to_thread(partial(reader.get, pageToken=token))
            values = [(one, one.amount.value) for one in page.transactions]
            theirs += [
                (one.dates.booked, round(Transactions.calculate_real_amount(value) * 100))
                for one, value in values
            ]
            token = page.next_page_token
    assert sorted(theirs) == sorted((one.on.isoformat(), one.amount.minor) for one in ours)
