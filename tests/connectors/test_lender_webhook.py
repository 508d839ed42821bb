"""Webhooks to lenders: the signature of Standard Webhooks, and addresses we do not call."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.domain.errors import Declined, TryLater
from app.domain.ids import Secret
from app.ports import LenderCall, Wire
from connectors._http import client
from connectors.lender_webhook import LenderWebhook, Settings, secret_key, sign
from tests.connectors.rawserver import Names, Talk, serving
from tests.connectors.scene import MONDAY, SMALL

pytestmark = pytest.mark.anyio

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def call(url: str, **changes: Any) -> LenderCall:
    plain = {
        "event_id": uuid4(),
        "url": url,
        "body": b'{"a":1}',
        "secret": Secret(SECRET),
        "at": MONDAY,
    }
    return LenderCall(**{**plain, **changes})


@asynccontextmanager
async def hook(settings: Settings, **of_client: Any) -> AsyncIterator[LenderWebhook]:
    async with client(SMALL, **of_client) as http:
        yield LenderWebhook(settings, Wire(http, lambda: MONDAY, lambda: MONDAY))


def test_the_signature_of_the_specification() -> None:
    """The example of the Standard Webhooks specification and its libraries."""
    signature = sign(
        secret_key(SECRET),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_!!!", "whsec_YQ==", "ñ", "whsec_" + "QUFB" * 40]
)
async def test_a_secret_that_cannot_sign_sends_nothing(secret: str) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(204)

    async with hook(Settings(), transport=httpx.MockTransport(answer)) as port:
        with pytest.raises(Declined) as error:
            await port.post(call("https://lender.example/", secret=Secret(secret)))
    assert error.value.reason == "SECRET"
    assert not secret or secret not in str(error.value)
    assert sent == []


async def test_a_delivery_over_the_wire() -> None:
    async def take(talk: Talk) -> None:
        await talk.read_request()
        await talk.answer(status=204, body=b"")

    async with serving(take) as server, hook(Settings(allow_loopback=True)) as port:
        sent = call(f"{server.url}/hook?x=1", at=datetime(2026, 11, 23, 9, 0, 5, 999, tzinfo=UTC))
        await port.post(sent)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    headers = {name.lower(): value for name, value in lines}
    assert body == sent.body
    assert headers["webhook-id"] == str(sent.event_id)
    assert headers["webhook-timestamp"] == "1795424405"
    assert headers["webhook-signature"] == sign(
        base64.b64decode(SECRET[6:]), str(sent.event_id), 1795424405, sent.body
    )
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "url",
    [
        "http://lender.example/", "ftp://lender.example/", "https://", "https:///x",
        "lender.example", "https://user:pw@lender.example/", "https://lender.example@127.0.0.1/",
        "", "https://[::1",
        "https://lender.example:port/", "http://127.0.0.1/", "file:///etc/passwd",
    ],
)  # fmt: skip
async def test_addresses_that_are_never_tried(url: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    async with hook(Settings(), transport=httpx.MockTransport(answer)) as port:
        with pytest.raises(Declined) as error:
            await port.post(call(url))
    assert error.value.reason == "ADDRESS"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.0.0.8", "169.254.169.254", "[::1]", "[::ffff:10.0.0.8]", "[fd00::1]",
     "lender.example", "2130706433", "0x7f.1", "127.1", "0.0.0.0"],  # noqa: S104
)  # fmt: skip
async def test_private_addresses_get_nothing(host: str) -> None:
    async def take(talk: Talk) -> None:
        await talk.read_request()
        await talk.answer()

    names = Names({"lender.example": ["127.0.0.1"], "2130706433": ["127.0.0.1"]})
    async with serving(take) as server, hook(Settings(), resolver=names) as port:
        with pytest.raises(TryLater, match="nothing was sent"):
            await port.post(call(f"https://{host}:{server.port}/"))
    assert server.connections == 0


async def test_loopback_alone_is_opened_for_the_demo() -> None:
    settings = Settings(allow_loopback=True)
    assert settings.address_allowed(ip_address("127.0.0.1"))
    assert settings.address_allowed(ip_address("::1"))
    assert settings.address_allowed(ip_address("93.184.216.34"))
    assert not settings.address_allowed(ip_address("10.0.0.1"))
    assert not settings.address_allowed(ip_address("::ffff:10.0.0.1"))
    # A name outside does not become http-able by leading here.
    async with hook(settings) as port:
        with pytest.raises(Declined):
            await port.post(call("http://lender.example/"))


def test_networks_of_the_house(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALDO_LENDER_WEBHOOK_ALLOW_NETWORKS", "10.20.0.0/16, fd00:1::/64")
    settings = Settings()
    assert settings.address_allowed(ip_address("10.20.3.4"))
    assert settings.address_allowed(ip_address("fd00:1::5"))
    assert not settings.address_allowed(ip_address("10.21.0.1"))
    assert not settings.address_allowed(ip_address("127.0.0.1"))


async def test_a_redirect_is_not_followed_and_a_flood_is_cut() -> None:
    async def away(talk: Talk) -> None:
        await talk.read_request()
        await talk.answer(status=307, extra=b"Location: http://127.0.0.1:1/\r\n")

    async def flood(talk: Talk) -> None:
        await talk.read_request()
        await talk.answer(b"x" * 200_000)

    async with serving(away) as server, hook(Settings(allow_loopback=True)) as port:
        with pytest.raises(Declined):
            await port.post(call(server.url))
        assert len(server.requests) == 1
    async with serving(flood) as server, hook(Settings(allow_loopback=True)) as port:
        with pytest.raises(TryLater):
            await port.post(call(server.url))
