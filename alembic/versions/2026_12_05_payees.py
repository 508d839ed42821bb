"""where other currencies than EUR are paid to

Revision: 2026_12_05_payees
Follows: 2026_12_04_bills
Made: 2026-11-29 00:40:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_12_05_payees"
down_revision = "2026_12_04_bills"
branch_labels = None
depends_on = None

BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "payees",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("account_enc", sa.LargeBinary(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("form IN ('iban', 'sort_code')", name=op.f("ck_payees_form")),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_payees_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payees")),
        sa.UniqueConstraint("lender_id", "currency", name=op.f("uq_payees_lender_id_currency")),
    )
    op.execute("ALTER TABLE payees ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE payees FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY bound_lender ON payees TO saldo_app "
        f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
    )
    op.execute("CREATE POLICY engine ON payees TO saldo_engine USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT, INSERT, UPDATE ON payees TO saldo_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON payees TO saldo_engine")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("payees")
