"""how every service of a bank or provider answers, and announced maintenance

Revision: 2026_12_01_health
Follows: 2026_12_01_payment_refs
Made: 2026-11-28 18:10:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_12_01_health"
down_revision = "2026_12_01_payment_refs"
branch_labels = None
depends_on = None

BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"
SERVICES = "service IN ('balances', 'payments', 'texts', 'emails')"


def fence(table: str) -> None:
    """Row-level security and rights, as app/store/security.py has them."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY bound_lender ON {table} TO saldo_app "
        f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
    )
    op.execute(f"CREATE POLICY engine ON {table} TO saldo_engine USING (true) WITH CHECK (true)")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO saldo_app, saldo_engine")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "provider_health",
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("bank_id", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'closed'"), nullable=False),
        sa.Column(
            "suspects",
            sa.ARRAY(sa.UUID()),
            server_default=sa.text("'{}'::uuid[]"),
            nullable=False,
        ),
        sa.Column("suspected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pauses", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_ok_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_failure_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_reason", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(SERVICES, name=op.f("ck_provider_health_service")),
        sa.CheckConstraint(
            "state IN ('closed', 'open', 'half_open')", name=op.f("ck_provider_health_state")
        ),
        sa.PrimaryKeyConstraint("connector", "bank_id", "service", name=op.f("pk_provider_health")),
    )
    op.create_table(
        "provider_hours",
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("bank_id", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fine", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(SERVICES, name=op.f("ck_provider_hours_service")),
        sa.PrimaryKeyConstraint(
            "connector", "bank_id", "service", "hour", name=op.f("pk_provider_hours")
        ),
    )
    for table in ("provider_health", "provider_hours"):
        op.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO saldo_engine")
        op.execute(f"GRANT SELECT ON {table} TO saldo_app")
    op.execute("GRANT DELETE ON provider_hours TO saldo_engine")
    op.create_table(
        "maintenance_windows",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("bank_id", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_maintenance_windows_has_length")),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_maintenance_windows_lender_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance_windows")),
    )
    op.create_index("ix_maintenance_windows_ends", "maintenance_windows", ["lender_id", "ends_at"])
    fence("maintenance_windows")
    # What it knew is hours old at most, and is found out again by the next calls.
    op.drop_table("bank_health")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "bank_health",
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("bank_id", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_ok_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_failure_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("connector", "bank_id", name=op.f("pk_bank_health")),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON bank_health TO saldo_engine")
    op.execute("GRANT SELECT ON bank_health TO saldo_app")
    op.drop_table("maintenance_windows")
    op.drop_table("provider_hours")
    op.drop_table("provider_health")
