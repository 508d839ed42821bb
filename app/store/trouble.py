"""Which database errors mean "not now" rather than "never", for those who know no SQL."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# SQLSTATE classes 40 (rolled back: deadlock, serialization), 53 (resources), 57P (shutting down,
# starting up), 08 (connection); PostgreSQL documentation, appendix A.
_PASSING = ("08", "40", "53", "57P")


def database_away(error: BaseException) -> bool:
    """True when the server is restarting, unreachable or too busy: the same call may work soon."""
    if isinstance(error, PoolTimeout):
        return True
    if isinstance(error, IntegrityError) or not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if state:
        return state.startswith(_PASSING)
    # No state: the server never answered.
    return isinstance(error, (OperationalError, InterfaceError))


def collided(error: BaseException) -> bool:
    """True when a unique key was taken by somebody else in the same moment."""
    return isinstance(error, IntegrityError) and getattr(error.orig, "sqlstate", "") == "23505"
