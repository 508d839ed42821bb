"""One LISTEN connection per process, outside the pools, opened again whenever it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

import psycopg
from psycopg import sql

from app.store.unit import Store

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 10.0
# The generator wakes this often to notice a connection that died without a word.
_LOOK_EVERY_S: Final = 20.0


async def listen(store: Store, channel: str) -> AsyncIterator[str | None]:
    """Payloads of NOTIFY on `channel`, for ever; cancel the task to end it.

    `None` is yielded each time the connection was (re)opened: notifications may have been missed,
    so the caller looks for himself. A lost connection is never raised.
    """
    pause = _FIRST_PAUSE_S
    while True:
        try:
            async with await _open(store) as connection:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                pause = _FIRST_PAUSE_S
                yield None
                while True:
                    async with aclosing(connection.notifies(timeout=_LOOK_EVERY_S)) as arriving:
                        async for notification in arriving:
                            yield notification.payload
                    await connection.execute("SELECT 1")
        except (psycopg.Error, OSError):
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)


async def _open(store: Store) -> psycopg.AsyncConnection[tuple[object, ...]]:
    return await psycopg.AsyncConnection.connect(
        store.address(), autocommit=True, connect_timeout=10, application_name="saldo alerts"
    )
