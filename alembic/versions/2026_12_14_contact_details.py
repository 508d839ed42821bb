"""numbers and addresses that people at the desk enter

Revision: 2026_12_14_contact_details
Follows: 2026_12_13_given_passwords
Made: 2026-11-29 09:45:00
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "2026_12_14_contact_details"
down_revision = "2026_12_13_given_passwords"
branch_labels = None
depends_on = None

BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "contact_details",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.Column("address_enc", sa.LargeBinary(), nullable=True),
        sa.Column("entered_by", sa.UUID(), nullable=True),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("detail IN ('phone', 'email')", name=op.f("ck_contact_details_detail")),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_contact_details_lender_id")
        ),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_contact_details_borrower_id")
        ),
        sa.ForeignKeyConstraint(
            ["entered_by"], ["users.id"], name=op.f("fk_contact_details_entered_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_details")),
        sa.UniqueConstraint(
            "borrower_id",
            "detail",
            "address_hash",
            name=op.f("uq_contact_details_borrower_id_detail_address_hash"),
        ),
    )
    op.execute("ALTER TABLE contact_details ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE contact_details FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY bound_lender ON contact_details TO saldo_app "
        f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
    )
    op.execute(
        "CREATE POLICY engine ON contact_details TO saldo_engine USING (true) WITH CHECK (true)"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON contact_details TO saldo_app, saldo_engine")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("contact_details")
