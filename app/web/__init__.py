"""The window: pages for collectors and for borrowers, and live alerts. No rule lives here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.clock import Clock
from app.flows.house import House
from app.settings import Settings
from app.web.alerts import AlertHub
from app.web.guard import Guard
from app.web.pages import ROUTERS
from app.web.passwords import Passwords
from app.web.render import STATIC_FOLDER, templates
from app.web.site import Site
from app.web.throttle import Throttle
from app.web.trouble import add_error_pages

_A_YEAR = 31_536_000


@dataclass(frozen=True, slots=True)
class Web:
    """The pages of one process. Enter `running()` in the lifespan; call `stop()` on a signal."""

    pages: FastAPI
    alerts: AlertHub

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the funds signals for the live alerts while this is entered."""
        async with self.alerts.running():
            yield

    def stop(self) -> None:
        """End every open stream at once, so that none of them holds up the shutdown.

        For the process's own handler of INT and TERM: the server waits for open connections
        before the lifespan ends.
        """
        self.alerts.stop()


def mount(app: FastAPI, house: House, clock: Clock, settings: Settings) -> Web:
    """Put the pages behind every other route of `app`: call it last.

    They are an application of their own, so that their error pages, headers and limits touch
    nothing else.
    """
    web = furnish(build_pages(settings), house, clock, settings)
    app.mount("/", web.pages, name="web")
    return web


def build_pages(settings: Settings) -> FastAPI:
    """The pages under one public address, without anything behind them yet."""
    pages = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    pages.add_middleware(Guard, public_url=settings.public_url)
    add_error_pages(pages)
    for router in ROUTERS:
        pages.include_router(router)
    pages.add_api_route("/robots.txt", _robots, methods=["GET", "HEAD"])
    pages.mount("/static", _Static(directory=STATIC_FOLDER), name="static")
    return pages


def furnish(pages: FastAPI, house: House, clock: Clock, settings: Settings) -> Web:
    """Give the pages their parts. The routes know none of them, and cost more to make."""
    alerts = AlertHub(house.store, clock)
    pages.state.site = Site(house, clock, settings, templates(), Throttle(), Passwords(), alerts)
    return Web(pages, alerts)


class _Static(StaticFiles):
    """Files whose address changes with their content: kept by browsers for a year."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        if answer.status_code == 200 and b"v=" in scope.get("query_string", b""):
            answer.headers["cache-control"] = f"public, max-age={_A_YEAR}, immutable"
        return answer


async def _robots(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("User-agent: *\nDisallow: /\n")
