"""Connections that may have died while they lay idle are tested before they are used again.

The embedded server may have been restarted under us, and a proxy between us and a server elsewhere
may have dropped what nobody used. Testing at every loan, as SQLAlchemy's own pre-ping does, was a
quarter of all round trips. A server that ends a connection says so, and that can be seen without
asking it; only what lay idle for longer is asked.
"""

from __future__ import annotations

import select
import time
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine

# Real seconds after which a connection may have been dropped without a word.
RESTED_S = 1.0
_SINCE = "saldo_idle_since"


def ping_the_doubtful(engine: AsyncEngine) -> None:
    """Test a connection before it is lent if the server sent something, or it lay idle for long.

    One that does not answer takes all others of the pool with it that are older, and a new one is
    opened in its place; the caller notices nothing.
    """
    dialect = engine.dialect

    def lent(connection: Any, record: Any, _lent: Any) -> None:
        since = record.info.get(_SINCE)
        if since is None:
            return  # opened just now
        if time.monotonic() - since < RESTED_S and not _has_news(connection.driver_connection):
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


def _has_news(driver: Any) -> bool:
    """Whether something unread waits on the connection: between units that is a farewell."""
    if driver.closed:
        return True
    poll = select.poll()
    poll.register(driver.fileno(), select.POLLIN)
    return bool(poll.poll(0))
