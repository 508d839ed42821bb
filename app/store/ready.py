"""Is the database at the revision that this code was written for?"""

from __future__ import annotations

import asyncio
from functools import cache

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.store.migrate import head
from app.store.unit import Store, Unit

_READABLE = text(
    "SELECT to_regclass('alembic_version') IS NOT NULL "
    "AND has_table_privilege(to_regclass('alembic_version'), 'SELECT')"
)


@cache
def wanted_revision() -> str:
    """The newest revision in the folder; it cannot change while the process runs."""
    return head()


async def found_revision(unit: Unit) -> str | None:
    """The database's revision; None when it was never migrated or this role may not ask."""
    if not await unit.conn.scalar(_READABLE):
        return None
    found = await unit.conn.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


async def behind(unit: Unit) -> bool:
    """True when a migration is missing, or the database belongs to another version."""
    found = await found_revision(unit)
    return found is not None and found != wanted_revision()


async def why_not_ready(store: Store, *, limit_s: float = 3.0) -> str:
    """Why this process cannot work now, in words; empty when it can. Real seconds."""
    try:
        async with asyncio.timeout(limit_s), store.engine_unit() as unit:
            missing = await behind(unit)
    except (TimeoutError, SQLAlchemyError):
        return "The database does not answer."
    return "The database is not at the revision that this version needs." if missing else ""
