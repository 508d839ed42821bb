"""Migrations make exactly the tables that the code knows, and can be undone."""

from __future__ import annotations

import psycopg
from sqlalchemy import text

from app.store import migrate
from app.store.columns import metadata
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


_CHECKS = """
    SELECT c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid)
    FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
    WHERE c.contype = 'c' AND n.nspname = %s AND c.conrelid::regclass::text !~ 'procrastinate'
"""
_PARTIAL = """
    SELECT i.indexrelid::regclass::text, pg_get_expr(i.indpred, i.indrelid)
    FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = k.relnamespace
    WHERE i.indpred IS NOT NULL AND n.nspname = %s
        AND i.indexrelid::regclass::text !~ 'procrastinate'
"""


def test_checks_and_partial_indexes_are_those_of_the_code_too(db: DatabaseUrls) -> None:
    """What the comparison above does not look at: the words a column may hold, and conditions."""
    engine = migrate.owner_engine(db.superuser)
    with engine.connect() as connection:
        connection.execute(text("CREATE SCHEMA twin"))
        metadata.create_all(connection.execution_options(schema_translate_map={None: "twin"}))
        connection.commit()
    engine.dispose()
    with psycopg.connect(db.superuser) as connection:
        for query in (_CHECKS, _PARTIAL):
            migrated, modelled = (
                {
                    tuple(str(part).replace("twin.", "") for part in row)
                    for row in connection.execute(query, [schema])
                }
                for schema in ("public", "twin")
            )
            assert len(migrated) > 15
            assert migrated == modelled
