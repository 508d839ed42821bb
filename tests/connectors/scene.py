"""A sandbox world and the client that reaches it, recorded and with hands on the clock.

Every exchange is kept, so that it can be held against the provider's specification.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from app.domain.account import UkAccount
from app.domain.ids import Iban
from app.ports import (
    Presence,
    Wire,
)
from connectors._http import HttpSetup, client
from sandbox.app import create
from sandbox.world import World

ORIGIN = "http://127.0.0.1:8210"
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HERE = Presence("203.0.113.7", "Mozilla/5.0 (test)")
CREDITOR = Iban.parse("ES9121000418450200051332")
BRITISH = UkAccount.parse("20-00-00", "55779911")

SMALL = HttpSetup(total_seconds=2.0, connect_seconds=1.0)


@dataclass
class Watch:
    """Business time, moved by hand."""

    at: datetime = MONDAY

    def now(self) -> datetime:
        return self.at

    def on(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass
class Exchange:
    """One request and what came of it; `answer` is None when it was lost."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    answer: httpx.Response | None = None


class Recorder(httpx.AsyncBaseTransport):
    """Hands everything on and keeps it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self._diverted: dict[str, httpx.AsyncBaseTransport] = {}
        self.seen: list[Exchange] = []

    def divert(self, part: str, other: httpx.AsyncBaseTransport) -> None:
        """From now on `other` answers where the path holds this."""
        self._diverted[part] = other

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        kept = Exchange(request.method, str(request.url), dict(request.headers), request.content)
        self.seen.append(kept)
        paths = (one for part, one in self._diverted.items() if part in request.url.path)
        answer = await next(paths, self._inner).handle_async_request(request)
        await answer.aread()
        kept.answer = answer
        return answer


@dataclass
class Scene:
    """A sandbox world and the client that reaches it."""

    watch: Watch = field(default_factory=Watch)
    world: World = field(init=False)
    recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self.world = World(now=self.watch.now, real_now=self.watch.now)
        self.recorder = Recorder(httpx.ASGITransport(create(self.world)))

    def wire(self, transport: httpx.AsyncBaseTransport | None = None) -> Wire:
        http = client(SMALL, transport=transport or self.recorder)
        return Wire(http, self.watch.now, self.watch.now)
