"""what was ordered and not done is told to whoever has the case

Revision: 2026_12_21_undone_acts
Follows: 2026_12_20_assignment
Made: 2026-11-29 13:25:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_12_21_undone_acts"
down_revision = "2026_12_20_assignment"
branch_labels = None
depends_on = None

BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "undone_acts",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("step_id", sa.UUID(), nullable=False),
        sa.Column("told_on", sa.Date(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=True),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "act IN ('call', 'notice', 'promise_reminder')", name=op.f("ck_undone_acts_act")
        ),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_undone_acts_lender_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_undone_acts_user_id")),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_undone_acts_borrower_id")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_undone_acts_case_id")),
        sa.PrimaryKeyConstraint("lender_id", "step_id", name=op.f("pk_undone_acts")),
    )
    op.create_index(
        op.f("ix_undone_acts_lender_id_told_on_user_id"),
        "undone_acts",
        ["lender_id", "told_on", "user_id"],
    )
    op.create_index(
        "ix_strategy_steps_ordered",
        "strategy_steps",
        ["lender_id", "on_day"],
        postgresql_where=sa.text(
            "kind IN ('notice', 'call', 'promise_reminder') AND case_id IS NOT NULL"
        ),
    )
    op.execute("ALTER TABLE undone_acts ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE undone_acts FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY bound_lender ON undone_acts TO saldo_app "
        f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
    )
    op.execute("CREATE POLICY engine ON undone_acts TO saldo_engine USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT ON undone_acts TO saldo_app")
    # Told to the desk for days, then tidied away: it repeats what steps and tasks say.
    op.execute("GRANT SELECT, INSERT, DELETE ON undone_acts TO saldo_engine")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_strategy_steps_ordered", "strategy_steps")
    op.drop_table("undone_acts")
