"""Wiring: what must be refused at the start is refused, what can wait is left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

import connectors
from app.clock import Clock
from app.domain.errors import Misconfigured
from app.reference.packs import load_packs
from app.settings import load_settings
from app.store.embedded_setup import DatabaseUrls
from app.store.unit import Store
from app.wiring import make_house, refuse_dangerous_roles
from connectors import _http
from connectors._settings import StayingSettings
from tests.connectors.authority import Authority
from tests.rig import make_store

pytestmark = pytest.mark.anyio

STAYING = [
    name
    for name, connector in connectors.discover().items()
    if issubclass(connector.settings, StayingSettings)
]

BANK = '[[bank]]\nid = "b"\nname = "B"\ncountry = "ES"\nbase_url = "{url}"\n'


@pytest.fixture
def banks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "banks.toml"
    monkeypatch.setenv("SALDO_BERLIN_GROUP_BANKS", str(file))
    return file


async def test_real_banks_without_a_licence_are_refused(store: Store, banks: Path) -> None:
    banks.write_text(BANK.format(url="https://api.bank.example/psd2"))
    http = _http.client()
    with pytest.raises(Misconfigured, match="no authorisation is stated"):
        make_house(load_settings(), store, Clock(), load_packs(), http)
    licensed = load_settings(tpp_basis="AISP 4711, Banco de España")
    house = make_house(licensed, store, Clock(), load_packs(), http)
    assert [bank.id for bank in house.aggregation("berlin_group").banks()] == ["b"]
    await http.aclose()


async def test_a_sandbox_needs_no_licence(store: Store, banks: Path) -> None:
    banks.write_text(BANK.format(url="http://127.0.0.1:8210/banks/b/psd2"))
    http = _http.client()
    house = make_house(load_settings(), store, Clock(), load_packs(), http)
    assert house.payment("berlin_group").banks()
    await http.aclose()


@pytest.mark.parametrize("name", STAYING)
async def test_payments_that_cannot_be_taken_back_have_to_be_accepted(
    store: Store, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    http, settings = _http.client(), load_settings(payment_connector=name)
    with pytest.raises(Misconfigured) as caught:
        make_house(settings, store, Clock(), load_packs(), http)
    setting = f"SALDO_{name.upper()}_ACCEPT_OPEN_PAYMENTS"
    for told in (f"docs/providers/{name}.md", f"{setting}=true"):
        assert told in str(caught.value)
    # Reading through it needs nobody's word.
    make_house(load_settings(aggregation_connector=name), store, Clock(), load_packs(), http)
    monkeypatch.setenv(setting, "true")
    make_house(settings, store, Clock(), load_packs(), http)
    await http.aclose()


async def test_what_is_not_set_up_is_named_when_it_is_used(store: Store) -> None:
    http = _http.client()
    house = make_house(load_settings(), store, Clock(), load_packs(), http)
    with pytest.raises(Misconfigured, match="SALDO_MESSAGE_CONNECTOR"):
        house.message("twilio")
    with pytest.raises(Misconfigured, match="not a connector"):
        make_house(
            load_settings(message_connector="berlin_group"), store, Clock(), load_packs(), http
        )
    await http.aclose()


async def test_a_certificate_that_ran_out_is_named_when_it_is_used(
    store: Store, banks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    banks.write_text(BANK.format(url="http://127.0.0.1:8210/banks/b/psd2"))
    cert, key = Authority(banks.parent).issue("qwac", days=-1)
    monkeypatch.setenv("SALDO_BERLIN_GROUP_CLIENT_CERT", str(cert))
    monkeypatch.setenv("SALDO_BERLIN_GROUP_CLIENT_KEY", str(key))
    http = _http.client()
    with capture_logs() as logs:
        house = make_house(load_settings(), store, Clock(), load_packs(), http)
    assert {line["setting"] for line in logs} >= {"SALDO_BERLIN_GROUP_CLIENT_CERT"}
    with pytest.raises(Misconfigured):
        house.aggregation("berlin_group")
    await http.aclose()


async def test_a_superuser_is_refused(db: DatabaseUrls) -> None:
    strong = DatabaseUrls(db.owner, db.app, db.superuser, db.superuser)
    made = make_store(strong)
    with pytest.raises(Misconfigured, match="superuser"):
        await refuse_dangerous_roles(made)
    await made.close()
