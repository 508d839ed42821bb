"""payments are found by what their provider calls them

Revision: 2026_12_01_payment_refs
Follows: 2026_11_29_renewed_grants
Made: 2026-11-28 18:05:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_12_01_payment_refs"
down_revision = "2026_11_29_renewed_grants"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    # A keyed hash: older payments have none, and are looked at in their rhythm as before.
    op.add_column("payments", sa.Column("ref_hash", sa.LargeBinary(), nullable=True))
    op.create_index(op.f("ix_payments_ref_hash"), "payments", ["ref_hash"], unique=False)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index(op.f("ix_payments_ref_hash"), table_name="payments")
    op.drop_column("payments", "ref_hash")
