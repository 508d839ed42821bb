"""when a contact was written down, where that was not when it was made

Revision: 2026_12_23_contacts_noted
Follows: 2026_12_22_case_moves
Made: 2026-11-29 14:10:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_12_23_contacts_noted"
down_revision = "2026_12_22_case_moves"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("contacts", sa.Column("noted_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("contacts", "noted_at")
