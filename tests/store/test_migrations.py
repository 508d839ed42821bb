"""Migrations make exactly the tables that the code knows, and can be undone."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any, LiteralString

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


_REFUSED = (
    '{"channel": "sms", "cases": ["00000000-0000-7000-8000-000000000003"], "message_id": null}'
)
_OTHER = "00000000-0000-7000-8000-000000000002"
# Revisions, the rows that are there then, and what of them cannot be made up by a column's type.
_EARLY: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("2026_11_21_recovery_loop", "holds", {"kind": "dispute"}),
    ("2026_11_21_recovery_loop", "messages", {"channel": "sms", "state": "sent", "connector": "x"}),
    ("2026_11_28_owed_words", "contacts", {"channel": "call", "counts": False}),
    (
        "2026_12_12_past_schedules", "users",
        {"role": "approver", "unconfirmed_since": "2026-03-02T08:00:00Z"},
    ),
    ("2026_12_14_contact_details", "lenders", {"time_zone": "Europe/Madrid"}),
    ("2026_12_14_contact_details", "borrowers", {}),
    ("2026_12_14_contact_details", "timeline", {"at": "2026-03-02T09:00:00Z"}),
    (
        "2026_12_14_contact_details", "timeline",
        {"at": "2026-03-02T07:00:00Z", "id": _OTHER, "kind": "gate", "details": _REFUSED},
    ),
    # Three are due when the case opens, half of the first is paid then, and 70 come later.
    ("2026_12_16_flag_results", "cases", {"opened_at": "2026-03-02T08:00:00Z"}),
    *(
        (
            "2026_12_16_flag_results", "instalments",
            {"id": f"{_OTHER[:-1]}{n}", "number": n, "due_on": due_on, "amount_minor": 100,
             "paid_minor": 100 if n == 1 else 20 if n == 2 else 0},
        )
        for n, due_on in enumerate(("2026-01-15", "2026-02-01", "2026-03-02", "2026-03-03"), 1)
    ),
    (
        "2026_12_16_flag_results", "repayments",
        {"applied_minor": 70, "paid_at": "2026-03-02T09:00:00Z", "currency": "EUR"},
    ),
)  # fmt: skip
_MADE_UP = """
    SELECT column_name, data_type FROM information_schema.columns
    WHERE table_name = %s AND is_nullable = 'NO' AND column_default IS NULL
"""
_BY_TYPE = {
    "uuid": "00000000-0000-7000-8000-000000000001",
    "timestamp with time zone": "2026-03-02T08:00:00Z",
    "text": "x",
    "character varying": "x",
    "boolean": False,
    "date": "2026-03-02",
    "bigint": 1,
    "integer": 1,
    "bytea": b"x",
    "jsonb": "{}",
    "ARRAY": "{}",
}


def put(connection: psycopg.Connection[Any], table: str, given: dict[str, Any]) -> None:
    """A row of this table, whatever shape it has now; nothing it points at exists."""
    connection.execute("SET session_replication_role = replica")
    needed = connection.execute(_MADE_UP, (table,)).fetchall()
    row = {name: _BY_TYPE[kind] for name, kind in needed} | given
    names, places = ", ".join(row), ", ".join(["%s"] * len(row))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", list(row.values()))


def test_rows_that_are_there_are_changed_with_the_tables(db: DatabaseUrls) -> None:
    """The owner is bound by row security like everybody: an UPDATE of his sees no row by itself."""
    migrate.downgrade(db.owner)
    for revision, table, given in _EARLY:
        migrate.upgrade(db.owner, revision)
        with psycopg.connect(db.superuser) as connection:
            put(connection, table, given)
    migrate.upgrade(db.owner)
    with psycopg.connect(db.superuser) as connection:
        connection.execute("SET session_replication_role = replica")

        def one(query: LiteralString) -> tuple[Any, ...] | None:
            return connection.execute(query).fetchone()

        assert one("SELECT recorded_at = starts_at FROM holds") == (True,)
        assert one("SELECT asked_for, counts FROM contacts") == (True, True)
        assert one("SELECT bound FROM messages") == (True,)
        assert one("SELECT given_password FROM users") == (True,)
        assert one("SELECT array_agg(extract(hour FROM at)::int ORDER BY place), max(place) "
                   "FROM timeline") == ([7, 9], 2)  # fmt: skip
        assert one("SELECT why, cardinality(case_ids) FROM blocked_contacts") == ("gate_refused", 1)
        assert one("SELECT nextval('timeline_place_seq'), nextval('audit_place_seq')") == (3, 1)
        assert one("SELECT entered_minor, entered_days FROM cases") == (250, 46)
        assert one("SELECT count(*) FROM pg_class WHERE relrowsecurity AND NOT relforcerowsecurity"
                   ) == (0,)  # fmt: skip
        connection.execute("UPDATE messages SET state = 'cancelled', cancel_reason = 'unpayable'")
        put(connection, "payments", {"state": "left_open", "currency": "EUR"})
        put(connection, "tasks", {"state": "done", "reason": "lift_asked"})
    migrate.downgrade(db.owner, "2026_12_02_learned_reads")
    with psycopg.connect(db.superuser) as connection:
        assert connection.execute("SELECT cancel_reason FROM messages").fetchone() == ("replaced",)
        assert connection.execute("SELECT state FROM payments").fetchone() == ("unclear",)
        assert connection.execute("SELECT reason FROM tasks").fetchone() == ("review_case",)


def test_no_migration_changes_rows_without_seeing_them() -> None:
    versions = Path(__file__).parents[2] / "alembic" / "versions"
    blind = [
        f"{path.name}: {line.strip()}"
        for path in versions.glob("*.py")
        for before, line in pairwise(path.read_text().splitlines())
        if re.search(r'op\.execute\(f?"(UPDATE|DELETE)\b', line)
        and "with past_row_security(" not in before
    ]
    assert blind == []


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
