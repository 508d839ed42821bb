"""history is stamped: lines have a place in the order of writing, and stamps are chained

Revision: 2026_12_15_stamps
Follows: 2026_12_14_contact_details
Made: 2026-11-29 12:30:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op
from app.store.past_row_security import past_row_security

revision = "2026_12_15_stamps"
down_revision = "2026_12_14_contact_details"
branch_labels = None
depends_on = None

BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"
HISTORIES = ("timeline", "audit")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for history in HISTORIES:
        _give_places(history)
    op.create_table(
        "stamps",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("history", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_place", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lines", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("stamped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sa.Column("lines_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("history IN ('timeline', 'audit')", name=op.f("ck_stamps_history")),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_stamps_lender_id")),
        sa.PrimaryKeyConstraint("lender_id", "history", "number", name=op.f("pk_stamps")),
    )
    op.execute("ALTER TABLE stamps ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE stamps FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY bound_lender ON stamps TO saldo_app "
        f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
    )
    op.execute("CREATE POLICY engine ON stamps TO saldo_engine USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT ON stamps TO saldo_app")
    op.execute("GRANT SELECT, INSERT ON stamps TO saldo_engine")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("stamps")
    for history in HISTORIES:
        op.drop_constraint(op.f(f"uq_{history}_lender_id_place"), history)
        op.drop_column(history, "place")


def _give_places(history: str) -> None:
    """What is there is put in the order of its moments; what comes draws from a sequence."""
    op.add_column(history, sa.Column("place", sa.BigInteger(), nullable=True))
    with past_row_security(history):
        op.execute(
            f"UPDATE {history} SET place = o.place FROM "
            f"(SELECT id, row_number() OVER (ORDER BY at, id) AS place FROM {history}) o "
            f"WHERE {history}.id = o.id"
        )
        op.alter_column(history, "place", nullable=False)
        op.execute(f"ALTER TABLE {history} ALTER place ADD GENERATED ALWAYS AS IDENTITY")
        op.execute(
            f"SELECT setval('{history}_place_seq', greatest(max(place), 1), "
            f"max(place) IS NOT NULL) FROM {history}"
        )
    op.create_unique_constraint(
        op.f(f"uq_{history}_lender_id_place"), history, ["lender_id", "place"]
    )
