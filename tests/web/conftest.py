"""The web through ASGI over a street: a real database, providers in the test's hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI

from app.clock import Clock
from app.domain.roles import Role
from app.flows.lenders.manage_users import add_user
from app.flows.lenders.sign_in import SESSION_HASH
from app.settings import Settings
from app.store import sessions
from app.store.unit import Store
from app.web import Web, build_pages, furnish
from tests.flows.street import PUBLIC, Hands, Street, make_street
from tests.web.reading import Page

PASSWORD = "a long enough password"
HOST = "pay.sol.example"

# Production takes a tenth of a second for each comparison, on purpose, and these tests guess a lot.
_WEAK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


class StreetClock(Clock):
    """The street's two clocks as a web process reads them."""

    def __init__(self, hands: Hands) -> None:
        super().__init__(None)
        self._hands = hands

    def now(self) -> datetime:
        return self._hands.now

    def real_now(self) -> datetime:
        return self._hands.real


@dataclass(slots=True)
class Browser:
    """Somebody's browser: cookies of its own, pages read as they come."""

    http: httpx.AsyncClient
    answer: httpx.Response | None = None

    async def open(self, path: str, **more: Any) -> Page:
        """GET a page and read it; redirects are followed."""
        self.answer = await self.http.get(path, follow_redirects=True, **more)
        return Page.read(self.answer.text)

    async def send(self, page: Page, step: str, *, follow: bool = True, **fields: Any) -> Page:
        """Fill in the form with the mark `step` and send it."""
        form = page.form(step)
        filled = {**form.fields, **fields}
        self.answer = await self.http.post(form.action, data=filled, follow_redirects=follow)
        return Page.read(self.answer.text) if self.answer.text else Page()

    @property
    def status(self) -> int:
        """The status of the last answer."""
        assert self.answer is not None
        return self.answer.status_code


class OpenBrowser(Protocol):
    """Makes browsers."""

    def __call__(self, *, ip: str = ..., **headers: str) -> Browser: ...


@pytest.fixture(autouse=True)
def weak_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same hashes with less work."""
    monkeypatch.setattr("app.web.passwords.PasswordHasher", lambda: _WEAK)


@pytest.fixture
async def street(store: Store) -> Street:
    """One lender, ready to send and to be paid, and nobody in the street yet."""
    return await make_street(store)


@pytest.fixture
def web(street: Street) -> Web:
    """The pages over the street."""
    return web_of(street)


def web_of(street: Street) -> Web:
    """The pages with this street behind them, and nobody else's until the next test."""
    settings = street.house.settings
    return furnish(_pages(settings.public_url), street.house, StreetClock(street.hands), settings)


@lru_cache(maxsize=4)
def _pages(public_url: str) -> FastAPI:
    """Made once: learning its routes takes an application a tenth of a second."""
    return build_pages(Settings(public_url=public_url))


@pytest.fixture
async def browser(web: Web) -> AsyncIterator[OpenBrowser]:
    """Opens browsers; each has its own cookies and address."""
    made: list[httpx.AsyncClient] = []

    def open_one(*, ip: str = "198.51.100.1", **headers: str) -> Browser:
        transport = httpx.ASGITransport(app=web.pages, client=(ip, 40000))
        client = httpx.AsyncClient(transport=transport, base_url=PUBLIC, headers=headers)
        made.append(client)
        return Browser(client)

    yield open_one
    for client in made:
        await client.aclose()


Desk = Callable[[Role], Any]


@pytest.fixture
async def sign_in_as(street: Street, browser: OpenBrowser) -> Desk:
    """Signs somebody in at the street's lender, with the role asked for."""

    async def signed_in(role: Role) -> Browser:
        return await desk_of(street, browser, role)

    return signed_in


@lru_cache(maxsize=1)
def hashed_password() -> str:
    """The hash of everybody's password."""
    return _WEAK.hash(PASSWORD)


async def desk_of(
    street: Street, browser: OpenBrowser, role: Role, *, lender_id: Any = None
) -> Browser:
    """A browser with a session; the user is made for it."""
    owner = lender_id or street.lender_id
    email = f"{role.value}@{owner.hex[-8:]}.example"
    user_id = await add_user(
        street.house,
        street.now,
        lender_id=owner,
        email=email,
        name=f"Pat {role.value}",
        role=role,
        password_hash=hashed_password(),
        actor="test",
    )
    desk = browser()
    async with street.store.engine_unit() as unit:
        await sessions.start(
            unit,
            street.hands.real,
            id_hash=unit.vault.digest(SESSION_HASH, f"session of {user_id}"),
            user_id=user_id,
            lender_id=owner,
        )
    desk.http.cookies.set("__Host-saldo", f"session of {user_id}", domain=HOST)
    return desk
