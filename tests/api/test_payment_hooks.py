"""Calls about payments and consents at the front door: whose are taken, and what is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.app import build_api
from app.demo import providers
from app.store.embedded_setup import DatabaseUrls
from sandbox.faces import tl_signature
from sandbox.faces.gc_news import signature
from sandbox.faces.gc_wire import HOOK_SECRET
from sandbox.faces.tl_news import KEYS, TIME
from tests.api.conftest import client_of
from tests.neighbourhood import SANDBOX, Neighbourhood, neighbourhood

pytestmark = pytest.mark.anyio

BATCH = orjson.dumps(
    {
        "events": [
            {
                "id": f"EV{number}",
                "created_at": "2026-03-03T08:00:00.000Z",
                "resource_type": "payments",
                "action": "confirmed",
                "links": {"payment": f"PM{number}"},
            }
            for number in range(3)
        ]
    }
)


@pytest.fixture
async def hood(
    db: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Neighbourhood]:
    """Accounts through TrueLayer, payments through GoCardless."""
    chosen = ["truelayer", "gocardless_pay"]
    providers.write_files(chosen, SANDBOX, tmp_path)
    given = providers.settings_of(chosen, SANDBOX, tmp_path)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SALDO_TRUELAYER_WEBHOOK_KEYS_URL", f"{SANDBOX}{KEYS}")
    async with neighbourhood(db, tmp_path) as built:
        yield built


@pytest.fixture
async def provider(hood: Neighbourhood) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(build_api(hood.house, hood.clock)) as http:
        yield http


async def stored(hood: Neighbourhood) -> list[str]:
    rows = await hood.rows("SELECT source, event_id FROM inbox ORDER BY event_id")
    return [f"{row.source} {row.event_id}" for row in rows]


async def jobs(hood: Neighbourhood) -> int:
    query = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'handle_inbox'"
    return int(await hood.value(query))


async def test_a_signed_batch_is_stored_once_and_handled_by_a_job(
    hood: Neighbourhood, provider: httpx.AsyncClient
) -> None:
    for given in ("", signature("guessed", BATCH), signature(HOOK_SECRET, BATCH + b" ")):
        headers = {"Webhook-Signature": given}
        answer = await provider.post("/hooks/gocardless_pay", content=BATCH, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert await stored(hood) == []
    good = {"Webhook-Signature": signature(HOOK_SECRET, BATCH)}
    for _ in range(2):
        answer = await provider.post("/hooks/gocardless_pay", content=BATCH, headers=good)
        assert (answer.status_code, answer.content) == (204, b"")
    assert await stored(hood) == [f"gocardless_pay EV{number}" for number in range(3)]
    assert await jobs(hood) == 1
    nothing = b'{"events": []}'
    signed = {"Webhook-Signature": signature(HOOK_SECRET, nothing)}
    assert (
        await provider.post("/hooks/gocardless_pay", content=nothing, headers=signed)
    ).status_code == 204
    broken = {"Webhook-Signature": signature(HOOK_SECRET, b"{}")}
    assert (
        await provider.post("/hooks/gocardless_pay", content=b"{}", headers=broken)
    ).status_code == 422


async def test_only_providers_in_use_may_call(provider: httpx.AsyncClient) -> None:
    for name in ("tink", "plaid", "berlin_group", "gocardless"):
        assert (await provider.post(f"/hooks/{name}", content=b"{}")).status_code == 404


async def _away(scope: Scope, receive: Receive, send: Send) -> None:
    await Response("down", 503)(scope, receive, send)


async def test_a_call_that_cannot_be_verified_yet_is_asked_for_again(
    hood: Neighbourhood, provider: httpx.AsyncClient
) -> None:
    body = orjson.dumps({"type": "payment_executed", "event_id": "e1", "payment_id": "p1"})
    at = hood.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    made = tl_signature.sign_call("/hooks/truelayer", at, body, f"{SANDBOX}{KEYS}")
    headers = {"Tl-Signature": made, TIME: at, "Content-Type": "application/json"}
    outside = hood.outside.app
    hood.outside.app = _away
    answer = await provider.post("/hooks/truelayer", content=body, headers=headers)
    assert answer.status_code == 503
    hood.outside.app = outside
    assert await stored(hood) == []
    hood.advance(minutes=2)
    answer = await provider.post("/hooks/truelayer", content=body, headers=headers)
    assert answer.status_code == 204, answer.text
    assert await stored(hood) == ["truelayer e1"]
