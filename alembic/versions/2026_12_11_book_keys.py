"""which key a book file was loaded by: a person stands behind it before another one releases it

Revision: 2026_12_11_book_keys
Follows: 2026_12_10_payee_changes
Made: 2026-11-29 04:50:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_12_11_book_keys"
down_revision = "2026_12_10_payee_changes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("bulk_files", sa.Column("key_id", sa.UUID(), nullable=True))
    op.create_foreign_key(
        op.f("fk_bulk_files_key_id"), "bulk_files", "api_keys", ["key_id"], ["id"]
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("bulk_files", "key_id")
