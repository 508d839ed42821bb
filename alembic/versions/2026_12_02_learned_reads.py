"""reading when income is likely: profiles of income, and each lender's way of reading

Revision: 2026_12_02_learned_reads
Follows: 2026_12_01_health
Made: 2026-11-28 18:40:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_12_02_learned_reads"
down_revision = "2026_12_01_health"
branch_labels = None
depends_on = None

BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "lenders", sa.Column("reading_way", sa.Text(), server_default="even", nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_lenders_reading_way"), "lenders", "reading_way IN ('even', 'learned')"
    )
    op.create_table(
        "income_profiles",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("profile_enc", sa.LargeBinary(), nullable=True),
        sa.Column("learned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "odds_basis_points", sa.SmallInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_income_profiles_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_income_profiles_lender_id")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_income_profiles")),
    )
    op.create_index(
        "ix_income_profiles_kept",
        "income_profiles",
        ["learned_at"],
        postgresql_where=sa.text("profile_enc IS NOT NULL"),
    )
    op.execute("ALTER TABLE income_profiles ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE income_profiles FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY bound_lender ON income_profiles TO saldo_app "
        f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
    )
    op.execute(
        "CREATE POLICY engine ON income_profiles TO saldo_engine USING (true) WITH CHECK (true)"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON income_profiles TO saldo_app, saldo_engine")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("income_profiles")
    op.drop_constraint(op.f("ck_lenders_reading_way"), "lenders")
    op.drop_column("lenders", "reading_way")
