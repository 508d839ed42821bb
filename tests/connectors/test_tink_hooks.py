"""Tink's calls: its published vector, calls that are old or changed, and what they are about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from app.domain.errors import ConsentEnd, Misconfigured, NotAllowed, Unreadable
from app.ports import GrantState, InboundHttp, InboundKind
from connectors.tink.hooks import events_in, signature
from sandbox.faces.connection_news import ConnectionNews
from sandbox.faces.tink_news import HOOK_SECRET, signed
from tests.connectors.rig_tink import TinkRig

pytestmark = pytest.mark.anyio

URL = "https://saldo.example/hooks/tink"


@pytest.fixture
def rig(tmp_path: Path) -> TinkRig:
    return TinkRig(tmp_path)


def finished(**content: Any) -> bytes:
    context = {"userId": "u1", "externalUserId": str(uuid4())}
    said = {"credentialsStatus": "SESSION_EXPIRED", **content}
    return orjson.dumps({"context": context, "event": "refresh:finished", "content": said})


async def test_the_published_vector(rig: TinkRig) -> None:
    secret, seconds = "top_secret_top_secret_top_secret", "1620198421"
    body = b'{"context": {...}, "event": "...",  "content": {...}}'
    right = "3808bca389150582fd78bdb5e3dfcf46f99ff168d37d60cdc13da7c5e49abefb"
    assert signature(secret.encode(), seconds, body) == right
    assert signed(body, int(seconds), secret)["X-Tink-Signature"] == f"t={seconds},v1={right}"
    rig.secret = secret
    rig.watch.at = datetime(2021, 5, 5, 7, 8, tzinfo=UTC)
    headers = {"X-Tink-Signature": f"v0=x, t={seconds},v1={right}"}
    good = InboundHttp(URL, headers, body)
    with pytest.raises(Unreadable):  # it verifies, and is no JSON
        await rig.hooks_over(None).read_webhooks(good)
    with pytest.raises(NotAllowed):
        await rig.hooks_over(None).read_webhooks(replace(good, body=body + b" "))


@pytest.mark.parametrize(
    "stated",
    [
        "", "t=,v1=", "t=1795424400", "v1={v1}", "t=1795424400,v1=00", "t=1795424401,v1={v1}",
        "t=1795424400,t=1795424400,v1={v1}", "t=x,v1={v1}", "t=-1,v1={v1}",
    ],
)  # fmt: skip
async def test_what_is_not_signed_as_it_should_be(rig: TinkRig, stated: str) -> None:
    body, hooks = finished(), rig.hooks_over(None)
    assert int(rig.watch.at.timestamp()) == 1795424400
    right = signature(HOOK_SECRET.encode(), "1795424400", body)
    good = {"X-Tink-Signature": f"t=1795424400,v1={right}"}
    assert await hooks.read_webhooks(InboundHttp(URL, good, body))
    wrong = {"X-Tink-Signature": stated.replace("{v1}", right)}
    with pytest.raises(NotAllowed):
        await hooks.read_webhooks(InboundHttp(URL, wrong, body))


async def test_an_old_call_is_refused_and_without_a_secret_every_call(rig: TinkRig) -> None:
    body, hooks = finished(), rig.hooks_over(None)
    call = InboundHttp(URL, signed(body, int(rig.watch.at.timestamp())), body)
    (event,) = await hooks.read_webhooks(call)
    rig.watch.on(hours=23)
    assert await hooks.read_webhooks(call) == (event,)
    rig.watch.on(hours=2)
    with pytest.raises(NotAllowed):
        await hooks.read_webhooks(call)
    early = signed(body, int(rig.watch.at.timestamp()) + 3600)
    with pytest.raises(NotAllowed):
        await hooks.read_webhooks(InboundHttp(URL, early, body))
    assert HOOK_SECRET not in repr(hooks)
    rig.secret = ""
    with pytest.raises(Misconfigured):
        rig.hooks_over(None)


def test_what_a_call_may_be_about() -> None:
    assert len(events_in(finished())) == 1
    said = orjson.loads(finished())
    for nothing in (
        finished(credentialsStatus="UPDATED"),
        orjson.dumps({**said, "event": "payment:updated"}),
        orjson.dumps({**said, "content": None}),
        orjson.dumps({**said, "context": {"externalUserId": "somebody"}}),
        orjson.dumps({**said, "context": {"externalUserId": 7}}),
    ):
        assert events_in(nothing) == ()
    for broken in (b"", b"[]", orjson.dumps({**said, "event": 1}), b'{"event": "x"}'):
        with pytest.raises(Unreadable):
            events_in(broken)


async def test_a_connection_that_was_taken_back_is_told_once(rig: TinkRig) -> None:
    person = rig.person()
    begun = await rig.begin()
    rig.allow(begun, person)
    news = ConnectionNews(rig.scene.world, rig.scene.wire().http, rig.watch.now)
    assert news.calls() == []
    rig.revoke(person)
    (made,) = news.calls()
    call = InboundHttp(made.url, made.headers, made.content)
    (event,) = await rig.hooks_over(None).read_webhooks(call)
    assert event.kind is InboundKind.CONSENT
    (user,) = [one for one in rig.seen if one.url.endswith("/user/create")]
    assert event.consent_key == UUID(orjson.loads(user.body)["external_user_id"])
    assert news.calls() == []
    now = await rig.aggregation.grant_now(begun.grant)
    assert (now.state, now.end) == (GrantState.ENDED, ConsentEnd.REVOKED_AT_BANK)
