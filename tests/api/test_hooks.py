"""Webhooks of providers: the signature decides, nothing is done before the answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import httpx
import pytest

from app.api.app import build_api
from sandbox.texts import DEFAULT_SID, DEFAULT_TOKEN
from tests.api.conftest import client_of
from tests.neighbourhood import PUBLIC, Neighbourhood

pytestmark = pytest.mark.anyio

STATUS = {
    "MessageSid": "SM" + "0" * 32,
    "MessageStatus": "delivered",
    "AccountSid": DEFAULT_SID,
}


@pytest.fixture
async def provider(hood: Neighbourhood) -> AsyncIterator[httpx.AsyncClient]:
    """A provider that calls Saldo."""
    async with client_of(build_api(hood.house, hood.clock)) as http:
        yield http


def signed(url: str, form: dict[str, str], token: str = DEFAULT_TOKEN) -> dict[str, str]:
    """Twilio's signature: the address, then names and values in order, HMAC-SHA1 in base64."""
    text = url + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return {
        "X-Twilio-Signature": base64.b64encode(digest).decode(),
        "Content-Type": "application/x-www-form-urlencoded",
    }


async def waiting(hood: Neighbourhood) -> tuple[int, int]:
    """How many events are stored, and how many jobs wait."""
    stored = await hood.value("SELECT count(*) FROM inbox")
    jobs = await hood.value(
        "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'handle_inbox'"
    )
    return int(stored), int(jobs)


async def test_a_signed_call_is_stored_once(
    hood: Neighbourhood, provider: httpx.AsyncClient
) -> None:
    headers = signed(f"{PUBLIC}/hooks/twilio", STATUS)
    for _ in range(2):
        answer = await provider.post("/hooks/twilio", content=urlencode(STATUS), headers=headers)
        assert answer.status_code == 204, answer.text
        assert answer.content == b""
    assert await waiting(hood) == (1, 1)


async def test_the_address_is_ours_whatever_the_host_header_says(
    hood: Neighbourhood, provider: httpx.AsyncClient
) -> None:
    elsewhere = signed("https://evil.example/hooks/twilio", STATUS)
    answer = await provider.post(
        "/hooks/twilio",
        content=urlencode(STATUS),
        headers={**elsewhere, "Host": "evil.example", "X-Forwarded-Host": "evil.example"},
    )
    assert answer.status_code == 403
    ours = signed(f"{PUBLIC}/hooks/twilio?try=1", STATUS)
    answer = await provider.post(
        "/hooks/twilio?try=1",
        content=urlencode(STATUS),
        headers={**ours, "Host": "evil.example"},
    )
    assert answer.status_code == 204


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_an_unsigned_or_forged_call_is_refused_and_forgotten(
    hood: Neighbourhood, provider: httpx.AsyncClient, token: str
) -> None:
    headers = signed(f"{PUBLIC}/hooks/twilio", STATUS, token or "x")
    if not token:
        del headers["X-Twilio-Signature"]
    answer = await provider.post("/hooks/twilio", content=urlencode(STATUS), headers=headers)
    assert answer.status_code == 403
    assert answer.json()["code"] == "not_allowed"
    assert await waiting(hood) == (0, 0)


async def test_unknown_connectors_and_odd_bodies(
    hood: Neighbourhood, provider: httpx.AsyncClient
) -> None:
    assert (await provider.post("/hooks/pigeon", content=b"")).status_code == 404
    assert (await provider.post("/hooks/berlin_group", content=b"")).status_code == 404
    assert (await provider.post("/hooks/..%2Fx", content=b"")).status_code in {404, 422}
    assert (await provider.get("/hooks/twilio")).status_code == 405
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    many = "&".join(f"a{number}=1" for number in range(300))
    for body, status in ((b"\xff=1", 422), (many.encode(), 422), (b"x" * 600_000, 422)):
        answer = await provider.post("/hooks/twilio", content=body, headers=form)
        assert answer.status_code == status, answer.text
    assert await waiting(hood) == (0, 0)
