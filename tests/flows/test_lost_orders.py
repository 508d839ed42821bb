"""A provider dies in the middle of an order, over the wire: one payment of it, in a known state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

import connectors
from app.boundary import guard
from app.domain.ids import LenderId
from app.ports import Wire
from app.store.payments import open_handle
from connectors._http import client
from sandbox import psu
from sandbox.app import create
from sandbox.bank_list import (
    as_enable_banking_toml,
    as_gocardless_pay_toml,
    as_plaid_toml,
    as_tink_toml,
    as_toml,
    as_truelayer_toml,
)
from sandbox.faces import eb_wire, plaid_wire, tink, tink_wire
from sandbox.faces.gc_wire import ACCESS_TOKEN
from sandbox.faces.gc_wire import ROOT as GOCARDLESS
from sandbox.faces.plaid_pay import KIND, PlaidPayment
from sandbox.faces.tl_signature import KEY_ID, customer_key
from sandbox.faces.tl_wire import API, AUTH, CLIENT_ID, CLIENT_SECRET
from sandbox.people import Person
from sandbox.world import World
from tests.connectors.scene import ORIGIN, SMALL
from tests.flows.at_the_page import AtThePage, at_the_page
from tests.flows.street import Street

pytestmark = pytest.mark.anyio

_TOKENS = ("/connect/token", "/oauth/token")


class Killed(BaseException):
    """What ends a process says nothing to anybody."""


@dataclass
class Mortal(httpx.AsyncBaseTransport):
    """A provider that dies at one point of its exchanges and answers nobody until it is back.

    Each exchange has two: before it was taken, and after it was carried out. Those about tokens,
    which are kept, do not count.
    """

    world: World
    at: int = 0
    passed: int = 0
    dead: bool = False
    kills_at: str = ""
    """The step of an order at which our own process is killed; empty: at none."""
    taken: bool = False
    """The step was carried out before."""
    alive: httpx.AsyncBaseTransport = field(init=False)

    def __post_init__(self) -> None:
        self.comes_back()

    def comes_back(self) -> None:
        """A new process on what the old one had kept."""
        self.alive = httpx.ASGITransport(create(self.world))
        self.dies_at(0)

    def dies_at(self, point: int) -> None:
        """At the so many-th point from now on; 0: never."""
        self.dead, self.at, self.passed = False, point, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._point(request)
        kills = bool(self.kills_at) and request.url.path.endswith(self.kills_at)
        if kills and not self.taken:
            raise Killed
        answer = await self.alive.handle_async_request(request)
        await answer.aread()
        if kills:
            raise Killed
        self._point(request)
        return answer

    def _point(self, request: httpx.Request) -> None:
        if self.dead:
            raise httpx.ConnectError("nobody is there", request=request)
        self.passed += not request.url.path.endswith(_TOKENS)
        if self.at and self.passed == self.at:
            self.dead = True
            raise httpx.ReadError("it died", request=request)


@dataclass
class Outside:
    """The street's bank, reached through a real connector and its wire."""

    street: Street
    provider: Mortal
    page_of: Callable[[str], str]
    bank: str = "luz"

    async def at_bank(self, page: str) -> str:
        """The page of the bank behind the provider's page."""
        if self.page_of(page):
            return self.page_of(page)
        sent_on = await client(transport=self.provider).get(page)
        return f"{ORIGIN}{sent_on.headers['location']}"


def _truelayer_page(page: str) -> str:
    said = dict(parse_qsl(urlsplit(page).fragment))
    return f"{ORIGIN}/banks/luz/online/payments/{said['payment_id']}"


def outside(street: Street, folder: Path, name: str, bank: str = "luz") -> Outside:
    """Let the street's people pay through this connector, from this bank of the sandbox."""
    key, banks = folder / "key.pem", folder / "banks.toml"
    key.touch(0o600)
    given, listed, key_bytes = PAID_THROUGH[name]
    key.write_bytes(key_bytes())
    banks.write_text(listed().replace(f'id = "{bank}"', 'id = "caja"'), encoding="utf-8")
    world = World(now=lambda: street.now)
    provider = Mortal(world)
    connector = connectors.discover()[name]
    assert connector.payments is not None
    settings = connector.settings.model_validate({**given(key), "banks": banks})
    clock = lambda: street.now  # noqa: E731
    port = connector.payments(settings, Wire(client(SMALL, transport=provider), clock, clock))
    street.house = replace(street.house, payments={"berlin_group": guard(port, name)})
    own: dict[str, Callable[[str], str]] = {
        "truelayer": _truelayer_page,
        "enable_banking": lambda page: page,
        "berlin_group": lambda page: page,
    }
    return Outside(street, provider, own.get(name, lambda _: ""), bank)


Given = Callable[[Path], dict[str, Any]]
# How each connector is led to the sandbox: its settings, its list of banks, its signing key.
PAID_THROUGH: dict[str, tuple[Given, Callable[[], str], Callable[[], bytes]]] = {
    "berlin_group": (lambda _: {}, lambda: as_toml(ORIGIN), bytes),
    "gocardless_pay": (
        lambda _: {
            "access_token": ACCESS_TOKEN,
            "creditor_iban": "ES7921000813610123456789",
            "base_url": f"{ORIGIN}{GOCARDLESS}",
        },
        as_gocardless_pay_toml,
        bytes,
    ),
    "enable_banking": (
        lambda key: {
            "app_id": eb_wire.APP_ID,
            "private_key": key,
            "base_url": f"{ORIGIN}{eb_wire.ROOT}",
            "payment_page_minutes": 60,
        },
        as_enable_banking_toml,
        eb_wire.customer_key,
    ),
    "plaid": (
        lambda _: {
            "client_id": plaid_wire.CLIENT_ID,
            "secret": plaid_wire.SECRET,
            "client_name": "Préstamos Sol",
            "base_url": f"{ORIGIN}{plaid_wire.ROOT}",
        },
        as_plaid_toml,
        bytes,
    ),
    "tink": (
        lambda _: {
            "client_id": tink_wire.CLIENT_ID,
            "client_secret": tink_wire.CLIENT_SECRET,
            "base_url": f"{ORIGIN}{tink.ROOT}",
            "pay_link_url": f"{ORIGIN}{tink.PAY_LINK}",
        },
        as_tink_toml,
        bytes,
    ),
    "truelayer": (
        lambda key: {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "auth_url": f"{ORIGIN}{AUTH}",
            "api_url": f"{ORIGIN}{API}",
            "key_id": KEY_ID,
            "signing_key": key,
        },
        as_truelayer_toml,
        customer_key,
    ),
}


async def each_death(street: Street, out: Outside) -> AsyncIterator[tuple[AtThePage, Person, bool]]:
    """Somebody for each point at which the provider may die while he taps, and one for none.

    He taps again at once, the provider comes back, and he pays on every page he was ever given.
    """
    await street.without_webhooks()
    world, deaths, struck = out.provider.world, 0, True
    while struck:
        ana = await at_the_page(street)
        payer = world.add_person(bank_id=out.bank, opening_minor=100_000)
        out.provider.dies_at(deaths + 1)
        await ana.taps()
        struck = out.provider.dead
        await _tries_again(ana)  # it hangs, and he taps again at once
        assert ana.pages == [] or not struck
        out.provider.comes_back()
        await street.minutes_pass(2, 2, 10)
        if struck:
            deaths += 1
            await ana.taps()
        for page in dict.fromkeys(ana.pages):
            psu.pay(world, await out.at_bank(page), payer)
        await street.minutes_pass(2, 60 * 24, 60 * 24)
        yield ana, payer, struck


async def _paid_once(street: Street, out: Outside, points: int) -> None:
    deaths = 0
    async for ana, payer, struck in each_death(street, out):
        deaths += struck
        states = await ana.payments()
        assert states.count("settled") == 1, f"death at point {deaths}: {states}"
        assert set(states) <= {"settled", "abandoned"}
        assert await street.due(ana.who) == 0
        assert await street.tasks(ana.who) == []
        paid = [one for one in out.provider.world.payments.all() if one.person_id == payer.id]
        assert len(paid) == 1
    assert deaths == points
    abandoned = "SELECT count(*) FROM payments WHERE state = 'abandoned'"
    assert await street.value(abandoned) >= deaths - 1
    waits = "SELECT count(*) FROM outbox WHERE kind = 'cancel_payment' AND state <> 'done'"
    assert await street.value(waits) == 0
    assert out.provider.world.ledger()["wrong"] == []


@pytest.mark.parametrize(
    ("name", "points"),
    [pytest.param("gocardless_pay", 6, marks=pytest.mark.long), ("truelayer", 2)],
)
async def test_one_payment_wherever_the_provider_dies(
    street: Street, tmp_path: Path, name: str, points: int
) -> None:
    out = outside(street, tmp_path, name)
    await _paid_once(street, out, points)
    # What was given up is known at the provider: nothing of it can be paid any more.
    unknown = "SELECT count(*) FROM payments WHERE state = 'abandoned' AND handle_enc IS NULL"
    assert await street.value(unknown) == 0
    unpaid = [one for one in out.provider.world.payments.all() if one.authorised_at is None]
    assert all(one.cancelled_at is not None for one in unpaid)


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("berlin_group", 2),
        ("enable_banking", 2),
        ("tink", 2),
    ],
)
async def test_one_payment_wherever_a_provider_dies_that_takes_nothing_back(
    street: Street, tmp_path: Path, name: str, points: int
) -> None:
    """What was given up cannot be found again, and nobody ever had its page."""
    await _paid_once(street, outside(street, tmp_path, name), points)


async def test_one_payment_wherever_plaid_dies_and_the_others_are_known(
    street: Street, tmp_path: Path
) -> None:
    """It takes nothing back and knows no key, but it lists what was made, by our references."""
    out = outside(street, tmp_path, "plaid")
    await _paid_once(street, out, 6)
    # One was paid by each of seven people; the deaths at the order's answer, and before and at
    # the page's, left three behind.
    assert await _known(street) == _made_at_plaid(out)
    assert len(_made_at_plaid(out)) == 7 + 3


# At which step of whose order, and from which bank.
STEPS = (
    ("berlin_group", "sepa-credit-transfers", "luz"),
    ("berlin_group", "sepa-credit-transfers", "foerde"),
    ("berlin_group", "/authorisations", "foerde"),
    ("enable_banking", "/payments", "luz"),
    ("gocardless_pay", "/billing_requests", "luz"),
    ("gocardless_pay", "/billing_request_flows", "luz"),
    ("plaid", "/payment/create", "luz"),
    ("plaid", "/link/token/create", "luz"),
    ("tink", "/payments/requests", "luz"),
    ("truelayer", "/v3/payments", "luz"),
)


@pytest.mark.parametrize(("name", "step", "bank"), STEPS)
@pytest.mark.parametrize("taken", [True, pytest.param(False, marks=pytest.mark.long)])
async def test_our_own_process_is_killed_in_the_middle_of_an_order(
    street: Street, tmp_path: Path, name: str, step: str, bank: str, taken: bool
) -> None:
    """He pays the next one, once, and what the killed one has made is known where it can be."""
    out = outside(street, tmp_path, name, bank)
    await street.without_webhooks()
    ana = await at_the_page(street)
    payer = out.provider.world.add_person(bank_id=out.bank, opening_minor=100_000)
    out.provider.kills_at, out.provider.taken = step, taken
    with pytest.raises(Killed):
        await ana.taps()
    out.provider.kills_at = ""
    await street.minutes_pass(2, 2, 10)
    assert await ana.payments() == ["abandoned"]
    waits = "SELECT count(*) FROM outbox WHERE kind = 'cancel_payment' AND state <> 'done'"
    assert await street.value(waits) == 0
    await ana.taps()
    psu.pay(out.provider.world, await out.at_bank(ana.pages[0]), payer)
    await street.minutes_pass(2, 60 * 24, 60 * 24)
    assert await ana.payments() == ["abandoned", "settled"]
    assert await street.due(ana.who) == 0
    assert await street.tasks(ana.who) == []
    assert out.provider.world.ledger()["wrong"] == []
    if name == "plaid":
        assert await _known(street) == _made_at_plaid(out)
    if name in ("truelayer", "gocardless_pay"):
        assert len(await _known(street)) == 2


def _made_at_plaid(out: Outside) -> set[str]:
    return {one.id for one in out.provider.world.store.all_of(KIND, PlaidPayment)}


async def _known(street: Street) -> set[str]:
    """What the payments that we know at the provider are called there."""
    ours = await street.rows("SELECT * FROM payments WHERE handle_enc IS NOT NULL")
    found = set()
    for one in ours:
        async with street.house.store.unit(LenderId(one.lender_id)) as unit:
            handle = open_handle(unit, one)
        assert handle is not None
        found.add(handle.ref.reveal())
    return found


async def test_one_payment_wherever_a_bank_dies_that_wants_to_be_asked_for_its_page(
    street: Street, tmp_path: Path
) -> None:
    """The order and the start of its authorisation are two exchanges, so that it may die between
    them: then the bank has a payment, and nobody ever had a page of it. It is taken back.
    """
    out = outside(street, tmp_path, "berlin_group", bank="foerde")
    await _paid_once(street, out, 4)
    # Of the four deaths, two came after the bank had said what the payment is called.
    known = "SELECT count(*) FROM payments WHERE state = 'abandoned' AND handle_enc IS NOT NULL"
    given_up = await street.value(known)
    cancelled = [one for one in out.provider.world.payments.all() if one.cancelled_at is not None]
    assert len(cancelled) == 2
    assert given_up == 2


async def _tries_again(ana: AtThePage) -> None:
    before = len(ana.pages)
    await ana.taps()
    del ana.pages[before + 1 :]
