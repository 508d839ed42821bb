"""Row-level security and rights, derived from the tables.

Three roles, named the same everywhere: `saldo_owner` migrates, `saldo_app` is bound to one
lender per transaction, `saldo_engine` works over all lenders (planning, workers, look-ups
before the lender is known). None of them may be a superuser or bypass row security.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Table

APP_ROLE = "saldo_app"
ENGINE_ROLE = "saldo_engine"
OWNER_ROLE = "saldo_owner"

_BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"

# What the engine alone may delete: its own bookkeeping, never a business row.
_ENGINE_DELETES = {
    "slots",
    "inbox",
    "idempotency_keys",
    "link_sessions",
    "sessions",
    "provider_hours",
}
_APPEND_ONLY = {"timeline", "audit", "adjustments", "stamps", "blocked_contacts"}
# Shared between lenders and read by the desk: how banks and providers answer.
_APP_READS = {"provider_health", "provider_hours"}
# The lender's own to write; the engine only looks up what its batches need.
_ENGINE_READS = {"provider_setups"}
# The engine's to append; whoever works for a lender only looks.
_ENGINE_APPENDS = {"stamps"}


def statements(table: Table) -> Iterator[str]:
    """The statements that fence one table in. Run after it is created."""
    name = table.name
    if table.info.get("tenant"):
        column = "id" if name == "lenders" else "lender_id"
        rights = "SELECT, INSERT" if name in _APPEND_ONLY else "SELECT, INSERT, UPDATE"
        yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"
        yield f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY"
        yield (
            f"CREATE POLICY bound_lender ON {name} TO {APP_ROLE} "
            f"USING ({column} = {_BOUND}) WITH CHECK ({column} = {_BOUND})"
        )
        yield f"CREATE POLICY engine ON {name} TO {ENGINE_ROLE} USING (true) WITH CHECK (true)"
        yield f"GRANT {'SELECT' if name in _ENGINE_APPENDS else rights} ON {name} TO {APP_ROLE}"
        engine_rights = "SELECT" if name in _ENGINE_READS else rights
        yield f"GRANT {engine_rights} ON {name} TO {ENGINE_ROLE}"
    elif table.info.get("engine"):
        yield f"GRANT SELECT, INSERT, UPDATE ON {name} TO {ENGINE_ROLE}"
        if name in _APP_READS:
            yield f"GRANT SELECT ON {name} TO {APP_ROLE}"
    if name in _ENGINE_DELETES:
        yield f"GRANT DELETE ON {name} TO {ENGINE_ROLE}"
