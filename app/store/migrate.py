"""Bringing a database to the present shape, as the owner role."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text

from alembic import command
from app.store import tables  # noqa: F401 - fills the metadata
from app.store.columns import metadata

_ROOT = Path(__file__).resolve().parents[2]
# Any number; the same in every process, so that two starts at once migrate one after another.
_MIGRATION_LOCK = 7_325_401


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_ROOT / "alembic"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def owner_engine(url: str) -> Engine:
    """A synchronous engine for a plain `postgresql://` URL."""
    return create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1), pool_pre_ping=True
    )


def upgrade(owner_url: str, revision: str = "head") -> None:
    """Run all migrations that are missing. Two callers at once wait for each other."""
    engine = owner_engine(owner_url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:n)"), {"n": _MIGRATION_LOCK})
            connection.commit()
            try:
                command.upgrade(_config(connection), revision)
                connection.commit()
            finally:
                connection.rollback()
                connection.execute(text("SELECT pg_advisory_unlock(:n)"), {"n": _MIGRATION_LOCK})
                connection.commit()
    finally:
        engine.dispose()


def downgrade(owner_url: str, revision: str = "base") -> None:
    """Undo migrations; for tests and for emergencies."""
    engine = owner_engine(owner_url)
    try:
        with engine.connect() as connection:
            command.downgrade(_config(connection), revision)
            connection.commit()
    finally:
        engine.dispose()


def head() -> str:
    """The newest revision that this code knows."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    return found or ""


def current(connection: Connection) -> str | None:
    """The revision the database is at; None when it was never migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def differences(connection: Connection) -> list[object]:
    """What the tables in the code and in the database do not agree on; empty when all is well."""
    context = MigrationContext.configure(
        connection,
        opts={
            "include_name": lambda name, kind, _parents: (
                not (kind == "table" and (name or "").startswith("procrastinate_"))
            ),
        },
    )
    return list(compare_metadata(context, metadata))


def write_revision(connection: Connection, message: str) -> None:
    """Draft a new revision by comparing the code with the database, for a person to finish."""
    command.revision(_config(connection), message=message, autogenerate=True)
