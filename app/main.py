"""The web process: API, webhooks and pages in one application, under one owner of signals."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from app import lifeline, web, wiring
from app.api.app import PREFIXES, build_api
from app.api.edges import RequestIds
from app.settings import Settings
from app.web.patience import PatientHttp
from app.wiring import Parts

log = structlog.get_logger("web")

SHUTDOWN_S: Final = 5
"""Real seconds that open answers may still take after a stop was asked for."""

MOST_AT_ONCE: Final = 1000
"""Connections with work in one process; more are answered 503 at once."""


@dataclass(frozen=True, slots=True)
class Front:
    """The whole application, and the way to tell it that the process is being stopped."""

    app: FastAPI
    pages: web.Web
    stopping: asyncio.Event

    def stop(self) -> None:
        """End open streams and report unready. For the handler of INT and TERM."""
        self.stopping.set()
        self.pages.stop()


def create_app(parts: Parts) -> FastAPI:
    """API, webhooks, health and pages over these parts."""
    return build_front(parts).app


def build_front(parts: Parts) -> Front:
    """The same, with the handle that run_web needs."""
    house, clock = parts.house, parts.clock
    stopping = asyncio.Event()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with pages.running():
            yield

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    pages = web.mount(app, house, clock, house.settings)
    app.add_middleware(ApiFirst, api=build_api(house, clock, stopping=stopping))
    if house.settings.demo:
        # Only the demo has anything to do with the sandbox that these import.
        from app.demo.stage import presence_file  # noqa: PLC0415
        from app.demo.watched import Watched  # noqa: PLC0415

        app.add_middleware(Watched, presence=presence_file(house.settings.data_dir))
    return Front(app, pages, stopping)


class ApiFirst:
    """Gives the API its own addresses, whole: unknown ones there are problems, never pages."""

    def __init__(self, app: ASGIApp, api: ASGIApp) -> None:
        self._pages = RequestIds(app)
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        chosen = self._api if scope["type"] == "http" and is_api(scope["path"]) else self._pages
        await chosen(scope, receive, send)


def is_api(path: str) -> bool:
    """Whether an address belongs to the API, webhooks or health."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in PREFIXES)


# ------------------------------------------------------------------ the process


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers: this process has one owner of signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run_web(settings: Settings) -> None:
    """Serve until told to stop. Blocks."""
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    parts = await wiring.build(settings, name="web")
    try:
        front = build_front(parts)
        server = Server(
            uvicorn.Config(
                front.app,
                host=settings.web_host,
                port=settings.web_port,
                log_config=None,
                # Paths carry tokens; our own line per request carries the route's pattern.
                access_log=False,
                server_header=False,
                # The pages look behind trusted proxies themselves.
                proxy_headers=False,
                ws="none",
                http=PatientHttp,
                limit_concurrency=MOST_AT_ONCE,
                timeout_graceful_shutdown=SHUTDOWN_S,
            )
        )
        _own_signals(front, server)
        await server.serve()
    finally:
        await parts.close()
    log.info("stopped", process="web")


def _own_signals(front: Front, server: Server) -> None:
    """INT, TERM and the end of the lifeline stop it; a second signal does not wait."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if server.should_exit:
            server.force_exit = True
        # Streams end first: the server waits for them.
        front.stop()
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    lifeline.watch(lambda: _call(loop, stop))


def _call(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(stop)
