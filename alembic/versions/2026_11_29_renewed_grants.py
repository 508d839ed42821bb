"""who exchanges a consent's token just now

Revision: 2026_11_29_renewed_grants
Follows: 2026_11_30_routes
Made: 2026-11-28 15:30:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_11_29_renewed_grants"
down_revision = "2026_11_30_routes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "consents", sa.Column("renewing_since", sa.DateTime(timezone=True), nullable=True)
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("consents", "renewing_since")
