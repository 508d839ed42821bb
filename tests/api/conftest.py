"""The API through ASGI, over a real database: two lenders on one installation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.api.app import build_api, furnish
from app.clock import Clock, start_warp
from app.domain.ids import LenderId
from app.flows.house import House
from app.flows.lenders.make_key import make_key
from app.settings import Settings
from app.store.unit import Store
from app.wiring import make_house
from tests.rig import PACKS, make_lender

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

BORROWER: dict[str, Any] = {
    "external_ref": "C-1",
    "name": "Ana Núñez",
    "phone": "+34612345678",
    "country": "ES",
    "language": "es",
    "birth_date": "1988-04-17",
}
LOAN: dict[str, Any] = {
    "external_ref": "L-1",
    "borrower_ref": "C-1",
    "product": "consumer loan",
    "currency": "EUR",
    "instalments": [
        {"number": 1, "due_on": "2026-02-01", "amount": "120.00"},
        {"number": 2, "due_on": "2026-04-01", "amount": "120.00"},
    ],
}


@dataclass(frozen=True, slots=True)
class System:
    """One lender's system: its key and a client that uses it."""

    lender_id: LenderId
    token: str
    http: httpx.AsyncClient

    async def register(self) -> None:
        """One borrower with one overdue loan."""
        assert (await self.http.post("/v1/borrowers", json=BORROWER)).status_code == 201
        answer = await self.http.post("/v1/loans", json=LOAN)
        assert answer.status_code == 201, answer.text


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """Business time that stands still at NOW."""
    start_warp(tmp_path / "clock.json", business_start=NOW, speed=0, lease=False)
    return Clock(tmp_path / "clock.json")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a lender's installation, webhooks to this machine allowed."""
    return Settings(
        data_dir=tmp_path, public_url="https://saldo.test", demo=True, api_calls_per_minute=10_000
    )


@pytest.fixture
async def house(store: Store, clock: Clock, settings: Settings) -> AsyncIterator[House]:
    """The house over a fresh database; without banks most ports stay empty."""
    async with httpx.AsyncClient() as http:
        yield make_house(settings, store, clock, PACKS, http)


@pytest.fixture(scope="session")
def routes() -> FastAPI:
    """Made once: learning its routes takes an application a tenth of a second."""
    return build_api()


@pytest.fixture
def app(routes: FastAPI, house: House, clock: Clock) -> FastAPI:
    """The API."""
    furnish(routes, house, clock)
    return routes


@pytest.fixture
async def bare(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    async with client_of(app) as http:
        yield http


@pytest.fixture
async def sol(app: FastAPI, house: House) -> AsyncIterator[System]:
    """The lender most tests speak for."""
    async for system in _system(app, house):
        yield system


@pytest.fixture
async def luna(app: FastAPI, house: House) -> AsyncIterator[System]:
    """Another lender on the same installation."""
    async for system in _system(app, house):
        yield system


async def _system(app: FastAPI, house: House) -> AsyncIterator[System]:
    lender_id = await make_lender(house.store, NOW)
    made = await make_key(house, NOW, lender_id, "test", actor="test")
    async with client_of(app, made.token) as http:
        yield System(lender_id, made.token, http)


def client_of(app: FastAPI, token: str = "") -> httpx.AsyncClient:
    """A client of the app, in this process."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url="https://saldo.test", headers=headers)
