"""A real Chromium against a real server on this machine, over a street."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Final

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from app.domain.roles import Role
from app.flows.lenders.manage_users import add_user
from app.settings import Settings
from app.store.unit import Store
from app.web import Web, mount
from tests.flows.street import Neighbour, Street, make_street
from tests.web.conftest import PASSWORD, StreetClock, hashed_password

_NAMES: Final = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
CHROMIUM: Final = next(filter(None, map(shutil.which, _NAMES)), None)

# Without a browser there is nothing to look at; .ci/run installs one and insists on it.
collect_ignore_glob = [] if CHROMIUM else ["test_*.py"]
if CHROMIUM is None and os.environ.get("SALDO_REQUIRE_BROWSER"):
    raise pytest.UsageError("SALDO_REQUIRE_BROWSER is set, and no Chromium was found")

_FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


@dataclass(slots=True)
class Site:
    """The pages on a port of this machine, and what a browser complained of while there."""

    url: str
    street: Street
    web: Web
    chromium: Browser
    complaints: list[str] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)

    async def window(
        self, *, width: int = 1360, height: int = 900, script: bool = True, scheme: str = "light"
    ) -> Page:
        """A fresh window with no cookies. Errors in its console are complaints."""
        context: BrowserContext = await self.chromium.new_context(
            viewport={"width": width, "height": height},
            java_script_enabled=script,
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = await context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda said: self._hear(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda asked: self._watch(asked.url))
        return page

    def _hear(self, kind: str, text: str) -> None:
        # A form that is answered 422 is shown as a failed load; that is the page's answer.
        if kind == "error" and "status of 4" not in text:
            self.complaints.append(text)

    def _watch(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "about:")):
            self.strangers.add(url)

    async def signed_in(self, role: Role, *, width: int = 1360, height: int = 900) -> Page:
        """A window of somebody of the desk who came in through the door."""
        email = f"{role.value}@sol.example"
        await add_user(
            self.street.house,
            self.street.now,
            lender_id=self.street.lender_id,
            email=email,
            name=f"Pat {role.value}",
            role=role,
            password_hash=hashed_password(),
            actor="test",
        )
        page = await self.window(width=width, height=height)
        await page.goto(f"{self.url}/sign-in")
        await page.get_by_label("E-mail address").fill(email)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("button", name="Sign out").wait_for()
        return page

    async def texted(self) -> tuple[Neighbour, str]:
        """Somebody with money and a text, and the link in it."""
        who = await self.street.neighbour()
        await self.street.money_seen(who)
        await self.street.tick()
        found = re.search(r"https?://\S+/p/\S+", self.street.carrier.taken[-1].sms.body)
        assert found is not None
        return who, found[0]


@pytest.fixture(scope="module")
async def chromium(anyio_backend: str) -> AsyncIterator[Browser]:
    """One browser for a file of tests: starting it costs more than most of them."""
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def site(store: Store, chromium: Browser) -> AsyncIterator[Site]:
    """Serve the pages; their windows and the server are gone afterwards."""
    street = await make_street(store)
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    street.house = replace(street.house, settings=Settings(public_url=url))
    app = FastAPI()
    web = mount(app, street.house, StreetClock(street.hands), street.house.settings)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=port,
            log_level="error",
            timeout_graceful_shutdown=3,
            ws="none",
        )
    )
    async with web.running():
        started = asyncio.Event()
        serving = asyncio.create_task(_serve(server, started))
        await asyncio.wait_for(started.wait(), 10)
        try:
            yield Site(url, street, web, chromium)
        finally:
            for window in chromium.contexts:
                await window.close()
            web.stop()
            server.should_exit = True
            with suppress(asyncio.CancelledError):
                await serving


async def _serve(server: uvicorn.Server, started: asyncio.Event) -> None:
    """Without the server's own handlers: the test run owns the signals."""
    config = server.config
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    started.set()
    await server.main_loop()
    await server.shutdown()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
