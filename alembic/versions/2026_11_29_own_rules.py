"""lenders' own rules beside the packs

Revision: 2026_11_29_own_rules
Follows: 2026_11_29_agencies
Made: 2026-11-28 12:00:00
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "2026_11_29_own_rules"
down_revision = "2026_11_29_agencies"
branch_labels = None
depends_on = None

BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "pack_editions",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'draft'"), nullable=False),
        sa.Column(
            "body",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("look_back_days", sa.SmallInteger(), server_default=sa.text("2"), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'proposed', 'published', 'retired')",
            name=op.f("ck_pack_editions_state"),
        ),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_pack_editions_lender_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pack_editions")),
        sa.UniqueConstraint(
            "lender_id", "country", "number", name=op.f("uq_pack_editions_lender_id_country_number")
        ),
    )
    op.create_index(
        "uq_pack_editions_published",
        "pack_editions",
        ["lender_id", "country"],
        unique=True,
        postgresql_where=sa.text("state = 'published'"),
    )
    op.execute("ALTER TABLE pack_editions ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE pack_editions FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY bound_lender ON pack_editions TO saldo_app "
        f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
    )
    op.execute(
        "CREATE POLICY engine ON pack_editions TO saldo_engine USING (true) WITH CHECK (true)"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON pack_editions TO saldo_app, saldo_engine")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("pack_editions")
