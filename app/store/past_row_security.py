"""Changing rows in a migration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op


@contextmanager
def past_row_security(table: str) -> Iterator[None]:
    """Let the migrating owner see and change all rows of `table` inside.

    Row security is forced on him, too, and he is no lender: without this an UPDATE finds no row,
    and says nothing of it. Holds the table against everybody until the migration's commit.
    """
    op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    yield
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
