"""The one HTTP client of the house: httpx on the outside, aiohttp's connections underneath.

httpx's own transport collapses under load, and the published bridge to aiohttp hides which
failures may have reached the other side. So this transport is our own, and it promises:

* `httpx.ConnectError`, `httpx.ConnectTimeout`: no connection was made, nothing was sent.
* every other `httpx.TransportError`: the request may have reached the other side.
* one call is one request: a kept-alive connection that breaks is never retried silently.
* no cookie is stored or sent: a shared jar would carry one borrower's session to the next.
* the answer is bounded in bytes (after decompression) and the whole exchange in time.
* redirects are never followed, proxies of the environment are not used; one of the settings is.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from socket import AF_INET, AddressFamily
from typing import Any

import aiohttp
import httpx
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from yarl import URL

from app.domain.errors import Misconfigured
from connectors._renewed import Renewed
from connectors._tls import CertifiedKey, tls_context

Address = IPv4Address | IPv6Address

log = structlog.get_logger("http")

# aiohttp would add these by itself; a bank must see exactly the headers the connector wrote.
_NO_AUTO_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
# Cookies are dropped on arrival. The other three describe the body as it was on the wire, and
# what is handed on is already decoded and complete.
_DROPPED = frozenset({b"set-cookie", b"content-encoding", b"content-length", b"transfer-encoding"})
# Prefixes whose IPv6 addresses carry an IPv4 address (RFC 6052, RFC 3056).
_NAT64 = ip_network("64:ff9b::/96")


# The key of `httpx.Request.extensions` under which a connector hands over its own setup.
SETUP = "saldo_setup"


@dataclass(frozen=True, slots=True, eq=False)
class HttpSetup:
    """How one connector talks: limits, TLS, and which addresses it may reach.

    A connector makes one and hands it over with every call (`Call.setup`); the transport keeps
    the connections of each setup apart, so one client serves all connectors.

    Times are real seconds. Idle connections are kept for less than the five seconds after which
    the quickest servers close them: one that is closed under a request costs a spent read or an
    unclear payment. `connect_seconds` must be smaller than `total_seconds`, so that
    running out of the total always means "may have been sent". `address_allowed` is asked for
    every address just before a connection is made to it; None allows all. `proxy` is an http
    address, with user and password where it wants them. `setting` is what the names of the
    settings behind this begin with, for messages about them.
    """

    total_seconds: float = 25.0
    connect_seconds: float = 8.0
    max_connections: int = 400
    max_per_host: int = 100
    keep_alive_seconds: float = 4.0
    max_body_bytes: int = 1_000_000
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    client_key_password: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    address_allowed: Callable[[Address], bool] | None = None
    setting: str = ""
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """Made already, of files that may be gone; None: made of the files above with the first call"""

    def __post_init__(self) -> None:
        if not 0 < self.connect_seconds < self.total_seconds:
            raise Misconfigured(
                "connect_seconds", "is not below total_seconds", "Give connecting less time."
            )
        if self.proxy and self.address_allowed:
            # The proxy looks names up by itself: nothing here would see where it goes.
            raise Misconfigured(
                "proxy", "excludes a check of addresses", "Let the proxy check them."
            )

    @property
    def certified_key(self) -> CertifiedKey | None:
        """The certificate we show, if any."""
        if self.client_cert is None:
            return None
        name, password = f"{self.setting}CLIENT", self.client_key_password or ""
        return CertifiedKey(name, self.client_cert, self.client_key, password)


class BodyTooLarge(httpx.ReadError):
    """The answer is longer than the setup allows; the connection was cut."""


class AddressRefused(httpx.ConnectError):
    """The name leads to an address that this connector may not reach. Nothing was sent."""


# ---------------------------------------------------------------- the client


class _NoCookies(httpx.Cookies):
    """Accepts nothing and offers nothing."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Forget them: an answer belongs to one borrower."""

    def set_cookie_header(self, request: httpx.Request) -> None:
        """There are none."""


class Client(httpx.AsyncClient):
    """An httpx client without memory, with the whole exchange bounded in time."""

    def __init__(self, setup: HttpSetup, transport: httpx.AsyncBaseTransport) -> None:
        super().__init__(
            transport=transport,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=None,  # the whole exchange is bounded in `send`
            follow_redirects=False,
            trust_env=False,
        )
        self._setup = setup
        self._nothing = _NoCookies()

    @property
    def cookies(self) -> httpx.Cookies:
        """Always empty."""
        return self._nothing

    @cookies.setter
    def cookies(self, cookies: Any) -> None:
        """Ignored on purpose."""

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send one request. Out of time counts as a lost answer: it may have been sent."""
        setup: HttpSetup = request.extensions.get(SETUP, self._setup)
        try:
            async with asyncio.timeout(setup.total_seconds):
                return await super().send(request, **options)
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time", request=request) from None


def client(
    setup: HttpSetup | None = None,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    resolver: AbstractResolver | None = None,
) -> Client:
    """The client for all connectors. Opens nothing before its first request.

    `setup` is for calls that bring none of their own. `transport` replaces the network (an ASGI
    application in tests); `resolver` replaces DNS.
    """
    setup = setup or HttpSetup()
    # httpx logs each full URL, and URLs hold account and payment ids.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return Client(setup, transport or AiohttpTransport(setup, resolver))


def url_below(base: httpx.URL, path: str) -> httpx.URL:
    """`base` with another path, without parsing the whole again.

    `path` must be absolute and percent-encoded already. Parsing costs httpx a ninth of a whole
    balance read (23 of about 200 microseconds), and here only the account's id changes.
    """
    url = httpx.URL.__new__(httpx.URL)
    url._uri_reference = base._uri_reference._replace(path=path)
    return url


# ---------------------------------------------------------------- the transport


class AiohttpTransport(httpx.AsyncBaseTransport):
    """httpx requests over an aiohttp session. Reads the whole (bounded) answer before returning."""

    def __init__(self, setup: HttpSetup, resolver: AbstractResolver | None = None) -> None:
        self._setup = setup
        self._resolver = resolver
        self._sessions: dict[HttpSetup, Renewed[aiohttp.ClientSession]] = {}
        self._retiring: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request, one answer, or one honest exception (see the module's text)."""
        setup: HttpSetup = request.extensions.get(SETUP, self._setup)
        session = self._session(setup, request)
        url = URL(str(request.url), encoded=True)
        _check_literal(setup, url, request)
        headers = [(name.decode("ascii"), _text(value)) for name, value in request.headers.raw]
        body = await request.aread()
        try:
            answer = await session.request(
                request.method,
                url,
                headers=headers,
                data=body or None,
                allow_redirects=False,
                proxy=setup.proxy,
            )
            content = await _read(answer, setup.max_body_bytes, request)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # TimeoutError is an OSError: aiohttp's own time-outs come through here too.
            raise _honest(error, request) from None
        return httpx.Response(
            answer.status,
            headers=[pair for pair in answer.raw_headers if pair[0].lower() not in _DROPPED],
            content=content,
            request=request,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        sessions, self._sessions = self._sessions, {}
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        for session in sessions.values():
            await session.now.close()

    def _session(self, setup: HttpSetup, request: httpx.Request) -> aiohttp.ClientSession:
        """The setup's connections; new ones when its certificate was renewed."""
        kept = self._sessions.get(setup)
        if kept is None:
            files = () if setup.tls else (setup.client_cert, setup.client_key, setup.ca_file)
            try:
                kept = Renewed(
                    files,
                    lambda: self._open(setup),
                    retire=lambda old: self._retire(old, setup.total_seconds),
                )
            except Misconfigured as error:
                # Its files were looked at when it was made; something happened to them since.
                log.warning("way_out_closed", setting=error.setting, problem=error.problem)
                raise httpx.ConnectError("no connection (settings)", request=request) from None
            self._sessions[setup] = kept
        return kept.now

    def _retire(self, session: aiohttp.ClientSession, seconds: float) -> None:
        """Close it when what is under way on it has had its time."""

        async def close() -> None:
            try:
                await asyncio.sleep(seconds)
            finally:
                await session.close()

        task = asyncio.create_task(close())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def _open(self, setup: HttpSetup) -> aiohttp.ClientSession:
        resolver = self._resolver
        if setup.address_allowed is not None:
            resolver = _CheckedResolver(resolver or DefaultResolver(), setup.address_allowed)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=setup.max_connections,
                limit_per_host=setup.max_per_host,
                keepalive_timeout=setup.keep_alive_seconds,
                ssl=setup.tls or tls_context(setup),
                resolver=resolver,
                ttl_dns_cache=30,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=setup.connect_seconds),
            skip_auto_headers=_NO_AUTO_HEADERS,
            trust_env=False,
        )
        # Without this, aiohttp sends a GET again on a new connection when a kept-alive one
        # breaks: a second balance read that nobody counted.
        session._retry_connection = False
        return session


def _check_literal(setup: HttpSetup, url: URL, request: httpx.Request) -> None:
    """An address written as such never reaches the resolver, so it is checked here."""
    if setup.address_allowed is None:
        return
    try:
        address = ip_address(url.host or "")
    except ValueError:
        return
    if not setup.address_allowed(address):
        raise AddressRefused("the address is not allowed", request=request)


async def _read(answer: aiohttp.ClientResponse, room: int, request: httpx.Request) -> bytes:
    """The whole body, decoded; the connection is cut when it has more than `room` bytes."""
    chunks: list[bytes] = []
    try:
        async for chunk in answer.content.iter_any():
            room -= len(chunk)
            if room < 0:
                break
            chunks.append(chunk)
    except BaseException:
        answer.close()
        raise
    if room < 0:
        answer.close()
        raise BodyTooLarge("the answer is too long", request=request)
    answer.release()
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _text(value: bytes) -> str:
    """Header values are ASCII by the connectors' care; latin-1 keeps any other byte readable."""
    return value.decode("latin-1")


# aiohttp's way of saying that no connection came about. All others came later.
_NEVER_CONNECTED = (
    aiohttp.ClientConnectorError,  # refused, unreachable, DNS, TLS handshake, certificate
    aiohttp.ClientHttpProxyError,  # the proxy refuses to connect to the other side
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


def _honest(error: Exception, request: httpx.Request) -> httpx.TransportError:
    """The httpx exception that says what aiohttp's says, and no more than that."""
    name = type(error).__name__
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout("no connection in time", request=request)
    if isinstance(error, AddressRefusedByResolver):
        return AddressRefused("the address is not allowed", request=request)
    if isinstance(error, _NEVER_CONNECTED):
        if isinstance(error.__cause__, AddressRefusedByResolver):
            return AddressRefused("the address is not allowed", request=request)
        return httpx.ConnectError(f"no connection ({name})", request=request)
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout(f"no answer in time ({name})", request=request)
    if isinstance(error, (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError)):
        return httpx.RemoteProtocolError(f"the answer broke off ({name})", request=request)
    return httpx.ReadError(f"the exchange broke ({name})", request=request)


# ---------------------------------------------------------------- which addresses


class AddressRefusedByResolver(OSError):
    """Raised inside the resolver; becomes `AddressRefused`."""


class _CheckedResolver(AbstractResolver):
    """DNS whose every answer is checked, and the checked address is the one connected to.

    A name may lead to a public address when it is looked at and to a private one a moment later
    (DNS rebinding); since the connection is made to what this returns, there is no second look.
    """

    def __init__(self, inner: AbstractResolver, allowed: Callable[[Address], bool]) -> None:
        self._inner = inner
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AF_INET
    ) -> list[ResolveResult]:
        """The allowed addresses; refuses when the name has none."""
        found = await self._inner.resolve(host, port, family)
        good = [entry for entry in found if self._allowed(ip_address(entry["host"]))]
        if not good:
            raise AddressRefusedByResolver(0, "the address is not allowed")
        return good

    async def close(self) -> None:
        """Close the resolver behind it."""
        await self._inner.close()


def plain_address(address: Address) -> Address:
    """The address that is really reached: IPv4 inside IPv6 is unwrapped (mapped, NAT64, 6to4)."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour or address


def is_public(address: Address) -> bool:
    """Reachable for everybody: not private, loopback, link-local, multicast or reserved."""
    address = plain_address(address)
    return address.is_global and not address.is_multicast and not address.is_reserved


def is_loopback_host(host: str) -> bool:
    """Does this host name or address mean the machine itself?"""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return plain_address(ip_address(host.strip("[]"))).is_loopback
    except ValueError:
        return False
