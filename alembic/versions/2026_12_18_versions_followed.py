"""contacts keep the strategy versions that their cases followed

Revision: 2026_12_18_versions_followed
Follows: 2026_12_17_blocked_contacts
Made: 2026-11-29 13:15:00
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "2026_12_18_versions_followed"
down_revision = "2026_12_17_blocked_contacts"
branch_labels = None
depends_on = None

ATTEMPTS = ("messages", "contacts", "blocked_contacts")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ATTEMPTS:
        op.add_column(
            table,
            sa.Column(
                "version_ids",
                postgresql.ARRAY(sa.UUID()),
                server_default=sa.text("'{}'::uuid[]"),
                nullable=False,
            ),
        )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in ATTEMPTS:
        op.drop_column(table, "version_ids")
