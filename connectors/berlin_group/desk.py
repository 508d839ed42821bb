"""What consents and payments share: which bank, which headers, which links may be followed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin, urlsplit
from uuid import UUID

import httpx
import structlog

from app.domain.errors import Declined, Misconfigured, TryLater
from app.domain.ids import derive_key
from app.ports import Bank, Presence, Wire
from connectors._bank_list import listed
from connectors._exchange import Call, exchange, read_json, unreadable
from connectors._presence import address_of
from connectors._renewed import Renewed
from connectors._settings import WayOut, closed_ways
from connectors._stated import page_address
from connectors._tls import Fault
from connectors.berlin_group import refusals
from connectors.berlin_group.profile import (
    SHARED,
    BankRoute,
    PresenceHeaders,
    Settings,
    load_banks,
)
from connectors.berlin_group.signing import Signer

NAME = "berlin_group"

log = structlog.get_logger(NAME)

# Ids and links of a bank travel on in headers, paths and browsers: visible ASCII only.
_ID = re.compile(r"[\x21-\x7e]{1,512}")
_LINK = re.compile(r"[\x21-\x7e]{1,8000}")


class _Papers(NamedTuple):
    """What the certificates allow: the banks that are closed for want of one, and who signs."""

    closed: Mapping[str, Fault]
    signers: Mapping[str, Signer]


def _files(ways: Iterable[WayOut]) -> Iterator[Path | None]:
    for way in ways:
        for pair in (way.setup.certified_key, way.seal):
            if pair is not None:
                yield from (pair.cert, pair.key)


class Desk:
    """The banks of the settings, and how to talk to one of them. Holds no state of its own."""

    def __init__(self, settings: Settings, wire: Wire) -> None:
        """Raises Misconfigured when the bank list, a certificate or its key cannot be used."""
        self._settings = settings
        self._routes = load_banks(settings.banks)
        self._ways = {way.name: way for way in settings.ways_out()}
        self.http: httpx.AsyncClient = wire.http
        self.now = wire.now
        self._real_now = wire.real_now
        self._papers = Renewed(_files(self._ways.values()), self._look_at_papers)

    def _look_at_papers(self) -> _Papers:
        closed = closed_ways(self._settings, self._real_now())
        signers = {
            name: self._signer(route)
            for name, route in self._routes.items()
            if route.profile.signature and name not in closed
        }
        return _Papers(closed, signers)

    def _way(self, route: BankRoute) -> WayOut:
        return self._ways.get(route.bank.id) or self._ways[SHARED]

    def _signer(self, route: BankRoute) -> Signer:
        seal, profile = self._way(route).seal, route.profile.signature
        if seal is None or profile is None:
            raise Misconfigured(
                "SALDO_BERLIN_GROUP_SEAL_CERT",
                f"is not set, and {route.bank.id} demands signed messages",
                "Name your electronic seal certificate (QSealC).",
            )
        return Signer(seal, profile)

    def banks(self) -> tuple[Bank, ...]:
        """The banks of the list that can be reached; no network."""
        found, closed = self._routes.items(), self._papers.now.closed
        return tuple(route.bank for name, route in found if name not in closed)

    def route(self, bank_id: str, operation: str) -> BankRoute:
        """The bank's route. Declined when it is no longer on the list.

        TryLater when our own certificate for it has run out: nobody else's fault, and mended soon.
        """
        route = listed(self._routes, bank_id, NAME, operation)
        closed = self._papers.now.closed.get(bank_id)
        if closed is not None:
            raise TryLater(
                f"nothing was sent: {closed.setting}: {closed.problem}",
                after=None,
                connector=NAME,
                operation=operation,
            )
        return route

    def call(
        self,
        route: BankRoute,
        operation: str,
        method: str,
        url: str | httpx.URL,
        headers: dict[str, str] | None = None,
        *,
        body: bytes | None = None,
        writes: bool = False,
        key: UUID | None = None,
    ) -> Call:
        """A call with its X-Request-ID: `key` where the caller has one, else a fresh one.

        Signed where the bank demands it: over these headers and exactly this body.
        """
        reference = str(key) if key else fresh_id()
        sent = {"X-Request-ID": reference, **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        signer = self._papers.now.signers.get(route.bank.id)
        if signer is not None:
            at, now = httpx.URL(url), self._real_now()
            sent.update(signer.signed(method, at, sent, body or b"", now))
        setup = self._way(route).setup
        return Call(NAME, operation, method, url, sent, body, writes, reference, setup)

    async def exchange(self, call: Call) -> httpx.Response:
        """Send it; see `connectors._exchange.exchange`."""
        return await exchange(self.http, call)

    def creation_headers(
        self, route: BankRoute, presence: Presence, return_url: str, refused_url: str
    ) -> dict[str, str]:
        """The headers of a consent or payment: the payer is there, and comes back to us."""
        headers = {
            **presence_headers(route, presence, creation=True),
            "TPP-Redirect-URI": return_url,
            "TPP-Nok-Redirect-URI": refused_url,
        }
        if route.profile.redirect_preferred:
            headers["TPP-Redirect-Preferred"] = "true"
        return headers

    async def redirect_of(self, route: BankRoute, made: dict[str, Any], cause: Call) -> str:
        """The bank's page for the payer, from the answer to `cause` that made the resource.

        Where the bank wants the authorisation started by an explicit call, that call is made.
        Every failure here is OutcomeUnknown: the resource exists, and nobody can be sent to it.
        """
        links = made.get("_links")
        links = links if isinstance(links, dict) else {}
        href = _href(links, "scaRedirect")
        if href is None:
            start = _href(links, "startAuthorisation")
            if start is None:
                raise unreadable("the bank offers no redirect", cause, b"")
            href = await self._start_authorisation(route, start, cause)
        page = redirect_link(route, href)
        if page is None:
            raise unreadable("the bank's redirect is not a safe https address", cause, b"")
        return page

    async def _start_authorisation(self, route: BankRoute, start: str, cause: Call) -> str:
        url = own_link(route, start)
        if url is None:
            raise unreadable("the bank's link leads to another host", cause, b"")
        passed_on = {name: value for name, value in cause.headers.items() if name != "X-Request-ID"}
        call = self.call(
            route,
            cause.operation,
            "POST",
            url,
            passed_on,
            body=b"{}",
            writes=True,
            key=derive_key(cause.reference, "start_authorisation"),
        )
        answer = await self.exchange(call)
        if not answer.is_success:
            said = refusals.read_refusal(answer.content).reason
            raise unreadable(f"authorisation not started: {answer.status_code} {said}", cause, b"")
        started = read_json(answer, call)
        links = started.get("_links") if isinstance(started, dict) else None
        href = _href(links, "scaRedirect") if isinstance(links, dict) else None
        if href is None:
            raise unreadable("the bank offers no redirect", cause, b"")
        return href


def fresh_id() -> str:
    """A random UUID (version 4) as text, at a third of the cost of `str(uuid4())`."""
    h = os.urandom(16).hex()
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


def presence_headers(
    route: BankRoute, presence: Presence | None, *, creation: bool = False
) -> dict[str, str]:
    """The headers that say the borrower is there; none at all when he is not.

    PSU-IP-Address "shall be contained if and only if" the PSU started the request, so claiming
    it on a scheduled read would be a false statement to the bank.
    """
    profile = route.profile.presence
    if presence is None or (profile is PresenceHeaders.CREATION and not creation):
        return {}
    headers = {"PSU-IP-Address": address_of(presence, NAME)}
    agent = "".join(c for c in presence.user_agent if " " <= c <= "~")[:256].strip()
    if agent and profile is PresenceHeaders.FULL:
        headers["PSU-User-Agent"] = agent
    return headers


def path_segment(ref: str, operation: str) -> str:
    """A bank's id as one segment of a path. Declined for what could climb out of it."""
    if not ref.strip("."):
        raise Declined(
            "the id cannot be asked for",
            reason="RESOURCE_UNKNOWN",
            connector=NAME,
            operation=operation,
        )
    return quote(ref, safe="")


def token(value: Any) -> str | None:
    """An id the bank gave out, if it can travel in a header and a path."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def _href(links: dict[str, Any], name: str) -> str | None:
    link = links.get(name)
    href = link.get("href") if isinstance(link, dict) else link
    return href if isinstance(href, str) and href else None


def redirect_link(route: BankRoute, href: str) -> str | None:
    """An absolute address a browser may be sent to, or None: https, or this machine's sandbox."""
    url = _absolute(route, href)
    return None if url is None else page_address(url)


def own_link(route: BankRoute, href: str) -> str | None:
    """An absolute address at the bank's own interface, or None: no other host gets our calls."""
    url = _absolute(route, href)
    if url is None:
        return None
    ours, theirs = urlsplit(route.base), urlsplit(url)
    return url if (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc) else None


def _absolute(route: BankRoute, href: str) -> str | None:
    """Relative links are resolved: "/psd2/v1/..." and "/v1/..." against the bank's address."""
    if not _LINK.fullmatch(href):
        return None
    try:
        given = urlsplit(href)
        if given.scheme and not given.netloc:
            return None
        url = urljoin(f"{route.base}/", href)
        urlsplit(url).port  # noqa: B018 - a port that is no number shows only when asked for
    except ValueError:
        return None
    return url
