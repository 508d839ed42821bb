"""Databases that go from test to test, emptied in between.

A copy of the template costs 24 ms to make, 10 ms to drop, and every connection to it learns all
tables anew. Emptying the few tables that a test wrote to costs a tenth of that. A database whose
tables, functions, rights or shipped rows were touched is not lent again.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

import psycopg
from psycopg import sql

from app.store.embedded_setup import DatabaseUrls
from tests.kept import shelf

MOST_LENDINGS = 25
"""Rows that were deleted stay in the files until somebody sweeps."""

# What was defined after the system's own objects, and the oid by which each catalog finds it.
_CATALOGS = {
    "pg_class": "oid",
    "pg_attribute": "attrelid",
    "pg_attrdef": "oid",
    "pg_constraint": "oid",
    "pg_index": "indexrelid",
    "pg_trigger": "oid",
    "pg_proc": "oid",
    "pg_policy": "oid",
    "pg_type": "oid",
    "pg_namespace": "oid",
    "pg_database": "oid",
}
_FIRST_OF_OURS = 16384
_PRINT = sql.SQL(" UNION ALL ").join(
    sql.SQL(
        "SELECT {}, count(*), sum(hashint8(xmin::text::bigint)::bigint) FROM {} WHERE {} >= {} {}"
    ).format(
        sql.Literal(name),
        sql.Identifier(name),
        sql.Identifier(key),
        _FIRST_OF_OURS,
        sql.SQL("AND datname = current_database()" if name == "pg_database" else ""),
    )
    for name, key in _CATALOGS.items()
)
_TABLES = """
    SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1
"""
# Waiting for an end goes by tenths of a second; only one in the middle of something is worth it.
_END_OTHERS = """
    SELECT pg_terminate_backend(pid, CASE WHEN state = 'idle' THEN 0 ELSE 5000 END)
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state IS NOT NULL
        AND pid <> ALL(%s)
"""
_USED_SEQUENCES = """
    SELECT format('%I.%I', schemaname, sequencename), start_value FROM pg_sequences
    WHERE last_value IS NOT NULL
"""


@dataclass(slots=True)
class Lent:
    """One database, and how it looked when it was new."""

    urls: DatabaseUrls
    name: str
    admin: psycopg.Connection
    tables: tuple[str, ...]
    shipped: tuple[str, ...]
    print_of_new: object
    lendings: int = 0


@dataclass(slots=True)
class Databases:
    """The spare databases of one process of tests."""

    superuser: str
    urls_to: Callable[[str], DatabaseUrls]
    make: Callable[[psycopg.Connection, str], None]
    _spare: list[Lent] = field(default_factory=list)

    def take(self) -> Lent:
        """An empty database, as if it were new."""
        lent = self._spare.pop() if self._spare else self._new()
        lent.lendings += 1
        return lent

    def give_back(self, lent: Lent) -> None:
        """Empty it for the next test; one that was rebuilt, or has served long, is dropped."""
        try:
            clean = lent.lendings < MOST_LENDINGS and _empty(lent)
        except psycopg.Error:
            clean = False  # the test took the connection or the database away
        if clean:
            self._spare.append(lent)
        else:
            self._drop(lent)

    def close(self) -> None:
        """Let go of the connections; the server is about to be stopped with all that is in it."""
        for lent in self._spare:
            shelf.close(lent.name)
            lent.admin.close()
        self._spare.clear()

    def _new(self) -> Lent:
        name = f"t_{uuid4().hex}"
        with psycopg.connect(self.superuser, autocommit=True) as server:
            self.make(server, name)
        urls = self.urls_to(name)
        shelf.open(name)
        admin = psycopg.connect(urls.superuser, autocommit=True)
        admin.execute("SET session_replication_role = replica")  # no triggers, no foreign keys
        everything = tuple(row[0] for row in admin.execute(_TABLES))
        shipped = tuple(_written(admin, everything))
        tables = tuple(table for table in everything if table not in shipped)
        return Lent(urls, name, admin, tables, shipped, _fingerprint(admin, shipped))

    def _drop(self, lent: Lent) -> None:
        shelf.close(lent.name)
        lent.admin.close()
        with psycopg.connect(self.superuser, autocommit=True) as server:
            server.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(lent.name))
            )


def _empty(lent: Lent) -> bool:
    """Delete what the test wrote. False when the database itself is not what it was."""
    admin = lent.admin
    admin.execute(_END_OTHERS, [shelf.pids(lent.name)])
    written = _written(admin, lent.tables)
    if written:
        admin.execute(
            sql.SQL("; ").join(
                sql.SQL("DELETE FROM {}").format(sql.Identifier(table)) for table in written
            )
        )
    for sequence, start in admin.execute(_USED_SEQUENCES).fetchall():
        admin.execute("SELECT setval(%s::regclass, %s, false)", [sequence, start])
    return _fingerprint(admin, lent.shipped) == lent.print_of_new


def _written(admin: psycopg.Connection, tables: tuple[str, ...]) -> list[str]:
    query = sql.SQL(" UNION ALL ").join(
        sql.SQL("(SELECT {} FROM {} LIMIT 1)").format(sql.Literal(table), sql.Identifier(table))
        for table in tables
    )
    return [row[0] for row in admin.execute(query)]


def _fingerprint(admin: psycopg.Connection, shipped: tuple[str, ...]) -> object:
    """Changes whenever a definition, a right or a shipped row does."""
    built = admin.execute(_PRINT).fetchall()
    rows = [
        zlib.crc32(
            repr(
                admin.execute(sql.SQL("TABLE {}").format(sql.Identifier(table))).fetchall()
            ).encode()
        )
        for table in shipped
    ]
    return built, rows
