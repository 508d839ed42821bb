"""What must survive a kill: one SQLite file in write-ahead mode, committed before any answer.

Records are kept as JSON documents by kind and id, in the order they were made; reads at the bank
are an append-only table, because there are many. All calls are short and come from one thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

R = TypeVar("R")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL, id TEXT NOT NULL, document BLOB NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE TABLE IF NOT EXISTS reads (
    number INTEGER PRIMARY KEY, consent TEXT NOT NULL, iban TEXT NOT NULL, endpoint TEXT NOT NULL,
    uri TEXT NOT NULL, at REAL NOT NULL, attended INTEGER NOT NULL, status INTEGER NOT NULL,
    counted INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS reads_at ON reads (at);
"""

_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


class Store:
    """The file, or memory when `path` is None (tests)."""

    def __init__(self, path: Path | None = None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._link = sqlite3.connect(
            ":memory:" if path is None else path, isolation_level=None, timeout=5.0
        )
        # A killed process loses nothing that was committed; only a power cut could.
        self._link.execute("PRAGMA journal_mode=WAL")
        self._link.execute("PRAGMA synchronous=NORMAL")
        self._link.executescript(_SCHEMA)
        self._depth = 0

    def close(self) -> None:
        self._link.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """All writes inside are one transaction; nested blocks join the outer one."""
        if self._depth:
            yield
            return
        self._link.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
        except BaseException:
            self._link.execute("ROLLBACK")
            raise
        else:
            self._link.execute("COMMIT")
        finally:
            self._depth = 0

    def put(self, kind: str, key: str, record: object) -> None:
        """Keep `record` (a dataclass or plain JSON) under its kind and id."""
        document = _adapter(type(record)).dump_json(record)
        self._link.execute(
            "INSERT INTO records (kind, id, document) VALUES (?, ?, ?)"
            " ON CONFLICT (kind, id) DO UPDATE SET document = excluded.document",
            (kind, key, document),
        )

    def drop(self, kind: str, key: str) -> None:
        self._link.execute("DELETE FROM records WHERE kind = ? AND id = ?", (kind, key))

    def all_of(self, kind: str, shape: type[R]) -> list[R]:
        """Every record of a kind, oldest first."""
        rows = self._link.execute(
            "SELECT document FROM records WHERE kind = ? ORDER BY rowid", (kind,)
        )
        adapter = _adapter(shape)
        return [adapter.validate_json(row[0]) for row in rows]

    def one(self, kind: str, key: str, shape: type[R]) -> R | None:
        row = self._link.execute(
            "SELECT document FROM records WHERE kind = ? AND id = ?", (kind, key)
        ).fetchone()
        return None if row is None else _adapter(shape).validate_json(row[0])

    def add_read(self, *row: str | float) -> None:
        """One read at a bank: consent, iban, endpoint, uri, at, attended, status, counted."""
        self._link.execute(
            "INSERT INTO reads (consent, iban, endpoint, uri, at, attended, status, counted)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )

    def reads(self, since: datetime | None = None) -> list[tuple[Any, ...]]:
        """Rows of `add_read`, with `at` in epoch seconds, oldest first."""
        after = since.timestamp() if since else 0.0
        return self._link.execute(
            "SELECT consent, iban, endpoint, uri, at, attended, status, counted FROM reads"
            " WHERE at >= ? ORDER BY number",
            (after,),
        ).fetchall()

    def last_moment(self) -> datetime | None:
        """The latest business time at which a read was made; None when there was none."""
        row = self._link.execute("SELECT max(at) FROM reads").fetchone()
        return None if row[0] is None else datetime.fromtimestamp(row[0], UTC)
