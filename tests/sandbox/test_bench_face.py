"""The fast face for benchmarks: the banks' wire format, checked against the description."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from sandbox.bench_face import Face, answer_to, balance_of
from tests.sandbox.spec import BERLIN_GROUP, Specification

pytestmark = pytest.mark.anyio

PATH = b"/banks/luz/psd2/v1/accounts/%s/balances"
REQUEST_ID = b"99391c7e-ad88-49ec-a2ad-99ddcb1f7721"


def head(resource_id: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"GET " + PATH % resource_id + b" HTTP/1.1", b"Host: x", *headers])


def parsed(raw: bytes) -> httpx.Response:
    """A raw response as httpx would read it."""
    top, _, body = raw.partition(b"\r\n\r\n")
    line, *lines = top.split(b"\r\n")
    headers = [tuple(one.split(b": ", 1)) for one in lines]
    return httpx.Response(int(line.split()[1]), headers=headers, content=body)  # type: ignore[arg-type]


def test_its_answers_keep_the_standard() -> None:
    specification = Specification(BERLIN_GROUP)
    path = "/v1/accounts/a-1/balances"
    good = parsed(answer_to(head(b"a-1", b"X-Request-ID: " + REQUEST_ID)))
    specification.check("GET", path, good)
    assert good.headers["x-request-id"] == REQUEST_ID.decode()
    minor = balance_of("a-1")
    amounts = {one["balanceAmount"]["amount"] for one in good.json()["balances"]}
    assert amounts == {f"{minor // 100}.{minor % 100:02d}"}
    for refused in (head(b"a-1"), b"GET /nowhere HTTP/1.1", b"POST / HTTP/1.1", b""):
        answer = parsed(answer_to(refused))
        assert answer.status_code in (400, 404)
        assert answer.json()["tppMessages"]


def test_accounts_have_balances_of_their_own() -> None:
    balances = {balance_of(f"a-{number}") for number in range(200)}
    assert len(balances) > 190
    assert all(0 <= minor < 400_000 for minor in balances)


async def test_requests_may_come_in_pieces_and_several_at_once() -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Face(set()), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    whole = b"".join(
        head(name, b"x-request-id: " + REQUEST_ID) + b"\r\n\r\n" for name in (b"a", b"b", b"c")
    )
    for at in range(0, len(whole), 37):
        writer.write(whole[at : at + 37])
        await writer.drain()
        await asyncio.sleep(0)
    for _ in range(3):
        top = await reader.readuntil(b"\r\n\r\n")
        length = int(top.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        assert "balances" in json.loads(await reader.readexactly(length))
    writer.close()
    server.close()
