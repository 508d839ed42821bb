"""lenders' own providers

Revision: 2026_12_03_own_providers
Follows: 2026_12_03_left_open
Made: 2026-11-28 20:40:00
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "2026_12_03_own_providers"
down_revision = "2026_12_03_left_open"
branch_labels = None
depends_on = None

BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"
KINDS = (
    "kind IN ('write_off', 'forgiveness', 'reversal', 'strategy', 'segment', 'template', 'pack', "
    "'placement', 'import'{more})"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "provider_setups",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'proposed'"), nullable=False),
        sa.Column("settings_enc", sa.LargeBinary(), nullable=True),
        sa.Column(
            "shown",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("in_force_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), server_default="", nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('proposed', 'in_force', 'retired', 'closed')",
            name=op.f("ck_provider_setups_state"),
        ),
        sa.CheckConstraint(
            "slot IN ('aggregation', 'payments', 'messages', 'emails')",
            name=op.f("ck_provider_setups_slot"),
        ),
        sa.CheckConstraint(
            "(settings_enc IS NULL) = (state = 'closed')", name=op.f("ck_provider_setups_erased")
        ),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_provider_setups_lender_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_setups")),
    )
    for name, columns, state in (
        ("in_force", ["lender_id", "slot"], "state = 'in_force'"),
        ("proposed", ["lender_id", "slot"], "state = 'proposed'"),
        ("name", ["name"], "state IN ('in_force', 'retired')"),
    ):
        op.create_index(
            f"uq_provider_setups_{name}",
            "provider_setups",
            columns,
            unique=True,
            postgresql_where=sa.text(state),
        )
    op.create_index(
        op.f("ix_provider_setups_lender_id_made_at"), "provider_setups", ["lender_id", "made_at"]
    )
    op.execute("ALTER TABLE provider_setups ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE provider_setups FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY bound_lender ON provider_setups TO saldo_app "
        f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
    )
    op.execute(
        "CREATE POLICY engine ON provider_setups TO saldo_engine USING (true) WITH CHECK (true)"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON provider_setups TO saldo_app")
    op.execute("GRANT SELECT ON provider_setups TO saldo_engine")
    _allow_kinds(", 'provider'")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _allow_kinds("")
    op.drop_table("provider_setups")


def _allow_kinds(more: str) -> None:
    op.drop_constraint(op.f("ck_approvals_kind"), "approvals")
    op.create_check_constraint(op.f("ck_approvals_kind"), "approvals", KINDS.format(more=more))
