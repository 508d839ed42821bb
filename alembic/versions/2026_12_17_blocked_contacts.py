"""contacts that were wanted and not made are kept, and what the gate said of those that were

Revision: 2026_12_17_blocked_contacts
Follows: 2026_12_16_flag_results
Made: 2026-11-29 12:45:00
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op
from app.store.past_row_security import past_row_security

revision = "2026_12_17_blocked_contacts"
down_revision = "2026_12_16_flag_results"
branch_labels = None
depends_on = None

BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"

# What the gate refused before there was a message stood in the timeline alone.
FROM_TIMELINE = """
    INSERT INTO blocked_contacts (lender_id, id, key, borrower_id, case_ids, channel, purpose,
        cause, tried_at, source, actor, why, verdict)
    SELECT lender_id, id, id, borrower_id,
        ARRAY(SELECT jsonb_array_elements_text(details->'cases')::uuid),
        details->>'channel', 'collection', '', at, 'saldo', actor, 'gate_refused', details
    FROM timeline WHERE kind = 'gate' AND details->>'message_id' IS NULL
        AND details->>'channel' IN ('sms', 'email', 'call', 'push')
        AND jsonb_typeof(details->'cases') = 'array'
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("contacts", sa.Column("verdict", postgresql.JSONB(), nullable=True))
    op.create_index(
        "ix_contacts_attempts",
        "contacts",
        ["lender_id", "made_at", "id"],
        unique=False,
        postgresql_where=sa.text("direction = 'outbound' AND message_id IS NULL"),
    )
    op.create_index(
        op.f("ix_messages_lender_id_created_at_id"),
        "messages",
        ["lender_id", "created_at", "id"],
        unique=False,
    )
    _make_table()
    op.execute("ALTER TABLE blocked_contacts ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE blocked_contacts FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY bound_lender ON blocked_contacts TO saldo_app "
        f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
    )
    op.execute(
        "CREATE POLICY engine ON blocked_contacts TO saldo_engine USING (true) WITH CHECK (true)"
    )
    op.execute("GRANT SELECT, INSERT ON blocked_contacts TO saldo_app, saldo_engine")
    with past_row_security("blocked_contacts"), past_row_security("timeline"):
        op.execute(FROM_TIMELINE)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("blocked_contacts")
    op.drop_index(op.f("ix_messages_lender_id_created_at_id"), table_name="messages")
    op.drop_index("ix_contacts_attempts", table_name="contacts")
    op.drop_column("contacts", "verdict")


def _make_table() -> None:
    uuids = postgresql.ARRAY(sa.UUID())
    op.create_table(
        "blocked_contacts",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("key", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("case_ids", uuids, server_default=sa.text("'{}'::uuid[]"), nullable=False),
        sa.Column("loan_ids", uuids, server_default=sa.text("'{}'::uuid[]"), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), server_default="", nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=True),
        sa.Column("placement_id", sa.UUID(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("verdict", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint(
            "channel IN ('sms', 'email', 'call', 'push')", name=op.f("ck_blocked_contacts_channel")
        ),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_blocked_contacts_lender_id")
        ),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_blocked_contacts_borrower_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_blocked_contacts_user_id")
        ),
        sa.ForeignKeyConstraint(
            ["placement_id"], ["placements.id"], name=op.f("fk_blocked_contacts_placement_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blocked_contacts")),
        sa.UniqueConstraint("lender_id", "key", name=op.f("uq_blocked_contacts_lender_id_key")),
    )
    op.create_index(
        op.f("ix_blocked_contacts_lender_id_tried_at_id"),
        "blocked_contacts",
        ["lender_id", "tried_at", "id"],
        unique=False,
    )
