"""schedules that the lender's ledger replaced are kept: a past day stays what it was

Revision: 2026_12_12_past_schedules
Follows: 2026_12_11_book_keys
Made: 2026-11-29 09:00:00
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "2026_12_12_past_schedules"
down_revision = "2026_12_11_book_keys"
branch_labels = None
depends_on = None

BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "past_schedules",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("loan_id", sa.UUID(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("numbers", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("due_on", postgresql.ARRAY(sa.Date()), nullable=False),
        sa.Column("amount_minor", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("paid_minor", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_past_schedules_lender_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_past_schedules_loan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_past_schedules")),
    )
    for columns in (["loan_id", "until"], ["lender_id", "until"]):
        op.create_index(
            op.f(f"ix_past_schedules_{columns[0]}_until"), "past_schedules", columns, unique=False
        )
    op.execute("ALTER TABLE past_schedules ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE past_schedules FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY bound_lender ON past_schedules TO saldo_app "
        f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
    )
    op.execute(
        "CREATE POLICY engine ON past_schedules TO saldo_engine USING (true) WITH CHECK (true)"
    )
    op.execute("GRANT SELECT, INSERT ON past_schedules TO saldo_app, saldo_engine")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("past_schedules")
