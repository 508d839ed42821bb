"""British accounts that still bear the name of their IBAN are found at once

Revision: 2026_12_07_british
Follows: 2026_12_06_unpayable
Made: 2026-11-29 03:50:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_12_07_british"
down_revision = "2026_12_06_unpayable"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_index(
        "ix_accounts_by_british_iban",
        "accounts",
        ["id"],
        postgresql_where=sa.text("iban_masked LIKE 'GB%'"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_accounts_by_british_iban", table_name="accounts")
