"""A lender's own contract at a provider: tried before it is kept, and no way into this house."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
import pytest

import connectors
from app import workshop
from app.demo import providers
from app.domain.errors import Invalid, Misconfigured
from app.domain.ids import LenderId
from app.domain.provider_setup import SetupState, Slot
from app.flows.providers.set_up_provider import completed
from app.ports import Wire
from app.settings import Settings
from app.side_ports import FieldKind, Offer
from app.store.provider_setups import AccessData, Setup
from app.store.unit import Store
from app.workshop import LenderWorkshop
from connectors import _http
from sandbox.app import create
from sandbox.bank_list import SECRET_KEY
from sandbox.texts import DEFAULT_TOKEN
from sandbox.world import World
from tests.connectors.access import BY_NAME, EVERY, Access
from tests.connectors.rawserver import Names

pytestmark = pytest.mark.anyio

SANDBOX = "http://127.0.0.1:8210"
NOW = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
NAME = "-aaaaaaaaaaaa"
SETTINGS = Settings(public_url="https://pay.sol.example", tpp_basis="AIS 123, Banco de España")
AROUND = ("enable_banking", "gocardless", "gocardless_pay", "plaid", "tink", "truelayer")


@pytest.fixture
def _operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the installation has accounts at all of them, with the right access data."""
    providers.write_files(list(AROUND), SANDBOX, tmp_path)
    for name, value in providers.settings_of(list(AROUND), SANDBOX, tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SALDO_TWILIO_BASE_URL", f"{SANDBOX}/twilio")
    monkeypatch.setenv("SALDO_TWILIO_AUTH_TOKEN", DEFAULT_TOKEN)
    monkeypatch.setenv("SALDO_SMSAPI_BASE_URL", f"{SANDBOX}/smsapi")
    monkeypatch.setenv("SALDO_INFOBIP_BASE_URL", f"{SANDBOX}/infobip")


@pytest.fixture
def world() -> Iterator[World]:
    made = World(now=lambda: NOW)
    yield made
    made.close()


def shop(transport: Any = None, **client: Any) -> LenderWorkshop:
    wire = Wire(http=None, now=lambda: NOW, real_now=lambda: datetime.now(UTC))
    store = cast("Store", None)

    def opened() -> httpx.AsyncClient:
        return _http.client(transport=transport, **client)

    return LenderWorkshop(SETTINGS, store, wire, opened)


@pytest.mark.usefixtures("_operator")
@pytest.mark.parametrize("access", EVERY, ids=lambda one: one.name)
async def test_the_provider_itself_says_whether_it_is_right(access: Access, world: World) -> None:
    slot, name, secret = access.slot, access.connector, access.secret
    made = shop(httpx.ASGITransport(create(world)))
    await made.try_out(slot, name, name + NAME, access.typed())
    with pytest.raises(Invalid) as refused:
        await made.try_out(slot, name, name + NAME, access.typed(**{secret: "guessed"}))
    assert refused.value.field == "provider"
    assert "guessed" not in str(refused.value)
    # The operator has the right one, and it fills no gap of anybody else.
    with pytest.raises(Invalid) as missing:
        await made.try_out(slot, name, name + NAME, access.typed(**{secret: ""}))
    assert (missing.value.field, "SALDO" in missing.value.message) == (secret, False)
    assert world.texts.all() == []


@pytest.mark.usefixtures("_operator")
async def test_payments_that_stay_open_are_accepted_by_whose_contract_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALDO_TINK_ACCEPT_OPEN_PAYMENTS", "true")
    made, tink = shop(httpx.ASGITransport(create(world))), BY_NAME["tink-payments"]
    not_ticked = tink.typed(accept_open_payments="no")
    with pytest.raises(Invalid) as refused:
        await made.try_out(Slot.PAYMENTS, "tink", "tink" + NAME, not_ticked)
    assert refused.value.field == "accept_open_payments"
    await made.try_out(Slot.PAYMENTS, "tink", "tink" + NAME, tink.typed())


def test_every_field_is_asked_for_in_its_own_way() -> None:
    found = {one.name: one for one in connectors.discover().values() if one.by_lender}
    for connector in found.values():
        for field in connectors.own_fields(connector):
            assert field.description, f"{connector.name}.{field.name}"
            if any(word in field.name for word in ("secret", "token", "password")):
                plain = ("report_id_field", "account_sid")
                ids = field.name.endswith(("_id", "_sid")) or field.name in plain
                assert ids or field.kind is FieldKind.SECRET, f"{connector.name}.{field.name}"
            assert field.name not in ("proxy", "ca_file", "webhook_url")
            assert not field.name.endswith("_seconds")
            if field.name.endswith("_url"):
                assert field.rare or not field.usual, (
                    f"{field.name} is looked at like every other address"
                )


@contextlib.contextmanager
def listening() -> Iterator[tuple[int, Callable[[], bool]]]:
    """A port of this machine, and whether anybody has knocked there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)

        def called() -> bool:
            try:
                listener.accept()[0].close()
            except BlockingIOError:
                return False
            return True

        yield listener.getsockname()[1], called


def inside_shop() -> LenderWorkshop:
    names = {"inside.example": ["127.0.0.1"], "2130706433": ["127.0.0.1"]}
    return shop(resolver=Names(names))


def usual(connector: str) -> tuple[Slot, Mapping[str, str]]:
    """Job and access data of what reads accounts or, for SMTP, sends e-mails."""
    found = BY_NAME.get(f"{connector}-aggregation")
    return (found.slot, found.values) if found else (Slot.EMAILS, {"from_address": "a@sol.example"})


INSIDE = (
    ("gocardless", "base_url", "http://bank.example"),
    ("gocardless", "base_url", "https://127.0.0.1:{port}"),
    ("gocardless", "base_url", "https://localhost:{port}/x"),
    ("gocardless", "base_url", "https://10.0.0.5"),
    ("gocardless", "base_url", "https://169.254.169.254/latest"),
    ("gocardless", "base_url", "https://[::ffff:127.0.0.1]:{port}/"),
    ("gocardless", "base_url", "https://bank.example@127.0.0.1:{port}/"),
    ("gocardless", "base_url", "https://2130706433:{port}/"),
    ("gocardless", "base_url", "https://inside.example:{port}/"),
    ("truelayer", "api_url", "https://inside.example:{port}/"),
    ("smtp", "host", "127.0.0.1"),
    ("smtp", "host", "localhost"),
    ("smtp", "host", "10.0.0.5"),
    ("smtp", "host", "2130706433"),
)


@pytest.mark.usefixtures("_operator")
@pytest.mark.parametrize(("name", "field", "address"), INSIDE)
async def test_no_address_of_a_lender_leads_into_the_house(
    name: str, field: str, address: str
) -> None:
    """A name that leads inside looks like one that leads nowhere."""
    slot, values = usual(name)
    with listening() as (port, called):
        typed = {**values, field: address.format(port=port), "port": str(port)}
        with pytest.raises(Invalid):
            await inside_shop().try_out(slot, name, name + NAME, AccessData(typed))
        assert not called()


@pytest.mark.usefixtures("_operator")
@pytest.mark.parametrize("name", ["gocardless", "smtp"])
async def test_without_the_check_it_would_lead_there(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is the check that keeps the others out, and not chance."""
    for module in ("connectors._settings", "connectors._own", "connectors.smtp.sockets"):
        monkeypatch.setattr(f"{module}.is_public", lambda _: True)
    slot, values = usual(name)
    with listening() as (port, called):
        address = {"base_url": f"https://inside.example:{port}/", "host": "2130706433"}
        typed = {**values, **address, "port": str(port), "security": "tls"}
        trial = inside_shop().try_out(slot, name, name + NAME, AccessData(typed))
        waiting = asyncio.ensure_future(trial)
        for _ in range(100):
            await asyncio.sleep(0.02)
            if called():
                break
        else:
            pytest.fail("nobody came")
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError, Invalid):
            await waiting


@pytest.mark.usefixtures("_operator")
async def test_a_mail_server_of_the_operator_is_reached_at_his_port_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SALDO_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("SALDO_SMTP_PORT", "9")
    connector = connectors.discover()["smtp"]
    operator = connectors.settings_of(connector)
    typed = {"port": "5432", "security": "none", "from_address": "a@sol.example"}
    own: Any = connectors.own_settings(connector, cast("Any", operator), typed, {}, "")
    assert (own.host, own.port, own.security) == ("127.0.0.1", 9, "starttls")
    monkeypatch.setenv("SALDO_GOCARDLESS_PROXY", "http://proxy.example:3128")
    gocardless = connectors.discover()["gocardless"]
    operator = connectors.settings_of(gocardless)
    far = {"base_url": "https://bank.example", "secret_id": "x", "secret_key": "y"}
    own = connectors.own_settings(gocardless, cast("Any", operator), far, {}, "")
    assert own.http_setup().proxy is None
    assert own.http_setup().address_allowed is not None


def left_behind() -> set[Path]:
    folders = (workshop.IN_MEMORY, Path(tempfile.gettempdir()))
    return {path for folder in folders for path in folder.glob("saldo-own-*")}


@pytest.mark.usefixtures("_operator")
def test_files_are_gone_when_a_port_is_made() -> None:
    before = left_behind()
    banks = Path(str(connectors.settings_of(connectors.discover()["gocardless"]).banks))  # type: ignore[attr-defined]
    _, values = usual("gocardless")
    setup = Setup(UUID(int=1), LenderId(UUID(int=2)), Slot.AGGREGATION, "gocardless",
                  "gocardless" + NAME, SetupState.IN_FORCE)  # fmt: skip
    made = shop().make(setup, AccessData(values, {"banks": banks.read_bytes()}))
    assert made.aggregation is not None
    assert made.aggregation.banks()
    assert SECRET_KEY not in repr(made)
    with pytest.raises(Misconfigured) as wrong:
        shop().make(setup, AccessData(values, {"banks": b"no toml ="}))
    assert "shm" not in f"{wrong.value.problem} {wrong.value.mend}"
    after = left_behind()
    assert after == before


@pytest.mark.parametrize(
    ("connector", "address", "secret"),
    [
        ("twilio", "base_url", "auth_token"),
        ("smtp", "host", "password"),
        ("smtp", "port", "password"),
    ],
)
def test_a_secret_is_not_sent_to_another_address_than_it_was_given_for(
    connector: str, address: str, secret: str
) -> None:
    fields = connectors.own_fields(connectors.discover()[connector])
    offer = Offer(connector, fields, known_at_the_door=True, takes_calls=True)
    kept = AccessData({address: "there", secret: "hidden"}, {})
    same = completed(offer, AccessData({address: "there"}, {}), kept)
    assert same.values[secret] == "hidden"
    with pytest.raises(Invalid) as refused:
        completed(offer, AccessData({address: "elsewhere"}, {}), kept)
    assert refused.value.field == secret
    anew = completed(offer, AccessData({address: "elsewhere", secret: "new"}, {}), kept)
    assert anew.values[secret] == "new"


@pytest.mark.usefixtures("_operator")
@pytest.mark.parametrize(
    ("slot", "connector", "field", "typed", "host"),
    [
        (Slot.AGGREGATION, "truelayer", "auth_url", "https://a.evil.example/x", "a.evil.example"),
        (Slot.AGGREGATION, "tink", "link_url", "https://evil.example/1.0", "evil.example"),
        (Slot.AGGREGATION, "gocardless", "base_url", "https://evil.example:8443", "evil.example"),
        (Slot.AGGREGATION, "plaid", "base_url", "https://evil.example", "evil.example"),
        (Slot.MESSAGES, "twilio", "base_url", "https://evil.example", "evil.example"),
        (Slot.EMAILS, "smtp", "host", "mail.evil.example", "mail.evil.example"),
    ],
)  # fmt: skip
def test_where_a_set_up_leads_is_told_unless_the_operator_leads_there(
    slot: Slot, connector: str, field: str, typed: str, host: str
) -> None:
    made = shop()
    assert made.leads_to(slot, connector, AccessData({field: typed})) == {field: host}
    assert made.leads_to(slot, connector, AccessData({field: "", "port": "25"})) == {}
    operators = getattr(connectors.settings_of(connectors.discover()[connector]), field)
    assert made.leads_to(slot, connector, AccessData({field: str(operators)})) == {}


def test_every_address_that_can_be_filled_in_is_told() -> None:
    """Whatever leads somewhere counts, but for what stands or falls with the host."""
    for connector in connectors.discover().values():
        if not connector.by_lender:
            continue
        fields = [one.name for one in connectors.own_fields(connector) if one.leads]
        operator = connectors.settings_of(connector)
        typed = dict.fromkeys(fields, "https://evil.example")
        told = connectors.leads_to(connector, cast("Any", operator), typed)
        assert set(told) == set(fields) - {"port", "security"}, connector.name
