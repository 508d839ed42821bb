"""where a lender is paid changes when a second person agrees

Revision: 2026_12_10_payee_changes
Follows: 2026_12_09_lift_asked
Made: 2026-11-29 04:10:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_12_10_payee_changes"
down_revision = "2026_12_09_lift_asked"
branch_labels = None
depends_on = None

BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"
KINDS = (
    "kind IN ('write_off', 'forgiveness', 'reversal', 'strategy', 'segment', 'template', 'pack', "
    "'placement', 'import', 'provider'{more})"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "payee_changes",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("account_enc", sa.LargeBinary(), nullable=True),
        sa.Column("replaces", sa.Text(), server_default="", nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("form IN ('iban', 'sort_code')", name=op.f("ck_payee_changes_form")),
        sa.CheckConstraint(
            "(account_enc IS NULL) = (ended_at IS NOT NULL)", name=op.f("ck_payee_changes_erased")
        ),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_payee_changes_lender_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payee_changes")),
    )
    op.create_index(
        "uq_payee_changes_waiting",
        "payee_changes",
        ["lender_id", "currency"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.execute("ALTER TABLE payee_changes ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE payee_changes FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY bound_lender ON payee_changes TO saldo_app "
        f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
    )
    op.execute(
        "CREATE POLICY engine ON payee_changes TO saldo_engine USING (true) WITH CHECK (true)"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON payee_changes TO saldo_app")
    op.execute("GRANT SELECT ON payee_changes TO saldo_engine")
    _allow_kinds(", 'payee'")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _allow_kinds("")
    op.drop_table("payee_changes")


def _allow_kinds(more: str) -> None:
    op.drop_constraint(op.f("ck_approvals_kind"), "approvals")
    op.create_check_constraint(op.f("ck_approvals_kind"), "approvals", KINDS.format(more=more))
