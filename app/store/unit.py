"""The unit of work: one transaction, bound to one lender or opened by the engine.

While a unit is open a context variable says so, and app/boundary.py refuses to call any
provider: a transaction held across the network is a crash in the first test that tries it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.domain.errors import NotAllowed
from app.domain.ids import LenderId
from app.store.idle import ping_the_doubtful
from app.store.jobs import Jobs
from app.store.vault import Vault

_open_units: ContextVar[int] = ContextVar("open_units", default=0)

SIGNAL_CHANNEL = "saldo_signals"


def inside_unit() -> bool:
    """True while this task holds a transaction open."""
    return _open_units.get() > 0


@dataclass(slots=True)
class Unit:
    """One open transaction. `lender_id` is None in the engine's own units."""

    conn: AsyncConnection
    vault: Vault
    jobs: Jobs
    _lender_id: LenderId | None

    @property
    def lender_id(self) -> LenderId:
        """The lender this unit is bound to. Raises `NotAllowed` in an engine unit."""
        if self._lender_id is None:
            raise NotAllowed("This unit is not bound to a lender.")
        return self._lender_id

    async def defer(self, job: str, **arguments: Any) -> None:
        """Queue a job in this very transaction: rolled back with it."""
        await self.jobs.defer(self.conn, job, **arguments)

    async def notify_signal(self, signal_id: UUID) -> None:
        """Wake the live alerts; at most once per batch. The payload is an id, nothing else."""
        await self.conn.execute(
            text("SELECT pg_notify(:channel, :payload)"),
            {"channel": SIGNAL_CHANNEL, "payload": str(signal_id)},
        )

    async def keys(self, lender_ids: Iterable[UUID]) -> None:
        """Have the data keys of these lenders at hand before sealing or opening."""
        await self.vault.ready(self.conn, set(lender_ids))

    def seal(
        self, place: str, row_id: UUID | bytes, plain: str | bytes, lender_id: UUID | None = None
    ) -> bytes:
        """Encrypt for a place and row; an engine unit names the lender."""
        return self.vault.seal(lender_id or self.lender_id, place, row_id, plain)

    def open(self, place: str, row_id: UUID | bytes, sealed: bytes) -> str:
        """Decrypt what was sealed for exactly this place and row."""
        return self.vault.open(place, row_id, sealed)


class Store:
    """The two pools and what a unit needs. Built once per process in wiring."""

    def __init__(self, app: AsyncEngine, engine: AsyncEngine, vault: Vault, jobs: Jobs) -> None:
        self._app = app
        self._engine = engine
        self.vault = vault
        self.jobs = jobs

    @asynccontextmanager
    async def unit(self, lender_id: LenderId) -> AsyncIterator[Unit]:
        """A transaction that can see and write rows of this lender only."""
        token = _open_units.set(_open_units.get() + 1)
        try:
            async with self._app.begin() as conn:
                await conn.execute(
                    text("SELECT set_config('app.lender_id', :lender, true)"),
                    {"lender": str(lender_id)},
                )
                await self.vault.ready(conn, (lender_id,))
                yield Unit(conn, self.vault, self.jobs, lender_id)
        finally:
            _open_units.reset(token)

    @asynccontextmanager
    async def engine_unit(self) -> AsyncIterator[Unit]:
        """A transaction of the engine: all lenders, least other rights."""
        token = _open_units.set(_open_units.get() + 1)
        try:
            async with self._engine.begin() as conn:
                yield Unit(conn, self.vault, self.jobs, None)
        finally:
            _open_units.reset(token)

    def address(self) -> str:
        """Where the app's pool connects to, for a connection that stays. Carries the password."""
        return self._app.url.set(drivername="postgresql").render_as_string(hide_password=False)

    async def close(self) -> None:
        """Give all connections back."""
        await self._app.dispose()
        await self._engine.dispose()


def connect(url: str, *, size: int = 5, name: str = "saldo") -> AsyncEngine:
    """An engine on psycopg 3 for a plain `postgresql://` URL.

    `name` shows in pg_stat_activity. Connections that may have died are tested before use.
    """
    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    engine = create_async_engine(
        plain.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=size,
        max_overflow=size,
        pool_timeout=15,
        # An error that is logged must not carry the row it was about.
        hide_parameters=True,
        connect_args={"application_name": name, "options": "-c timezone=UTC"},
    )
    ping_the_doubtful(engine)
    return engine
