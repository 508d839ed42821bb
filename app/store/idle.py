"""Connections that lay idle are tested before they are used again.

The embedded server may have been restarted under us, and a proxy between us and a server elsewhere
may have dropped what nobody used. Testing at every loan, as SQLAlchemy's own pre-ping does, was a
quarter of all round trips: what was in use a moment ago is not asked.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine

# Real seconds. Shorter than any restart of a server, far longer than work takes between two units.
RESTED_S = 1.0
_SINCE = "saldo_idle_since"


def ping_the_rested(engine: AsyncEngine) -> None:
    """Test a connection that lay idle for longer than `RESTED_S` before it is lent.

    One that does not answer takes all others of the pool with it that are older, and a new one is
    opened in its place; the caller notices nothing. A server that goes away within that second is
    noticed by the first statement, as in the middle of a unit.
    """
    dialect = engine.dialect

    def lent(connection: Any, record: Any, _lent: Any) -> None:
        since = record.info.get(_SINCE)
        if since is None or time.monotonic() - since < RESTED_S:
            return
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            if dialect.is_disconnect(error, connection, None):
                raise InvalidatePoolError from error
            raise

    def given_back(_connection: Any, record: Any) -> None:
        record.info[_SINCE] = time.monotonic()

    event.listen(engine.sync_engine, "checkout", lent)
    event.listen(engine.sync_engine, "checkin", given_back)
