"""`saldo connectors check`: what a connector lacks, its certificates, and whether it is reached."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import connectors
from app.__main__ import cli
from app.commands.ways_out import reach
from connectors import _http
from tests.commands.conftest import refusal
from tests.connectors.authority import Authority
from tests.connectors.test_tls import bank


def check(name: str, *more: str) -> tuple[int, list[dict[str, str]]]:
    result = CliRunner().invoke(cli, ["connectors", "check", name, "--json", *more])
    return result.exit_code, json.loads(result.stdout)["findings"]


def one_bank(folder: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Path:
    path = folder / "banks.toml"
    path.write_text(f'[[bank]]\nid = "b"\nname = "B"\ncountry = "ES"\nbase_url = "{url}"\n')
    monkeypatch.setenv("SALDO_BERLIN_GROUP_BANKS", str(path))
    return path


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    code, found = check("berlin_group")
    assert code == 1
    missing = [one for one in found if one["verdict"] == "wrong"]
    assert [one["check"] for one in missing] == ["aggregation", "payments"]
    assert all("SALDO_BERLIN_GROUP_BANKS: is not set" in one["what"] for one in missing)
    # Chosen for payments alone, what it lacks for accounts is no fault.
    monkeypatch.setenv("SALDO_PAYMENT_CONNECTOR", "truelayer")
    found = check("truelayer")[1]
    assert {one["check"]: one["verdict"] for one in found}["aggregation"] == "note"
    result = CliRunner().invoke(cli, ["connectors", "check", "berlin_grupp"])
    assert "There are: berlin_group" in refusal(result)


@pytest.mark.parametrize(
    ("name", "slot", "missing"),
    [
        ("truelayer", "payments", ["CLIENT_ID", "CLIENT_SECRET", "BANKS", "KEY_ID", "SIGNING_KEY"]),
        ("plaid", "aggregation", ["CLIENT_ID", "SECRET", "CLIENT_NAME", "BANKS"]),
        ("enable_banking", "payments", ["PAYMENT_PAGE_MINUTES", "BANKS", "APP_ID", "PRIVATE_KEY"]),
        ("gocardless", "aggregation", ["SECRET_ID", "SECRET_KEY", "BANKS"]),
        ("tink", "aggregation", ["CLIENT_ID", "CLIENT_SECRET", "BANKS"]),
        ("twilio", "messages", ["AUTH_TOKEN", "FROM_NUMBER", "ACCOUNT_SID"]),
        ("smtp", "emails", ["HOST", "FROM_ADDRESS"]),
        ("infobip", "messages", ["BASE_URL", "API_KEY", "SENDER"]),
        ("smsapi", "messages", ["TOKEN", "SENDER"]),
        (
            "vonage",
            "messages",
            ["API_KEY", "API_SECRET", "SIGNATURE_SECRET", "SIGNATURE_METHOD", "SENDER"],
        ),
    ],
)
def test_everything_that_is_missing_is_named_at_once(
    name: str, slot: str, missing: list[str]
) -> None:
    code, found = check(name)
    prefix = f"SALDO_{name.upper()}_"
    named = [one["what"].partition(":")[0] for one in found if one["check"] == slot]
    assert code == 1
    assert sorted(named) == sorted(prefix + one for one in missing)


def test_what_was_given_is_not_named_and_a_wrong_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALDO_TRUELAYER_CLIENT_ID", "sol")
    monkeypatch.setenv("SALDO_TRUELAYER_BANKS", str(tmp_path / "none.toml"))
    found = [one["what"] for one in check("truelayer")[1] if one["check"] == "payments"]
    settings = [one.partition(":")[0].removeprefix("SALDO_TRUELAYER_") for one in found]
    assert settings == ["CLIENT_SECRET", "BANKS", "KEY_ID", "SIGNING_KEY"]
    assert "none.toml" in found[1]


def test_certificates_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one_bank(tmp_path, monkeypatch, "https://127.0.0.1:9/psd2")
    authority = Authority(tmp_path)

    def judged(days: int, mode: int = 0o600) -> tuple[int, str]:
        cert, key = authority.issue("qwac", days=days, password="open sesame")
        key.chmod(mode)
        monkeypatch.setenv("SALDO_BERLIN_GROUP_CLIENT_CERT", str(cert))
        monkeypatch.setenv("SALDO_BERLIN_GROUP_CLIENT_KEY", str(key))
        monkeypatch.setenv("SALDO_BERLIN_GROUP_CLIENT_KEY_PASSWORD", "open sesame")
        code, found = check("berlin_group")
        assert "sesame" not in str(found)
        return code, " ".join(one["what"] for one in found if one["check"] == "certificates")

    assert judged(90)[0] == 0
    assert "1 good" in judged(90)[1]
    code, what = judged(10)
    assert (code, "expires on" in what) == (0, True)
    code, what = judged(-1)
    assert (code, "expired on" in what) == (1, True)
    code, what = judged(90, 0o644)
    assert (code, "can be read by everybody" in what) == (1, True)
    # Without `--live` nobody is asked; with it, nobody is there.
    code, found = check("berlin_group", "--live")
    assert not [one for one in found if one["check"] == "reached"]
    judged(90)
    code, found = check("berlin_group", "--live")
    (reached,) = [one for one in found if one["check"] == "reached"]
    assert (code, reached["verdict"]) == (1, "wrong")
    assert "no connection" in reached["what"]


@pytest.mark.anyio
async def test_a_bank_that_demands_our_certificate_is_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("qwac")
    for name, path in (("CLIENT_CERT", cert), ("CLIENT_KEY", key), ("CA_FILE", authority.ca)):
        monkeypatch.setenv(f"SALDO_BERLIN_GROUP_{name}", str(path))
    connector = connectors.discover()["berlin_group"]
    async with bank(authority) as (url, came), _http.client() as http:
        one_bank(tmp_path, monkeypatch, url)
        (reached,) = await reach(connector, http)
    assert (reached.verdict, reached.what.endswith(": HTTP 200")) == ("ok", True)
    assert came.subjects == ["qwac"]
