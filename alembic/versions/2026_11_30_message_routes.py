"""texts know whether an attempt may have left, and how many surely did not

Revision: 2026_11_30_routes
Follows: 2026_11_29_own_rules
Made: 2026-11-28 15:20:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op
from app.store.past_row_security import past_row_security

revision = "2026_11_30_routes"
down_revision = "2026_11_29_own_rules"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "messages", sa.Column("bound", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column(
        "messages", sa.Column("missed", sa.BigInteger(), server_default="0", nullable=False)
    )
    # Nobody noted how the attempts until now ended: each of them may have left.
    with past_row_security("messages"):
        op.execute("UPDATE messages SET bound = true WHERE connector IS NOT NULL")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("messages", "missed")
    op.drop_column("messages", "bound")
