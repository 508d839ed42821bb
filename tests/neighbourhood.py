"""Saldo on a real database in the middle of the sandbox, with a clock that stands in the hand.

Flows call connectors, connectors speak their wire formats, the sandbox answers in-process. Jobs
are real jobs in the database: `settle()` looks round the timetable and works off whatever was
deferred, as scheduler and worker would, until nothing is left to do at this moment.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from app.clock import Clock
from app.domain.ids import LenderId
from app.flows.house import House
from app.settings import load_settings
from app.store.embedded_setup import DatabaseUrls
from app.store.unit import Store
from app.wiring import make_house
from connectors import _http
from sandbox import app as sandbox_app
from sandbox.bank_list import as_toml
from sandbox.texts import DEFAULT_NUMBER, DEFAULT_SID, DEFAULT_TOKEN
from sandbox.world import World
from scheduler.timetable import TIMETABLE
from scheduler.worker import FLOWS
from tests.rig import PACKS, make_lender, make_store

SANDBOX = "http://127.0.0.1:8210"
PUBLIC = "http://127.0.0.1:8200"
# A Tuesday at ten in the morning in Madrid: contact is allowed, banks are booking.
MORNING = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
CREDITOR_IBAN = "ES7921000813610123456789"
# Rounds of looking and working after which something is deferring itself for ever.
_ROUNDS = 40


class HandClock(Clock):
    """Business and real time both stand where the test put them."""

    def __init__(self, at: datetime) -> None:
        super().__init__(None)
        self.at = at

    def now(self) -> datetime:
        """Where the hand is."""
        return self.at

    def real_now(self) -> datetime:
        """The same instant: a test has no machine time of its own."""
        return self.at


@dataclass(slots=True)
class Neighbourhood:
    """One lender on Saldo, the world around, and what drives both."""

    house: House
    world: World
    clock: HandClock
    lender_id: LenderId
    outside: httpx.ASGITransport
    failures: list[str] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        """Business time."""
        return self.clock.at

    @property
    def store(self) -> Store:
        """The house's store."""
        return self.house.store

    def advance(self, **by: float) -> datetime:
        """Move both clocks forward by a timedelta's arguments, without doing anything."""
        self.clock.at += timedelta(**by)
        return self.clock.at

    async def settle(self) -> int:
        """Look and work until there is nothing more to do now. Returns how many jobs ran."""
        done = 0
        for _ in range(_ROUNDS):
            for entry in TIMETABLE:
                await entry.look(self.house, self.now)
            ran = await self.work()
            done += ran
            if ran == 0:
                return done
        raise RuntimeError("jobs keep deferring jobs")

    async def work(self) -> int:
        """Work off the jobs that are queued now, each once."""
        query = text(
            "DELETE FROM procrastinate_jobs WHERE status = 'todo' RETURNING id, task_name, args"
        )
        async with self.store.engine_unit() as unit:
            queued = sorted((await unit.conn.execute(query)).all())
        for _, name, args in queued:
            await FLOWS[name](self.house, self.now, [UUID(one) for one in args["ids"]])
        return len(queued)

    async def live(self, *, step: timedelta = timedelta(minutes=20), **total: float) -> None:
        """Let time pass in steps, doing at each what is due."""
        end = self.now + timedelta(**total)
        while self.now < end:
            self.clock.at = min(self.now + step, end)
            await self.settle()

    async def rows(self, query: str, **values: Any) -> list[Any]:
        """Rows of any query, over all lenders."""
        async with self.store.engine_unit() as unit:
            return list((await unit.conn.execute(text(query), values)).all())

    async def value(self, query: str, **values: Any) -> Any:
        """The one value of a query."""
        found = await self.rows(query, **values)
        return found[0][0] if found else None


@asynccontextmanager
async def neighbourhood(
    db: DatabaseUrls, folder: Path, *, at: datetime = MORNING, **lender: Any
) -> AsyncIterator[Neighbourhood]:
    """Build it round one lender (`lender` overrides columns) and take it down again."""
    clock = HandClock(at)
    world = World(seed=1, now=clock.now, origin=at)
    outside = httpx.ASGITransport(app=sandbox_app.create(world))
    banks = folder / "banks.toml"
    banks.write_text(as_toml(SANDBOX), encoding="utf-8")
    environment = {
        "SALDO_BERLIN_GROUP_BANKS": str(banks),
        "SALDO_TWILIO_BASE_URL": f"{SANDBOX}/twilio",
        "SALDO_TWILIO_ACCOUNT_SID": DEFAULT_SID,
        "SALDO_TWILIO_AUTH_TOKEN": DEFAULT_TOKEN,
        "SALDO_TWILIO_FROM_NUMBER": DEFAULT_NUMBER,
        "SALDO_LENDER_WEBHOOK_ALLOW_LOOPBACK": "true",
    }
    os.environ.update(environment)
    http = _http.client(transport=outside)
    store = make_store(db, size=10)
    try:
        settings = load_settings(public_url=PUBLIC, demo=True, data_dir=folder)
        house = make_house(
            settings, store, clock, PACKS, http,
            open_http=lambda: _http.client(transport=outside),
        )  # fmt: skip
        lender_id = await make_lender(store, at, **lender)
        async with store.unit(lender_id) as unit:
            sealed = unit.seal("lenders.creditor_iban_enc", lender_id, CREDITOR_IBAN)
            await unit.conn.execute(
                text("UPDATE lenders SET creditor_iban_enc = :iban"), {"iban": sealed}
            )
        yield Neighbourhood(house, world, clock, lender_id, outside)
    finally:
        for name in environment:
            os.environ.pop(name, None)
        await http.aclose()
        await store.close()
        world.close()
