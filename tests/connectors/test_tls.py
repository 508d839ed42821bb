"""TLS for real: the server's certificate is checked, ours is shown, and failing is honest."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.domain.errors import Misconfigured, OutcomeUnknown, TryLater
from connectors._exchange import Call, exchange
from connectors._http import HttpSetup, client
from connectors._settings import closed_ways
from connectors._tls import CertifiedKey, Grade, tls_context
from connectors.tink.settings import Settings
from tests.connectors.authority import Authority

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@dataclass
class Came:
    """Who came to the bank, and which hosts the proxy was asked for, with what."""

    subjects: list[str] = field(default_factory=list)
    tunnels: list[tuple[str, str]] = field(default_factory=list)


@asynccontextmanager
async def bank(authority: Authority) -> AsyncIterator[tuple[str, Came]]:
    """An https server that demands a client certificate; gives its URL and who came."""
    came = Came()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            subject = writer.get_extra_info("peercert")["subject"]
            came.subjects.append(subject[-1][0][1])
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=authority.server())
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", came
    finally:
        server.close()


@asynccontextmanager
async def proxy(came: Came, status: bytes = b"200 OK") -> AsyncIterator[str]:
    """An http proxy that tunnels; gives host:port. With another status it refuses to."""
    served: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.add(task)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        target = head.split(" ", 2)[1]
        lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        came.tunnels.append((target, lines.get("Proxy-Authorization", "")))
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        if status.startswith(b"200"):
            host, _, port = target.rpartition(":")
            there = await asyncio.open_connection(host, int(port))
            await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))
        await shut(writer)

    async def shut(writer: asyncio.StreamWriter) -> None:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await source.read(65536):
                sink.write(chunk)
                await sink.drain()
        await shut(sink)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*served)


def ask(url: str) -> Call:
    return Call("acme", "do", "POST", url, writes=True)


async def test_our_certificate_is_shown_also_through_a_proxy(authority: Authority) -> None:
    cert, key = authority.issue("tpp", password="open sesame")
    plain = {"ca_file": authority.ca, "client_cert": cert, "client_key": key}
    async with bank(authority) as (url, came), proxy(came) as at:
        setup = HttpSetup(**plain, client_key_password="open sesame")  # type: ignore[arg-type]
        async with client(setup) as http:
            assert (await exchange(http, ask(url))).status_code == 200
        settings = Settings.model_validate(
            {**plain, "client_key_password": "open sesame", "proxy": f"http://saldo:pw@{at}"}
        )
        setup = settings.http_setup()
        async with client(setup) as http:
            assert (await exchange(http, ask(url))).status_code == 200
    assert came.subjects == ["tpp", "tpp"]
    address = url.removeprefix("https://").rstrip("/")
    assert came.tunnels == [(address, "Basic " + b64encode(b"saldo:pw").decode())]
    assert "pw@" not in repr(setup) + repr(settings)
    assert "sesame" not in repr(setup) + repr(settings)


async def test_without_our_certificate_the_bank_hangs_up(authority: Authority) -> None:
    # With TLS 1.3 the server refuses after its half of the handshake: for us the request was
    # already on its way, so the honest word is "may have been sent".
    async with bank(authority) as (url, came), client(HttpSetup(ca_file=authority.ca)) as http:
        with pytest.raises((OutcomeUnknown, TryLater)):
            await exchange(http, ask(url))
    assert came.subjects == []


async def test_a_certificate_nobody_vouches_for_is_refused(authority: Authority) -> None:
    async with bank(authority) as (url, came), client() as http:
        with pytest.raises(TryLater, match="nothing was sent"):
            await exchange(http, ask(url))
    assert came.subjects == []


@pytest.mark.parametrize("status", [b"407 Proxy Authentication Required", b"502 Bad Gateway"])
async def test_a_proxy_that_refuses_means_that_nothing_was_sent(
    authority: Authority, status: bytes
) -> None:
    async with bank(authority) as (url, came), proxy(came, status) as at:
        http = client(HttpSetup(ca_file=authority.ca, proxy=f"http://{at}"))
        with pytest.raises(TryLater, match="nothing was sent"):
            await exchange(http, ask(url))
        await http.aclose()
    assert (came.subjects, len(came.tunnels)) == ([], 1)


async def test_without_a_proxy_behind_the_address_nothing_was_sent() -> None:
    async with client(HttpSetup(proxy="http://127.0.0.1:1")) as http:
        with pytest.raises(TryLater, match="nothing was sent"):
            await exchange(http, ask("https://bank.example/"))


async def test_files_that_vanish_later_mean_that_nothing_was_sent(authority: Authority) -> None:
    cert, key = authority.issue("vanishing")
    setup = HttpSetup(client_cert=cert, client_key=key)
    tls_context(setup)
    key.unlink()
    async with client(setup) as http:
        with pytest.raises(TryLater, match="nothing was sent"):
            await exchange(http, ask("https://bank.example/"))


# ---------------------------------------------------------------- what is wrong with the files


def test_every_fault_is_named_with_its_setting_and_its_mend(authority: Authority) -> None:
    cert, key = authority.issue("good", password="right")
    other, other_key = authority.issue("other")
    both = authority.folder / "both.pem"
    both.touch(0o600)
    both.write_bytes(other.read_bytes() + other_key.read_bytes())
    rubbish = authority.folder / "rubbish"
    rubbish.write_text("hunter2")
    missing = authority.folder / "missing"

    def wrong(cert: Path, key: Path | None, password: str = "") -> str:
        (fault,) = CertifiedKey("SALDO_X_CLIENT", cert, key, password).faults(authority.now)
        assert fault.grade is Grade.WRONG
        assert "hunter2" not in str(fault)
        return str(fault.error())

    assert list(CertifiedKey("X", cert, key, "right").faults(authority.now)) == []
    assert list(CertifiedKey("X", both).faults(authority.now)) == []
    assert list(CertifiedKey("X", other, other_key, "of none").faults(authority.now)) == []
    assert "SALDO_X_CLIENT_CERT: " in (text := wrong(missing, key))
    assert "No such file" in text
    assert "no certificate that can be read" in wrong(rubbish, key)
    assert "SALDO_X_CLIENT_KEY: " in (text := wrong(cert, missing))
    assert "No such file" in text
    assert "no key that can be read" in wrong(cert, rubbish)
    assert "no key that can be read" in wrong(cert, None)
    assert "needs a password. Set SALDO_X_CLIENT_KEY_PASSWORD" in wrong(cert, key)
    assert "and its own password" in wrong(cert, key, "hunter2")
    assert "is not the key of the certificate" in wrong(cert, other_key)
    other_key.chmod(0o604)
    assert "can be read by everybody. chmod 600" in wrong(other, other_key)
    with pytest.raises(Misconfigured, match="CA_FILE"):
        tls_context(HttpSetup(ca_file=rubbish))


def test_a_certificate_has_its_time(authority: Authority) -> None:
    fresh, fresh_key = authority.issue("fresh")
    for days, grade, word in (
        (31, None, ""),
        (29, Grade.SOON, "expires on"),
        (-1, Grade.ENDED, "expired on"),
    ):
        pair = CertifiedKey("SALDO_X_CLIENT", *authority.issue(f"in{days}", days=days))
        found = list(pair.faults(authority.now))
        assert [one.grade for one in found] == ([grade] if grade else [])
        assert all(word in one.problem and one.mend for one in found)
        # The chain counts too: a good certificate under an authority that has ended.
        chain = authority.folder / "chain.pem"
        chain.write_bytes(fresh.read_bytes() + pair.cert.read_bytes())
        assert [one.grade for one in CertifiedKey("X", chain, fresh_key).faults(authority.now)] == [
            one.grade for one in found
        ]
    early = CertifiedKey("X", fresh, fresh_key).faults(datetime(2020, 1, 1, tzinfo=UTC))
    assert [one.grade for one in early] == [Grade.ENDED]


def test_a_connector_with_a_broken_way_out_is_not_made(authority: Authority) -> None:
    cert, key = authority.issue("ended", days=-1)
    ended = Settings.model_validate({"client_cert": cert, "client_key": key})
    with pytest.raises(Misconfigured, match=r"SALDO_TINK_CLIENT_CERT: .* expired on"):
        closed_ways(ended, authority.now)
    missing = Settings.model_validate({"ca_file": authority.folder / "no.pem"})
    with pytest.raises(Misconfigured, match="SALDO_TINK_CA_FILE"):
        closed_ways(missing, authority.now)


@pytest.mark.parametrize(
    "address", ["proxy.example:3128", "https://proxy.example:3128", "socks5://p:1", "http://p",
                "http://u:pw@p:port", "http://p:1/path"]
)  # fmt: skip
def test_a_proxy_that_cannot_be_one_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(ValidationError, match="must be written http://") as caught:
        Settings.model_validate({"proxy": address})
    assert "pw" not in str(caught.value)


def test_a_checked_address_excludes_a_proxy() -> None:
    with pytest.raises(Misconfigured, match="proxy"):
        HttpSetup(proxy="http://p:1", address_allowed=lambda _: True)
