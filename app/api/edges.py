"""The outer edge of every request: an id, a limit on the body, one log line, plain headers.

Plain ASGI, so that streams are not buffered and a client that hangs up cancels nothing halfway.
The log line holds the route's pattern, never the path: links carry their secret in the path.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.store.keys import new_id

log = structlog.get_logger("http")

LARGEST_BODY: Final = 1024 * 1024
"""Bytes. A loan with four hundred instalments needs a tenth of it."""

_CALLERS_ID = re.compile(r"[A-Za-z0-9._:-]{8,64}\Z", re.ASCII)


class RequestIds:
    """Gives every request an id (the caller's own when it is plain) and logs its end.

    The id comes back as X-Request-ID and stands in every problem and log line.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _CALLERS_ID.match(given) else str(new_id())
        scope.setdefault("state", {})["request_id"] = request_id
        began, status = time.monotonic(), 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        finally:
            log.info(
                "request",
                request_id=request_id,
                method=scope["method"],
                route=getattr(scope.get("route"), "path", None) or "-",
                status=status,
                ms=round((time.monotonic() - began) * 1000, 1),
            )


class BodyLimit:
    """Refuses bodies over `largest` bytes with 413, whether or not their length was announced.

    `uploads` names addresses that take more.
    """

    def __init__(
        self, app: ASGIApp, largest: int = LARGEST_BODY, uploads: Mapping[str, int] | None = None
    ) -> None:
        self._app = app
        self._largest = largest
        self._uploads = dict(uploads or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        largest = self._uploads.get(scope["path"], self._largest)
        seen = 0

        async def receive_counted() -> Message:
            nonlocal seen
            if announced.isdigit() and int(announced) > largest:
                raise self._refusal(largest)
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > largest:
                    raise self._refusal(largest)
            return message

        await self._app(scope, receive_counted, send)

    @staticmethod
    def _refusal(largest: int) -> HTTPException:
        # Raised where the body is read, so that the route's own error page answers it.
        return HTTPException(
            413, f"At most {largest} bytes are read.", headers={"Connection": "close"}
        )
