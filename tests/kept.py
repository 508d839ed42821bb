"""Connections that outlive the test that opened them, as long as their database is lent.

Opening one costs the server thirty milliseconds: a process, and every table to be learned anew.
"""

from __future__ import annotations

import asyncio
import select
from typing import Any

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus

_AS_NEW = b"RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all()"


class KeptConnection(psycopg.AsyncConnection[Any]):
    """One that goes back to the shelf when somebody closes it."""

    async def close(self) -> None:
        """Lay it by for the next test; one that is not as new is really closed."""
        if not shelf.put(self):
            await super().close()

    def is_fresh(self) -> bool:
        """Nothing is open on it, and the server has said nothing since: no farewell."""
        if self.closed or self.pgconn.transaction_status != TransactionStatus.IDLE:
            return False
        poll = select.poll()
        poll.register(self.pgconn.socket, select.POLLIN)
        return not poll.poll(0)


class Shelf:
    """The spare connections of this process of tests, by database and role."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], list[KeptConnection]] = {}
        self._lent: set[str] = set()

    def open(self, database: str) -> None:
        """From now on connections to it are kept."""
        self._lent.add(database)

    def close(self, database: str) -> None:
        """It will not be lent again: really close what lies by."""
        self._lent.discard(database)
        for key in [key for key in self._kept if key[0] == database]:
            for connection in self._kept.pop(key):
                connection.pgconn.finish()

    def pids(self, database: str) -> list[int]:
        """The server's processes behind the connections that lie by."""
        return [
            connection.pgconn.backend_pid
            for key, kept in self._kept.items()
            if key[0] == database
            for connection in kept
        ]

    async def connect(self, **parameters: Any) -> psycopg.AsyncConnection[Any]:
        """A spare connection, or a new one."""
        kept = self._kept.get((parameters["dbname"], parameters["user"]), [])
        while kept:
            connection = kept.pop()
            if connection.is_fresh():
                connection.lock = asyncio.Lock()  # the last one may belong to a loop that is over
                return connection
            connection.pgconn.finish()
        return await KeptConnection.connect(**parameters)

    def put(self, connection: KeptConnection) -> bool:
        """Lay it by, as if it were new. False when that cannot be."""
        if not connection.is_fresh() or connection.info.dbname not in self._lent:
            return False
        if connection.pgconn.exec_(_AS_NEW).status != ExecStatus.TUPLES_OK:
            return False
        key = connection.info.dbname, connection.info.user
        self._kept.setdefault(key, []).append(connection)
        return True


shelf = Shelf()
