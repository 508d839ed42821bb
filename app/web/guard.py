"""What stands before every page: headers, the size of a body, and where a form came from."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.provider_setup import Slot

LARGEST_BODY: Final = 64 * 1024
"""Bytes. Our forms are a few hundred."""

UPLOADS: Final = {
    "/book/load": 64 * 1024 * 1024,
    **{f"/providers/{slot.value}/set-up": 2 * 1024 * 1024 for slot in Slot},
}
"""Bytes for the addresses that take files. Their routes read nothing before rights are checked."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

# No inline code, nothing from elsewhere, no frame around us.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action "
)
# A borrower's form is answered with a redirect to his bank, and browsers apply form-action to
# redirects too. Banks are https; only on a machine that talks to itself they are not.
_TO_BANKS = ("/c/", "/p/")
_BANKS = "'self' https:"
_LOCAL_BANKS = _BANKS + " http://127.0.0.1:* http://localhost:*"

_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Addresses of borrower pages carry tokens.
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow, noarchive",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_STRICT_TRANSPORT = "max-age=31536000"


class Guard:
    """ASGI middleware around all pages of the web."""

    def __init__(self, app: ASGIApp, *, public_url: str) -> None:
        self._app = app
        self._origin = origin_of(public_url)
        self._secure = public_url.startswith("https://")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        only_head = scope["method"] == "HEAD"
        if only_head:
            # Previews ask so: the same answer as for GET, without its body.
            scope = {**scope, "method": "GET"}

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(MutableHeaders(scope=message), scope["path"])
            elif only_head:
                message = {**message, "body": b""}
            await send(message)

        headers = Headers(scope=scope)
        if scope["method"] not in SAFE_METHODS and not self._from_here(headers):
            await _answer(send_guarded, 403, "This form was sent from another site.")
            return
        if b"%00" in scope.get("query_string", b""):
            # No text holds it, and the database refuses it.
            await _answer(send_guarded, 400, "This address cannot be read.")
            return
        largest = UPLOADS.get(scope["path"], LARGEST_BODY)
        if int_or_zero(headers.get("content-length")) > largest:
            await _answer(send_guarded, 413, "This form is too large.")
            return
        await self._app(scope, _bounded(receive, largest), send_guarded)

    def _add_headers(self, headers: MutableHeaders, path: str) -> None:
        for name, value in _HEADERS.items():
            headers[name] = value
        banks = _BANKS if self._secure else _LOCAL_BANKS
        headers["content-security-policy"] = _POLICY + (
            banks if path.startswith(_TO_BANKS) else "'self'"
        )
        if self._secure:
            headers["strict-transport-security"] = _STRICT_TRANSPORT
        if not path.startswith("/static/"):
            headers["cache-control"] = "no-store"

    def _from_here(self, headers: Headers) -> bool:
        """Did our own page send this form?

        Browsers say so in Sec-Fetch-Site. Older ones send Origin, but "null" from pages without a
        referrer: then the token in the form decides alone. What sends neither is no browser.
        """
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in {"same-origin", "none"}
        origin = headers.get("origin")
        if origin is None or origin == "null":
            return True
        return origin == self._origin


def origin_of(url: str) -> str:
    """Scheme, host and port, as browsers write an origin."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def int_or_zero(text: str | None) -> int:
    """A header's number; 0 when it is missing or no number."""
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0


class BodyTooLarge(Exception):
    """A body without a stated length grew beyond the bound."""


def _bounded(receive: Receive, largest: int) -> Receive:
    seen = 0

    async def receive_bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > largest:
            raise BodyTooLarge
        return message

    return receive_bounded


async def _answer(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
