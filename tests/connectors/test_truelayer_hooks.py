"""TrueLayer's calls: keys from one address, kept for an hour, and what a call may be about."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP521R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError
from truelayer_signing import HttpMethod, extract_jws_header, sign_with_pem, verify_with_jwks

from app.domain.errors import NotAllowed, TryLater, Unreadable
from app.ports import InboundHttp, Wire
from app.side_ports import HookPort
from connectors._http import client
from connectors.truelayer.hook_keys import keys_in
from connectors.truelayer.hooks import Hooks, events_in
from connectors.truelayer.settings import LIVE_KEYS, SANDBOX_KEYS, Settings
from sandbox.faces import tl_signature
from sandbox.faces.tl_news import KEYS, TIME
from tests.connectors.rig_truelayer import TrueLayerRig
from tests.connectors.scene import MONDAY, ORIGIN, SMALL
from tests.connectors.test_truelayer_payments import PUBLISHED

pytestmark = pytest.mark.anyio

PAYMENT = "48c890dc-8c03-428c-9a8c-2f383fd0ba38"
BODY = orjson.dumps({"type": "payment_executed", "event_id": "e-1", "payment_id": PAYMENT})
URL = "https://saldo.example/hooks/truelayer"


@pytest.fixture
def rig(tmp_path: Path) -> TrueLayerRig:
    return TrueLayerRig(tmp_path)


def call(body: bytes = BODY, at: str = "2026-11-23T09:00:00Z", **how: Any) -> InboundHttp:
    keys_url = how.pop("keys_url", f"{ORIGIN}{KEYS}")
    signature = tl_signature.sign_call("/hooks/truelayer", at, body, keys_url, **how)
    headers = {"Tl-Signature": signature, TIME: at, "Content-Type": "application/json"}
    return InboundHttp(URL, headers, body)


def hooks_at(
    rig: TrueLayerRig, now: Callable[[], datetime], said: Callable[[httpx.Request], httpx.Response]
) -> HookPort:
    """The connector with other keys behind the address of its settings."""
    settings = Settings.model_validate({**rig.given(), "webhook_keys_url": LIVE_KEYS})
    return Hooks(settings, Wire(client(SMALL, transport=httpx.MockTransport(said)), now, now))


async def test_the_published_vector(rig: TrueLayerRig) -> None:
    asked: list[str] = []

    def keys(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, content=(PUBLISHED / "jwks.json").read_bytes())

    now = datetime(2021, 11, 29, 11, 45, tzinfo=UTC)
    hooks = hooks_at(rig, lambda: now, keys)
    headers = {
        "tl-signature": (PUBLISHED / "webhook-signature.txt").read_text().strip(),
        "x-tl-webhook-timestamp": "2021-11-29T11:42:55Z",
        "content-type": "application/json",
    }
    body = b'{"event_type":"example","event_id":"18b2842b-a57b-4887-a0a6-d3c7c36f1020"}'
    good = InboundHttp("https://saldo.example/tl-webhook", headers, body)
    for one in (good, replace(good, url=f"{good.url}/"), replace(good, url=f"{good.url}?a=1")):
        assert await hooks.read_webhooks(one) == ()  # verified, and about no payment
    later = {**headers, "x-tl-webhook-timestamp": "2021-11-29T11:43:55Z"}
    for wrong in (
        replace(good, body=body + b" "),
        replace(good, url="https://saldo.example/hooks/truelayer"),
        replace(good, headers=later),
        replace(good, headers={k: v for k, v in headers.items() if k != "content-type"}),
    ):
        with pytest.raises(NotAllowed):
            await hooks.read_webhooks(wrong)
    assert asked == [LIVE_KEYS]  # the address of the settings, once


async def test_the_vendors_library_reads_the_sandbox_and_is_read_by_us(rig: TrueLayerRig) -> None:
    made = call()
    jws = made.headers["Tl-Signature"]
    verifier = verify_with_jwks(tl_signature.key_set(), extract_jws_header(jws))
    verifier.set_method(HttpMethod.POST).set_path("/hooks/truelayer").set_body(BODY.decode())
    verifier.add_header(TIME, made.headers[TIME]).add_header("Content-Type", "application/json")
    verifier.add_required_header(TIME).verify(jws)

    own = generate_private_key(SECP521R1())
    numbers = own.public_key().public_numbers()
    jwk = tl_signature.key_set()["keys"][1] | {
        name: tl_signature._base64(value.to_bytes(66, "big")).decode()
        for name, value in (("x", numbers.x), ("y", numbers.y))
    }
    pem = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    signer = sign_with_pem(jwk["kid"], pem).set_method(HttpMethod.POST).set_jku(LIVE_KEYS)
    signer.set_path("/hooks/truelayer").set_body(BODY.decode())
    signed = signer.add_header(TIME, "2026-11-23T09:00:00Z").sign()
    hooks = hooks_at(rig, lambda: MONDAY, lambda _: httpx.Response(200, json={"keys": [jwk]}))
    headers = {"Tl-Signature": signed, TIME: "2026-11-23T09:00:00Z"}
    (event,) = await hooks.read_webhooks(InboundHttp(URL, headers, BODY))
    assert event.payment_ref is not None
    assert event.payment_ref.reveal() == PAYMENT


async def test_keys_come_from_the_pinned_address_alone(rig: TrueLayerRig) -> None:
    hooks = rig.hooks_over(None)
    assert await hooks.read_webhooks(call())
    before = len(rig.seen)
    for address in ("https://evil.example/jwks", LIVE_KEYS, f"{ORIGIN}{KEYS}?a=1", ""):
        with pytest.raises(NotAllowed):
            await hooks.read_webhooks(call(keys_url=address))
    assert len(rig.seen) == before  # nobody was asked
    with pytest.raises(ValidationError):
        Settings(webhook_keys_url="https://webhooks.truelayer.com.evil.example/jwks")
    assert Settings(webhook_keys_url=SANDBOX_KEYS).webhook_keys_url == SANDBOX_KEYS


async def test_a_key_set_has_an_end_and_is_not_asked_for_by_every_stranger(
    rig: TrueLayerRig,
) -> None:
    asked = 0
    say: list[httpx.Response] = []

    def keys(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return say[0]

    def good() -> InboundHttp:
        return call(at=rig.watch.at.strftime("%Y-%m-%dT%H:%M:%SZ"), keys_url=LIVE_KEYS)

    hooks = hooks_at(rig, rig.watch.now, keys)
    full = httpx.Response(200, json=tl_signature.key_set())
    empty = httpx.Response(200, json={"keys": []})
    for said in (httpx.Response(503), httpx.Response(200, content=b"no")):
        say[:] = [said]
        with pytest.raises(TryLater):
            await hooks.read_webhooks(good())
        with pytest.raises(TryLater):  # asked a moment ago
            await hooks.read_webhooks(good())
        rig.watch.on(minutes=2)
    assert asked == 2
    say[:] = [full]
    for _ in range(3):
        assert await hooks.read_webhooks(good())
    assert asked == 3
    head = json.loads(tl_signature._unbase64(good().headers["Tl-Signature"].partition(".")[0]))
    for number in range(5):  # made-up keys
        stranger = tl_signature._base64(orjson.dumps({**head, "kid": f"k{number}"})).decode()
        forged = replace(good(), headers={**good().headers, "Tl-Signature": f"{stranger}..AA"})
        with pytest.raises(NotAllowed):
            await hooks.read_webhooks(forged)
    assert asked == 3
    say[:] = [empty]
    rig.watch.on(minutes=50)
    assert await hooks.read_webhooks(good())  # still kept
    rig.watch.on(minutes=15)
    with pytest.raises(NotAllowed):  # withdrawn meanwhile
        await hooks.read_webhooks(good())
    assert asked == 4


async def test_times_that_do_not_fit(rig: TrueLayerRig) -> None:
    hooks = rig.hooks_over(None)
    assert await hooks.read_webhooks(call(at="2026-11-20T09:00:00Z"))  # within 72 hours of tries
    for at in (
        "2026-11-19T09:00:00Z", "2026-11-23T09:06:00Z", "2026-11-23T09:00:00", "soon", "",
    ):  # fmt: skip
        with pytest.raises(NotAllowed):
            await hooks.read_webhooks(call(at=at))


def test_what_a_call_may_be_about() -> None:
    payment: dict[str, Any] = {"event_id": "e", "type": "payment_settled", "payment_id": PAYMENT}
    assert len(events_in(orjson.dumps(payment))) == 1
    for other in (
        {"type": "payout_executed"}, {"type": 7}, {"payment_id": "../x"}, {"payment_id": None},
    ):  # fmt: skip
        assert events_in(orjson.dumps({**payment, **other})) == ()
    for broken in (b"", b"[]", b"{}", orjson.dumps({**payment, "event_id": "a b"})):
        with pytest.raises(Unreadable):
            events_in(broken)


def test_only_keys_that_can_have_signed_are_taken() -> None:
    ours = tl_signature.key_set()["keys"][1]
    odd: list[Any] = [
        {**ours, "crv": "P-256"}, {**ours, "x": 7}, {**ours, "x": "A" * 88}, {**ours, "y": "!"},
        {**ours, "kid": None}, {**ours, "kty": "RSA"}, "key", None,
    ]  # fmt: skip
    assert keys_in({"keys": odd}) == {}
    assert list(keys_in({"keys": [*odd, ours]})) == [ours["kid"]]
    documents: list[Any] = [None, [], {"keys": {}}, {"keys": None}]
    for document in documents:
        assert keys_in(document) == {}
