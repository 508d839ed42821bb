"""What the faces share: the loss of an answer, slow answers, and small readers of requests."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_DROPS = 40


class AnswerLost(httpx.ReadError):
    """The bank or the exchange did its work and the answer never arrives.

    In-process callers see this exception, as they would see httpx's own; over real HTTP the
    connection is closed without a byte.
    """

    def __init__(self) -> None:
        super().__init__("the connection was closed before an answer came")


SERVER_SEND = "sandbox.send"
"""Where the outermost application leaves the server's own `send` in the scope."""


async def drop(scope: Scope, receive: Receive) -> None:
    """End the connection without an answer; raises `AnswerLost` where there is none to end."""
    # uvicorn's `send` is a method of the exchange that holds the transport.
    transport = getattr(getattr(scope.get(SERVER_SEND), "__self__", None), "transport", None)
    if transport is None:
        raise AnswerLost
    transport.abort()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return


class LostResponse(Response):
    """A response that is never sent."""

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        await drop(scope, receive)


class SlowResponse(Response):
    """A response that begins late, or comes in drops, over real seconds."""

    def __init__(self, inner: Response, seconds: float, *, drip: bool) -> None:
        super().__init__(inner.body, inner.status_code)
        self.raw_headers = inner.raw_headers
        self._seconds = seconds
        self._drip = drip

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        start: dict[str, Any] = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        if not self._drip:
            await asyncio.sleep(self._seconds)
            await send(start)
            await send({"type": "http.response.body", "body": bytes(self.body)})
            return
        await send(start)
        body = bytes(self.body)
        size = max(1, len(body) // _DROPS)
        drops = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
        for number, one in enumerate(drops, start=1):
            await asyncio.sleep(self._seconds / len(drops))
            more = number < len(drops)
            await send({"type": "http.response.body", "body": one, "more_body": more})


def euros(minor: int, digits: int = 2) -> str:
    """Minor units as the decimal string of the wire: 12345 -> "123.45"."""
    sign, whole = ("-" if minor < 0 else ""), abs(minor)
    return f"{sign}{whole // 10**digits}.{whole % 10**digits:0{digits}d}"


def parse_amount(text: object) -> int | None:
    """Minor units of a decimal string with at most two decimals; None when it is no amount."""
    if not isinstance(text, str):
        return None
    whole, dot, part = text.partition(".")
    if not (whole.isascii() and whole.isdigit()) or len(whole) > 14:
        return None
    if dot and not (part.isascii() and part.isdigit() and 1 <= len(part) <= 2):
        return None
    return int(whole) * 100 + int((part + "00")[:2] if part else 0)
