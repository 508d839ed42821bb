"""Which database errors mean "not now" rather than "never", for those who know no SQL."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# SQLSTATE classes 40 (rolled back: deadlock, serialization), 53 (resources), 57P (shutting down,
# starting up), 08 (connection); PostgreSQL documentation, appendix A.
_PASSING = ("08", "40", "53", "57P")
_DEEPEST = 5


def database_away(error: BaseException) -> bool:
    """True when the server is restarting, unreachable or too busy: the same call may work soon.

    Looks through what the libraries wrap round the driver's error.
    """
    for one in _inside_out(error):
        if isinstance(one, PoolTimeout):
            return True
        if isinstance(one, DBAPIError) and one.connection_invalidated:
            return True
        if isinstance(one, (psycopg.OperationalError, psycopg.InterfaceError)):
            # No state: the server never answered.
            return one.sqlstate is None or one.sqlstate.startswith(_PASSING)
    return False


def collided(error: BaseException) -> bool:
    """True when a unique key was taken by somebody else in the same moment."""
    return isinstance(error, IntegrityError) and getattr(error.orig, "sqlstate", "") == "23505"


def _inside_out(error: BaseException) -> Iterator[BaseException]:
    """The error, what it wraps, what that wraps, and so on."""
    here: BaseException | None = error
    for _ in range(_DEEPEST):
        if here is None:
            return
        yield here
        here = here.orig if isinstance(here, DBAPIError) else here.__cause__
