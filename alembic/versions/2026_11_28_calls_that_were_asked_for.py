"""tell calls that the borrower asked for

Revision: 2026_11_28_asked_for
Follows: 2026_11_28_owed_words
Made: 2026-11-28 11:41:05.300127
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op
from app.store.past_row_security import past_row_security

revision = "2026_11_28_asked_for"
down_revision = "2026_11_28_owed_words"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "contacts",
        sa.Column("asked_for", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    # Until now a call from a task to call back was exempt from every cap, and no other call was.
    with past_row_security("contacts"):
        op.execute("UPDATE contacts SET asked_for = true, counts = true WHERE NOT counts")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    with past_row_security("contacts"):
        op.execute("UPDATE contacts SET counts = false WHERE asked_for")
    op.drop_column("contacts", "asked_for")
