"""What a lender's system took lately is counted without walking all it ever took

Revision: 2026_12_08_told
Follows: 2026_12_07_british
Made: 2026-11-29 04:20:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_12_08_told"
down_revision = "2026_12_07_british"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_index(
        "ix_outbox_told",
        "outbox",
        ["lender_id", "done_at"],
        postgresql_where=sa.text("kind = 'lender_webhook'"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_outbox_told", table_name="outbox")
