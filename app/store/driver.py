"""Statements of the hot path, straight to psycopg, inside the same transaction.

Batches travel as arrays, one per column, in PostgreSQL's binary format: psycopg then writes and
reads them in C, five to fourteen times cheaper than as text, and the statement's text never
changes, so that the server prepares it once. Statements off the hot path use SQLAlchemy Core.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from psycopg import AsyncConnection

from app.store.unit import Unit

Rows: TypeAlias = list[tuple[Any, ...]]


async def rows(unit: Unit, sql: str, params: Mapping[str, Any]) -> Rows:
    """Run one statement with `%(name)b` parameters and return its rows as plain tuples."""
    async with (await _driver(unit)).cursor(binary=True) as cursor:
        await cursor.execute(sql.encode(), params)
        return await cursor.fetchall()


async def run(unit: Unit, sql: str, params: Mapping[str, Any]) -> int:
    """Run one statement and return how many rows it touched."""
    async with (await _driver(unit)).cursor(binary=True) as cursor:
        await cursor.execute(sql.encode(), params)
        return cursor.rowcount


async def _driver(unit: Unit) -> AsyncConnection[tuple[Any, ...]]:
    raw = await unit.conn.get_raw_connection()
    driver: AsyncConnection[tuple[Any, ...]] = raw.driver_connection  # type: ignore[assignment]
    return driver
