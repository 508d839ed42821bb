"""Runs migrations on the connection that app/store/migrate.py opened as the owner."""

from __future__ import annotations

from alembic import context
from app.store.columns import metadata


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    """Procrastinate looks after its own tables; only ours are compared."""
    return not (kind == "table" and (name or "").startswith("procrastinate_"))


def run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_name=_ours,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
