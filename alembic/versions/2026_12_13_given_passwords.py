"""a password that an admin chose is known to him: its owner chooses another one before he counts

Revision: 2026_12_13_given_passwords
Follows: 2026_12_12_past_schedules
Made: 2026-11-29 09:40:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op
from app.store.past_row_security import past_row_security

revision = "2026_12_13_given_passwords"
down_revision = "2026_12_12_past_schedules"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "users",
        sa.Column("given_password", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    # Nobody wrote down who chose it; whoever waits to be confirmed had an admin at his access.
    with past_row_security("users"):
        op.execute("UPDATE users SET given_password = true WHERE unconfirmed_since IS NOT NULL")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("users", "given_password")
