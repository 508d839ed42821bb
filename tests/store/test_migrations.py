"""Migrations make exactly the tables that the code knows, and can be undone."""

from __future__ import annotations

import psycopg

from app.store import migrate
from app.store.embedded_setup import DatabaseUrls


def test_migrated_database_equals_the_tables_in_the_code(db: DatabaseUrls) -> None:
    engine = migrate.owner_engine(db.owner)
    with engine.connect() as connection:
        assert migrate.differences(connection) == []
        assert migrate.current(connection) == migrate.head()
    engine.dispose()


def test_down_and_up_again_leaves_nothing_behind(db: DatabaseUrls) -> None:
    migrate.downgrade(db.owner)
    with psycopg.connect(db.owner) as connection:
        left = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'S', 'v') AND relname <> 'alembic_version'"
        ).fetchall()
        functions = connection.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        ).fetchall()
    assert left == []
    assert functions == []
    migrate.upgrade(db.owner)
    engine = migrate.owner_engine(db.owner)
    with engine.connect() as connection:
        assert migrate.differences(connection) == []
    engine.dispose()
