"""keep the lender's words on what is owed

Revision: 2026_11_28_owed_words
Follows: 2026_11_28_collections
Made: 2026-11-28 11:36:20.114230
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_11_28_owed_words"
down_revision = "2026_11_28_collections"
branch_labels = None
depends_on = None

BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "owed_words",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("loan_id", sa.UUID(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_before_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_owed_words_lender_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_owed_words_loan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_owed_words")),
    )
    op.create_index(
        op.f("ix_owed_words_loan_id_as_of"), "owed_words", ["loan_id", "as_of"], unique=False
    )
    op.execute("ALTER TABLE owed_words ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE owed_words FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY bound_lender ON owed_words TO saldo_app "
        f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
    )
    op.execute("CREATE POLICY engine ON owed_words TO saldo_engine USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT, INSERT, UPDATE ON owed_words TO saldo_app, saldo_engine")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index(op.f("ix_owed_words_loan_id_as_of"), table_name="owed_words")
    op.drop_table("owed_words")
