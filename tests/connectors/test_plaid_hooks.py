"""Plaid's calls: tokens over the body, keys by their ids, and the consent in the address."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import plaid
import pytest
from plaid.api import plaid_api
from plaid.model.webhook_verification_key_get_request import WebhookVerificationKeyGetRequest

from app.domain.errors import Misconfigured, NotAllowed, TryLater, Unreadable
from app.ports import InboundHttp, InboundKind
from connectors._jws import ES256, key_of
from sandbox.faces.connection_news import ConnectionNews
from sandbox.faces.plaid_news import KEY_ID, public_key, signed, trouble
from sandbox.faces.plaid_wire import CLIENT_ID, ROOT, SECRET
from tests.connectors.rig_plaid import PlaidRig
from tests.connectors.scene import MONDAY
from tests.connectors.test_over_http import listening

pytestmark = pytest.mark.anyio

CONSENT = uuid4()
URL = f"{PlaidRig.webhook_url}?consent={CONSENT}"


@pytest.fixture
def rig(tmp_path: Path) -> PlaidRig:
    return PlaidRig(tmp_path)


def call(**changes: Any) -> InboundHttp:
    made = trouble(URL, "item", MONDAY)
    return replace(InboundHttp(made.url, made.headers, made.content), **changes)


def with_token(body: bytes, **how: Any) -> InboundHttp:
    return InboundHttp(URL, {"Plaid-Verification": signed(body, MONDAY, **how)}, body)


async def test_the_address_carries_the_consent_and_the_call_is_verified(rig: PlaidRig) -> None:
    person = rig.person()
    begun = await rig.begin()
    rig.allow(begun, person)
    await rig.back(begun)
    news = ConnectionNews(rig.scene.world, rig.scene.wire().http, rig.watch.now)
    assert news.calls() == []
    rig.revoke(person)
    (made,) = news.calls()
    assert news.calls() == []
    (created,) = [one for one in rig.seen if one.url.endswith("/link/token/create")]
    key = orjson.loads(created.body)["user"]["client_user_id"]
    hooks, theirs = rig.hooks_over(None), InboundHttp(made.url, made.headers, made.content)
    (event,) = await hooks.read_webhooks(theirs)
    assert (event.kind, event.consent_key) == (InboundKind.CONSENT, UUID(key))
    asked = len(rig.seen)
    assert await hooks.read_webhooks(theirs) == (event,)
    assert len(rig.seen) == asked  # the key is kept
    rig.watch.on(minutes=6)
    with pytest.raises(NotAllowed):
        await hooks.read_webhooks(theirs)
    assert SECRET not in repr(hooks)


@pytest.mark.parametrize(
    "wrong",
    [
        call(headers={}),
        call(headers={"Plaid-Verification": "a.b.c"}),
        call(headers={"Plaid-Verification": "eyJhbGciOiJub25lIn0.e30."}),
        call(body=b'{"webhook_type": "ITEM"}'),
        with_token(b"{}", alg="HS256"),
        with_token(b"{}", kid=None),
        with_token(b"{}", kid="../x"),
        with_token(b"{}", kid=str(uuid4())),
    ],
)
async def test_what_is_not_signed_as_it_should_be(rig: PlaidRig, wrong: InboundHttp) -> None:
    with pytest.raises(NotAllowed):
        await rig.hooks_over(None).read_webhooks(wrong)


async def test_what_a_call_may_be_about(rig: PlaidRig) -> None:
    hooks = rig.hooks_over(None)

    async def about(said: Any, url: str = URL) -> int:
        signed_call = with_token(orjson.dumps(said))
        return len(await hooks.read_webhooks(replace(signed_call, url=url)))

    trouble_of = {"webhook_type": "ITEM", "webhook_code": "USER_PERMISSION_REVOKED"}
    assert await about(trouble_of) == 1
    assert await about({**trouble_of, "webhook_code": "PENDING_EXPIRATION"}) == 0
    assert await about({**trouble_of, "webhook_type": "PAYMENT_INITIATION"}) == 0
    for url in (PlaidRig.webhook_url, f"{PlaidRig.webhook_url}?consent=x", f"{URL}&consent=y"):
        assert await about(trouble_of, url) == 0
    crowded = f"{URL}&{'&'.join(f'a{number}=1' for number in range(30))}"
    assert await about(trouble_of, crowded) == 0
    odd: list[Any] = [[], {}, {"webhook_type": 7}]
    for broken in odd:
        with pytest.raises(Unreadable):
            await about(broken)


async def test_a_key_has_an_end_and_strangers_do_not_make_us_ask(rig: PlaidRig) -> None:
    asked = 0
    say = [httpx.Response(503)]

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return say[0]

    hooks = rig.hooks_over(httpx.MockTransport(answer))

    def good() -> InboundHttp:
        made = trouble(URL, "item", rig.watch.at)
        return InboundHttp(made.url, made.headers, made.content)

    for _ in range(2):
        with pytest.raises(TryLater):
            await hooks.read_webhooks(good())
    assert asked == 1
    rig.watch.on(seconds=11)
    say[:] = [httpx.Response(200, json={"key": public_key(KEY_ID)})]
    assert await hooks.read_webhooks(good())
    with pytest.raises(TryLater):
        await hooks.read_webhooks(with_token(b"{}", kid=str(uuid4())))
    assert asked == 2
    rig.watch.on(minutes=50)
    assert await hooks.read_webhooks(good())
    rig.watch.on(minutes=11)
    expired = {**(public_key(KEY_ID) or {}), "expired_at": 1795424400}
    say[:] = [httpx.Response(200, json={"key": expired})]
    with pytest.raises(NotAllowed):
        await hooks.read_webhooks(good())
    assert asked == 3


def test_without_an_address_plaid_calls_nobody(rig: PlaidRig) -> None:
    rig.webhook_url = ""
    with pytest.raises(Misconfigured):
        rig.hooks_over(None)


async def test_the_vendors_client_reads_the_key(rig: PlaidRig) -> None:
    async with listening(rig.scene.world) as origin:
        keys = {"clientId": CLIENT_ID, "secret": SECRET}
        configured = plaid.Configuration(host=f"{origin}{ROOT}", api_key=keys)
        vendor = plaid_api.PlaidApi(plaid.ApiClient(configured))
        asked = WebhookVerificationKeyGetRequest(key_id=KEY_ID)
        answer = await asyncio.to_thread(vendor.webhook_verification_key_get, asked)
    assert key_of(answer.to_dict()["key"], ES256) is not None
