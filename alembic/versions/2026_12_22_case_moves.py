"""moves of cases between strategies are kept, so that they can be taken back

Revision: 2026_12_22_case_moves
Follows: 2026_12_21_undone_acts
Made: 2026-11-29 13:40:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_12_22_case_moves"
down_revision = "2026_12_21_undone_acts"
branch_labels = None
depends_on = None

BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "case_moves",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("version_id", sa.UUID(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_case_moves_lender_id")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["strategy_versions.id"], name=op.f("fk_case_moves_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_moves")),
    )
    op.create_index(
        op.f("ix_case_moves_version_id_made_at"), "case_moves", ["version_id", "made_at"]
    )
    op.create_table(
        "moved_cases",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("move_id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=False),
        sa.Column("before_id", sa.UUID(), nullable=True),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("back_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stayed", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_moved_cases_lender_id")
        ),
        sa.ForeignKeyConstraint(
            ["move_id"], ["case_moves.id"], name=op.f("fk_moved_cases_move_id")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_moved_cases_case_id")),
        sa.ForeignKeyConstraint(
            ["before_id"], ["strategy_versions.id"], name=op.f("fk_moved_cases_before_id")
        ),
        sa.PrimaryKeyConstraint("move_id", "case_id", name=op.f("pk_moved_cases")),
    )
    op.create_index(op.f("ix_moved_cases_case_id"), "moved_cases", ["case_id"])
    for table, rights in (
        ("case_moves", "SELECT, INSERT"),
        ("moved_cases", "SELECT, INSERT, UPDATE"),
    ):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY bound_lender ON {table} TO saldo_app "
            f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
        )
        op.execute(
            f"CREATE POLICY engine ON {table} TO saldo_engine USING (true) WITH CHECK (true)"
        )
        op.execute(f"GRANT {rights} ON {table} TO saldo_app")
        op.execute(f"GRANT SELECT ON {table} TO saldo_engine")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("moved_cases")
    op.drop_table("case_moves")
