"""Tried before it is kept: a provider is known by its own words, and nobody else passes for it."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP521R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import connectors
from app.domain.errors import ProviderError
from app.domain.provider_setup import Slot
from app.ports import Connector, Wire
from connectors import _http
from sandbox.app import create
from sandbox.faces import tl_wire
from sandbox.world import World
from tests.connectors.access import BY_NAME, EVERY, Access
from tests.connectors.rawserver import Talk, serving

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
SANDBOX = "http://127.0.0.1:8210"
PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
HTML, JSON = {"Content-Type": "text/html"}, {"Content-Type": "application/json"}

# What is said at an address that belongs to nobody, or to somebody else.
STRANGERS: dict[str, tuple[int, dict[str, str], str]] = {
    "a web server without the page": (404, HTML, PAGE.format("404 Not Found")),
    "a parked domain": (200, HTML, PAGE.format("This domain is for sale")),
    "a page that is not written to": (405, HTML, PAGE.format("405 Not Allowed")),
    "something empty that complains": (400, JSON, "{}"),
    "a move": (301, {**HTML, "Location": "https://elsewhere.example/"}, PAGE.format("301")),
    "something empty": (200, JSON, "{}"),
}  # fmt: skip


def settings(access: Access, folder: Path, **other: str) -> tuple[Connector, Any]:
    """As a lender typed them, at the sandbox's addresses."""
    connector = connectors.discover()[access.connector]
    files = {}
    for name, body in access.files.items():
        files[name] = folder / name
        files[name].touch(0o600)
        files[name].write_bytes(body)
    operator = connectors.settings_of(connector)
    values = {**access.values, **other}
    return connector, connectors.own_settings(connector, operator, values, files, "")  # type: ignore[arg-type]


async def tried(connector: Connector, own: Any, transport: httpx.AsyncBaseTransport) -> None:
    assert connector.try_out is not None
    async with _http.client(transport=transport) as http:
        await connector.try_out(own, Wire(http, lambda: NOW, lambda: datetime.now(UTC)))


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("access", EVERY, ids=lambda one: one.name)
async def test_nobody_is_taken_for_the_provider(
    access: Access, stranger: str, tmp_path: Path
) -> None:
    status, headers, body = STRANGERS[stranger]
    connector, own = settings(access, tmp_path)
    said = httpx.MockTransport(lambda _: httpx.Response(status, headers=headers, text=body))
    with pytest.raises(ProviderError):
        await tried(connector, own, said)


def test_every_trial_meets_the_strangers() -> None:
    """By HTTP; the mail server has its own below."""
    trying = {one.name for one in connectors.discover().values() if one.try_out is not None}
    assert trying - {"smtp"} == {access.connector for access in EVERY}


@pytest.fixture
def world() -> Any:
    made = World(now=lambda: NOW)
    yield made
    made.close()


async def test_a_key_that_was_never_registered_is_found_out(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TrueLayer gives a token to the client alone: only a signature shows whose key it is."""
    monkeypatch.setenv("SALDO_TRUELAYER_AUTH_URL", f"{SANDBOX}{tl_wire.AUTH}")
    monkeypatch.setenv("SALDO_TRUELAYER_API_URL", f"{SANDBOX}{tl_wire.API}")
    transport = httpx.ASGITransport(create(world))
    access = BY_NAME["truelayer-payments"]
    await tried(*settings(access, tmp_path), transport)
    with pytest.raises(ProviderError):
        invented = "7c1d0e52-90a5-4d8e-8f44-000000000000"
        await tried(*settings(access, tmp_path, key_id=invented), transport)
    fresh = generate_private_key(SECP521R1())
    pem = fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    connector, own = settings(access, tmp_path)
    (tmp_path / "signing_key").write_bytes(pem)
    with pytest.raises(ProviderError):
        await tried(connector, own, transport)
    assert world.payments.all() == []


async def mail_server(talk: Talk) -> None:
    """Knows one person and one password."""
    good = b64encode(b"\0sol\0right")
    await talk.say(b"220 mail.example ESMTP\r\n")
    while line := await talk.reader.readline():
        word, *more = line.split()
        if word.upper() == b"EHLO":
            await talk.say(b"250-mail.example\r\n250 AUTH PLAIN\r\n")
        elif word.upper() == b"AUTH":
            right = more == [b"PLAIN", good]
            await talk.say(b"235 2.7.0 fine\r\n" if right else b"535 5.7.8 no\r\n")
        else:
            await talk.say(b"250 fine\r\n")


async def web_server(talk: Talk) -> None:
    page = PAGE.format("400 Bad Request").encode()
    await talk.reader.readline()
    await talk.say(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n" + page)
    talk.writer.close()


@pytest.mark.parametrize(
    ("script", "password", "taken"),
    [(mail_server, "right", True), (mail_server, "wrong", False), (web_server, "right", False)],
)
async def test_a_mail_server_is_asked_to_let_us_in(
    script: Any, password: str, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(script) as server:
        monkeypatch.setenv("SALDO_SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("SALDO_SMTP_PORT", str(server.port))
        monkeypatch.setenv("SALDO_SMTP_SECURITY", "none")
        values = {"from_address": "a@sol.example", "user": "sol", "password": password}
        mail = Access(Slot.EMAILS, "smtp", values, "password")
        monkeypatch.setenv("SALDO_SMTP_TIMEOUT_SECONDS", "2")
        connector, own = settings(mail, Path())
        nowhere = httpx.MockTransport(lambda _: httpx.Response(500))
        if taken:
            await tried(connector, own, nowhere)
        else:
            with pytest.raises(ProviderError):
                await tried(connector, own, nowhere)
