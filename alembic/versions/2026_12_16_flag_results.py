"""what became of flagged cases: indexes for asking it of a whole book

Revision: 2026_12_16_flag_results
Follows: 2026_12_15_stamps
Made: 2026-11-29 12:30:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_12_16_flag_results"
down_revision = "2026_12_15_stamps"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_index(
        "ix_case_flags_first", "case_flags", ["segment_id", "case_id", "raised_at"], unique=False
    )
    op.create_index(
        "ix_timeline_case_ends",
        "timeline",
        ["case_id", "at"],
        unique=False,
        postgresql_where=sa.text("kind IN ('case_closed', 'case_reopened')"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_timeline_case_ends", table_name="timeline")
    op.drop_index("ix_case_flags_first", table_name="case_flags")
