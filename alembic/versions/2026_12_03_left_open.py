"""payments that nobody can take back may be left open, and are watched

Revision: 2026_12_03_left_open
Follows: 2026_12_02_learned_reads
Made: 2026-11-28 20:30:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op
from app.store.past_row_security import past_row_security

revision = "2026_12_03_left_open"
down_revision = "2026_12_02_learned_reads"
branch_labels = None
depends_on = None

BEFORE = (
    "state IN ('requested', 'creating', 'open', 'authorised', 'settled', 'rejected', "
    "'cancelled', 'abandoned', 'unclear', 'returned')"
)
AFTER = BEFORE.replace("'abandoned', ", "'abandoned', 'left_open', ")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("payments", sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("payments", sa.Column("left_at", sa.DateTime(timezone=True), nullable=True))
    _allow(AFTER)
    _look_at("next_look_at IS NOT NULL")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    # What was left open may still be paid: a person looks.
    with past_row_security("payments"):
        op.execute("UPDATE payments SET state = 'unclear' WHERE state = 'left_open'")
    _look_at("state IN ('requested', 'creating', 'open', 'authorised', 'unclear')")
    _allow(BEFORE)
    op.drop_column("payments", "left_at")
    op.drop_column("payments", "sent_at")


def _allow(states: str) -> None:
    op.drop_constraint(op.f("ck_payments_state"), "payments")
    op.create_check_constraint(op.f("ck_payments_state"), "payments", states)


def _look_at(which: str) -> None:
    op.drop_index("ix_payments_due", table_name="payments")
    op.create_index(
        "ix_payments_due", "payments", ["next_look_at"], postgresql_where=sa.text(which)
    )
