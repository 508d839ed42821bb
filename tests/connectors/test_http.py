"""The transport against raw sockets: each kind of broken exchange is told apart honestly."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
from pathlib import Path

import anyio
import httpx
import pytest

from app.domain.errors import Misconfigured, OutcomeUnknown, TryLater
from connectors._exchange import Call, exchange
from connectors._http import (
    BodyTooLarge,
    HttpSetup,
    client,
    is_public,
    url_below,
)
from connectors._tls import tls_context
from tests.connectors.rawserver import Names, Script, Talk, serving

pytestmark = pytest.mark.anyio


def quick(**changes: object) -> HttpSetup:
    return HttpSetup(**{"total_seconds": 2.0, "connect_seconds": 1.0, **changes})  # type: ignore[arg-type]


def call(url: str, *, writes: bool) -> Call:
    return Call(
        "acme",
        "do",
        "POST" if writes else "GET",
        url,
        body=b"{}" if writes else None,
        writes=writes,
    )


async def close_after_reading(talk: Talk) -> None:
    await talk.read_request()


async def reset_after_reading(talk: Talk) -> None:
    await talk.read_request()
    talk.reset()


async def half_an_answer(talk: Talk) -> None:
    await talk.read_request()
    await talk.say(b'HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{"half":')


async def half_a_head(talk: Talk) -> None:
    await talk.read_request()
    await talk.say(b"HTTP/1.1 200 OK\r\nContent-Le")


async def no_http_at_all(talk: Talk) -> None:
    await talk.read_request()
    await talk.say(b"220 mail.example.com ESMTP\r\n")


async def drip(talk: Talk) -> None:
    await talk.read_request()
    await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await talk.say(b" ")
        await anyio.sleep(0.02)


async def silence(talk: Talk) -> None:
    await talk.read_request()
    await talk.reader.read()


BROKEN = [
    close_after_reading,
    reset_after_reading,
    half_an_answer,
    half_a_head,
    no_http_at_all,
    drip,
    silence,
]


def _patient(script: Script) -> HttpSetup:
    """Only what never ends runs into the limit; the rest may wait for a busy machine."""
    limit = 1.0 if script in (drip, silence) else 20.0
    return quick(total_seconds=limit, connect_seconds=0.9 * limit)


@pytest.mark.parametrize("script", BROKEN, ids=lambda script: script.__name__)
async def test_a_write_that_breaks_after_sending_may_have_happened(script: Script) -> None:
    async with (
        serving(script) as server,
        client(_patient(script)) as http,
    ):
        with pytest.raises(OutcomeUnknown):
            await exchange(http, call(server.url, writes=True))
    assert server.connections == 1
    assert len(server.requests) == 1


@pytest.mark.parametrize("script", BROKEN, ids=lambda script: script.__name__)
async def test_a_read_that_breaks_is_one_attempt_and_not_more(script: Script) -> None:
    async with (
        serving(script) as server,
        client(_patient(script)) as http,
    ):
        with pytest.raises(TryLater) as error:
            await exchange(http, call(server.url, writes=False))
    assert "lost" in error.value.detail
    assert len(server.requests) == 1


@pytest.mark.parametrize("writes", [True, False])
async def test_a_refused_connection_sent_nothing(writes: bool) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        async with client(quick()) as http:
            with pytest.raises(TryLater) as error:
                await exchange(http, call(url, writes=writes))
    assert "nothing was sent" in error.value.detail


async def test_a_connection_that_never_comes_about_sent_nothing() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.socket() as first, socket.socket() as second:
            for filler in (first, second):  # fill the queue that nobody accepts from
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
            url = f"http://127.0.0.1:{full.getsockname()[1]}/"
            async with client(quick(connect_seconds=0.2)) as http:
                with pytest.raises(TryLater) as error:
                    await exchange(http, call(url, writes=True))
    assert "ConnectTimeout" in error.value.detail


async def test_a_name_that_does_not_resolve_sent_nothing() -> None:
    async with client(quick(), resolver=Names({})) as http:
        with pytest.raises(TryLater) as error:
            await exchange(http, call("http://nowhere.example/", writes=True))
    assert "nothing was sent" in error.value.detail


async def test_waiting_for_a_free_connection_sent_nothing() -> None:
    async with (
        serving(silence) as server,
        client(quick(max_connections=1, connect_seconds=0.2, total_seconds=1.5)) as http,
    ):
        first = asyncio.create_task(exchange(http, call(server.url, writes=True)))
        await server.arrived.wait()
        with pytest.raises(TryLater):
            await exchange(http, call(server.url, writes=True))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    assert len(server.requests) == 1


async def test_a_kept_alive_get_is_never_sent_a_second_time() -> None:
    async def answer_once(talk: Talk) -> None:
        await talk.read_request()
        await talk.answer()
        await talk.read_request()  # the second request on this connection gets no answer
        talk.reset()

    async with serving(answer_once) as server, client(quick()) as http:
        assert (await exchange(http, call(server.url, writes=False))).status_code == 200
        with pytest.raises(TryLater):
            await exchange(http, call(server.url, writes=False))
    assert server.connections == 1
    assert len(server.requests) == 2


async def test_connections_are_kept_and_used_again() -> None:
    async def answer_always(talk: Talk) -> None:
        while True:
            await talk.read_request()
            await talk.answer()

    async with serving(answer_always) as server, client(quick()) as http:
        for _ in range(5):
            await exchange(http, call(server.url, writes=False))
    assert server.connections == 1


async def test_a_huge_answer_is_cut_off() -> None:
    async def flood(talk: Talk) -> None:
        await talk.read_request()
        await talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await talk.say(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")

    async with serving(flood) as server, client(quick(max_body_bytes=100_000)) as http:
        with pytest.raises(BodyTooLarge):
            await http.get(server.url)
        with pytest.raises(OutcomeUnknown):
            await exchange(http, call(server.url, writes=True))


async def test_a_small_answer_that_unpacks_hugely_is_cut_off() -> None:
    bomb = gzip.compress(b"0" * 30_000_000)

    async def explode(talk: Talk) -> None:
        await talk.read_request()
        await talk.answer(bomb, b"Content-Encoding: gzip\r\n")

    async with serving(explode) as server, client(quick(max_body_bytes=100_000)) as http:
        with pytest.raises(BodyTooLarge):
            await http.get(server.url)


async def test_an_answer_packed_without_being_asked_is_unpacked_once() -> None:
    async def packed(talk: Talk) -> None:
        await talk.read_request()
        await talk.answer(gzip.compress(b'{"a":1}'), b"Content-Encoding: gzip\r\n")

    async with serving(packed) as server, client(quick()) as http:
        answer = await exchange(http, call(server.url, writes=False))
    assert answer.json() == {"a": 1}


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"zstd"])
async def test_an_answer_that_cannot_be_unpacked_is_a_lost_answer(encoding: bytes) -> None:
    async def garbled(talk: Talk) -> None:
        await talk.read_request()
        await talk.answer(b"this is not packed at all", b"Content-Encoding: %s\r\n" % encoding)

    async with serving(garbled) as server, client(quick()) as http:
        with pytest.raises(OutcomeUnknown):
            await exchange(http, call(server.url, writes=True))


async def test_no_cookie_travels_from_one_call_to_the_next() -> None:
    async def set_one(talk: Talk) -> None:
        while True:
            await talk.read_request()
            await talk.answer(extra=b"Set-Cookie: session=borrower-one; Path=/\r\n")

    async with serving(set_one) as server, client(quick()) as http:
        for _ in range(3):
            answer = await exchange(http, call(server.url, writes=False))
            await http.get(server.url)
            assert "set-cookie" not in answer.headers
        assert len(http.cookies) == 0
    assert len(server.requests) == 6
    assert all(b"cookie" not in head.lower() for head in server.requests)


async def test_cookies_stay_out_with_another_transport_too() -> None:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie"))
        return httpx.Response(200, headers={"Set-Cookie": "session=one"}, content=b"{}")

    async with client(quick(), transport=httpx.MockTransport(answer)) as http:
        for _ in range(2):
            await http.get("http://127.0.0.1/")
    assert seen == [None, None]


async def test_a_redirect_is_handed_back_and_not_followed() -> None:
    async def away(talk: Talk) -> None:
        await talk.read_request()
        await talk.answer(status=302, extra=b"Location: http://127.0.0.1:1/elsewhere\r\n")

    async with serving(away) as server, client(quick()) as http:
        assert (await exchange(http, call(server.url, writes=False))).status_code == 302
    assert len(server.requests) == 1


async def test_only_the_headers_that_were_written_leave() -> None:
    async def answer(talk: Talk) -> None:
        await talk.read_request()
        await talk.answer()

    async with serving(answer) as server, client(quick()) as http:
        await exchange(
            http, Call("acme", "do", "GET", server.url + "/a?b=c%20d", headers={"X-One": "1"})
        )
    head = server.requests[0].decode()
    names = {line.split(":")[0].lower() for line in head.split("\r\n")[1:] if line}
    assert names == {"host", "accept", "accept-encoding", "user-agent", "x-one"}
    assert head.startswith("GET /a?b=c%20d HTTP/1.1\r\n")


async def test_the_whole_exchange_is_bounded_with_any_transport() -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    setup = quick(total_seconds=0.1, connect_seconds=0.05)
    async with client(setup, transport=httpx.MockTransport(never)) as http:
        with pytest.raises(OutcomeUnknown):
            await exchange(http, call("http://127.0.0.1/", writes=True))


async def test_urls_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(talk: Talk) -> None:
        await talk.read_request()
        await talk.answer()

    caplog.set_level(logging.DEBUG)
    async with serving(answer) as server, client(quick()) as http:
        await exchange(http, call(server.url + "/accounts/secret-account-id", writes=False))
    assert "secret-account-id" not in caplog.text


async def test_an_error_tells_nothing_of_the_url() -> None:
    async with client(quick()) as http:
        with pytest.raises(TryLater) as error:
            await exchange(
                http, call("http://127.0.0.1:1/accounts/secret-account-id", writes=False)
            )
    assert "secret" not in repr(error.value) + error.value.detail
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


# ---------------------------------------------------------------- set-up


def test_connecting_must_have_less_time_than_the_whole() -> None:
    with pytest.raises(Misconfigured):
        HttpSetup(total_seconds=5, connect_seconds=5)


def test_a_missing_certificate_is_named_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="CLIENT_CERT"):
        tls_context(HttpSetup(client_cert=tmp_path / "none.pem"))
    (tmp_path / "ca.pem").write_text("not a certificate")
    with pytest.raises(Misconfigured, match="CA_FILE"):
        tls_context(HttpSetup(ca_file=tmp_path / "ca.pem"))


async def test_each_setup_has_connections_of_its_own() -> None:
    """One client for all connectors: a certificate or an address rule binds its own calls only."""

    async def answer_always(talk: Talk) -> None:
        while True:
            await talk.read_request()
            await talk.answer()

    strict, loose = quick(address_allowed=is_public), quick()
    async with serving(answer_always) as server, client(quick()) as http:
        for setup in (loose, loose, quick()):
            assert (await exchange(http, Call("a", "b", "GET", server.url, setup=setup))).is_success
        with pytest.raises(TryLater, match="AddressRefused"):
            await exchange(http, Call("a", "b", "GET", server.url, setup=strict))
    assert server.connections == 2
    assert len(server.requests) == 3


@pytest.mark.parametrize("base", ["https://api.bank.example/psd2/v1", "http://127.0.0.1:8210/b/x"])
@pytest.mark.parametrize("path", ["/a", "/psd2/v1/accounts/a%2Fb/balances"])
def test_a_url_with_another_path_is_the_parsed_one(base: str, path: str) -> None:
    made, parsed = url_below(httpx.URL(base), path), httpx.URL(base).join(path)
    assert made == parsed
    assert (made.raw_path, made.host, made.port) == (parsed.raw_path, parsed.host, parsed.port)
    assert (
        httpx.Request("GET", made).headers["host"] == httpx.Request("GET", parsed).headers["host"]
    )
