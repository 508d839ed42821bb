"""bills that are known: one look at transactions, and what of a balance will leave

Revision: 2026_12_04_bills
Follows: 2026_12_03_own_providers
Made: 2026-11-29 00:50:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_12_04_bills"
down_revision = "2026_12_03_own_providers"
branch_labels = None
depends_on = None

PURPOSES = "purpose IN ('scoring', 'repayment_monitoring'{more})"
TABLES = ("consent_choices", "read_attempts", "readings")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "lenders",
        sa.Column("reads_bills", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("income_profiles", sa.Column("bills_enc", sa.LargeBinary(), nullable=True))
    op.add_column("readings", sa.Column("aside_enc", sa.LargeBinary(), nullable=True))
    op.add_column("readings", sa.Column("aside_by", sa.Date(), nullable=True))
    _allow(", 'bills'")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _allow("")
    op.drop_column("readings", "aside_by")
    op.drop_column("readings", "aside_enc")
    op.drop_column("income_profiles", "bills_enc")
    op.drop_column("lenders", "reads_bills")


def _allow(more: str) -> None:
    """The purposes that a look, a figure and a choice may have."""
    for table in TABLES:
        op.drop_constraint(op.f(f"ck_{table}_purpose"), table)
        op.create_check_constraint(op.f(f"ck_{table}_purpose"), table, PURPOSES.format(more=more))
