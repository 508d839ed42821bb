"""Every state that a row takes, written down by the database itself, and the moves docs allow.

Triggers log each insert, change of state and deletion in a schema of their own, whatever program
made them. What is allowed is read from docs/states.md, where people read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

STATES_PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "states.md"
# Tables with a state of their own, and the heading of their lifecycle.
WATCHED: Final[Mapping[str, str]] = {
    "cases": "Case",
    "messages": "Message",
    "payment_links": "Payment link",
    "payments": "Payment",
    "tasks": "Task",
    "promises": "Promise",
    "approvals": "Approval",
    "consents": "Consent",
    "consent_requests": "Consent request",
}
_FUNCTION: Final = """
    CREATE SCHEMA watched;
    CREATE TABLE watched.moves (
        seq bigserial PRIMARY KEY, place text, id uuid, before text, after text);
    CREATE FUNCTION watched.note() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            INSERT INTO watched.moves (place, id, after)
                VALUES (TG_TABLE_NAME, NEW.id, NEW.state);
        ELSIF TG_OP = 'DELETE' THEN
            INSERT INTO watched.moves (place, id, before)
                VALUES (TG_TABLE_NAME, OLD.id, OLD.state);
        ELSE
            INSERT INTO watched.moves (place, id, before, after)
                VALUES (TG_TABLE_NAME, NEW.id, OLD.state, NEW.state);
        END IF;
        RETURN NULL;
    END $$;
"""
_TRIGGERS: Final = """
    CREATE TRIGGER watch_rows AFTER INSERT OR DELETE ON {place}
        FOR EACH ROW EXECUTE FUNCTION watched.note();
    CREATE TRIGGER watch_moves AFTER UPDATE OF state ON {place}
        FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
        EXECUTE FUNCTION watched.note();
"""
_ROW = re.compile(r"\| `(\w+)` \| [^|]* \| (?:`(\w+)`|\(final\)) \|\Z")


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """One table of the page."""

    start: str
    moves: frozenset[tuple[str, str]]


def read_lifecycles(page: str) -> dict[str, Lifecycle]:
    """The tables of docs/states.md by their headings."""
    found = {}
    for part in page.split("\n## ")[1:]:
        heading, _, rest = part.partition("\n")
        start = re.search(r"Starts as `(\w+)`", rest)
        assert start is not None, f"{heading} has no start"
        rows = [match for line in rest.splitlines() if (match := _ROW.match(line.strip()))]
        moves = frozenset((row[1], row[2]) for row in rows if row[2])
        found[heading] = Lifecycle(start[1], moves)
    return found


class Watchman:
    """Looks at everything that moved since the last time."""

    def __init__(self, superuser_url: str) -> None:
        self._connection = psycopg.connect(superuser_url, autocommit=True)
        self._lifecycles = read_lifecycles(STATES_PAGE.read_text(encoding="utf-8"))
        self._seen = 0
        self.moves = 0

    def start(self) -> None:
        """From now on the database writes every move down."""
        self._connection.execute(_FUNCTION)
        for place in WATCHED:
            self._connection.execute(_TRIGGERS.format(place=place).encode())

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def illegal(self) -> Iterator[tuple[str, str]]:
        """(row id, words) of everything new that the page does not allow."""
        rows = self._connection.execute(
            "SELECT seq, place, id::text, before, after FROM watched.moves WHERE seq > %s "
            "ORDER BY seq",
            [self._seen],
        ).fetchall()
        for seq, place, row_id, before, after in rows:
            self._seen = seq
            self.moves += 1
            lifecycle = self._lifecycles[WATCHED[place]]
            if before is None:
                legal = after == lifecycle.start
            else:
                legal = (before, after) in lifecycle.moves
            if not legal:
                yield row_id, f"{place}: {before} became {after}"
