"""A database that is away is told from one that says no."""

from __future__ import annotations

import psycopg
import pytest
from procrastinate.exceptions import ConnectorException
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.store.trouble import collided, database_away
from app.store.unit import Store, connect

pytestmark = pytest.mark.anyio


def wrapped(cause: Exception) -> ConnectorException:
    """As the job engine's library wraps the driver's errors."""
    error = ConnectorException("Database error.")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (PoolTimeout("no connection became free"), True),
        (OperationalError("", {}, psycopg.OperationalError("connection refused")), True),
        (OperationalError("", {}, psycopg.errors.AdminShutdown("terminating")), True),
        (OperationalError("", {}, psycopg.errors.CannotConnectNow("starting up")), True),
        (OperationalError("", {}, psycopg.errors.DeadlockDetected("deadlock")), True),
        (OperationalError("", {}, psycopg.errors.TooManyConnections("full")), True),
        (DBAPIError("", {}, psycopg.InterfaceError("closed"), connection_invalidated=True), True),
        (wrapped(psycopg.OperationalError("server closed the connection")), True),
        (wrapped(psycopg.errors.UndefinedTable("jobs")), False),
        (OperationalError("", {}, psycopg.errors.QueryCanceled("statement timeout")), False),
        (ProgrammingError("", {}, psycopg.errors.UndefinedTable("x")), False),
        (IntegrityError("", {}, psycopg.errors.UniqueViolation("x")), False),
        (ValueError("x"), False),
    ],
)
def test_away_or_no(error: Exception, away: bool) -> None:
    assert database_away(error) is away


async def test_nobody_listens() -> None:
    engine = connect("postgresql://saldo_app:x@127.0.0.1:1/saldo", size=1)
    with pytest.raises(OperationalError) as caught:
        async with engine.connect():
            pass
    await engine.dispose()
    assert database_away(caught.value)


async def test_a_wrong_statement_is_no_outage(store: Store) -> None:
    async with store.engine_unit() as unit:
        with pytest.raises(ProgrammingError) as caught:
            await unit.conn.execute(text("SELECT * FROM nowhere"))
    assert not database_away(caught.value)
    assert not collided(caught.value)
