"""messages that are called off because nothing could be paid behind their link

Revision: 2026_12_06_unpayable
Follows: 2026_12_05_payees
Made: 2026-11-29 01:35:00
"""

from __future__ import annotations

from alembic import op
from app.store.past_row_security import past_row_security

revision = "2026_12_06_unpayable"
down_revision = "2026_12_05_payees"
branch_labels = None
depends_on = None

REASONS = (
    "cancel_reason IN ('paid', 'payment_in_flight', 'nothing_due', 'hold', 'opted_out', "
    "'consent_ended', 'stop_switch', 'money_gone', 'signal_stale', 'gate_refused', "
    "'link_expired', 'owed_amount_stale', 'phone_missing', 'address_missing', "
    "'channel_missing', 'replaced', 'promised', 'stage_over'{more})"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _allow(", 'unpayable'")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    with past_row_security("messages"):
        op.execute(
            "UPDATE messages SET cancel_reason = 'replaced' WHERE cancel_reason = 'unpayable'"
        )
    _allow("")


def _allow(more: str) -> None:
    op.drop_constraint(op.f("ck_messages_cancel_reason"), "messages")
    op.create_check_constraint(
        op.f("ck_messages_cancel_reason"), "messages", REASONS.format(more=more)
    )
