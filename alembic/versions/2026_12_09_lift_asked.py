"""tasks in which the lender's own system says that a hold is over

Revision: 2026_12_09_lift_asked
Follows: 2026_12_08_told
Made: 2026-11-29 04:40:00
"""

from __future__ import annotations

from alembic import op
from app.store.past_row_security import past_row_security

revision = "2026_12_09_lift_asked"
down_revision = "2026_12_08_told"
branch_labels = None
depends_on = None

REASONS = (
    "reason IN ('link_unpaid', 'sms_undelivered', 'sms_blocked', 'sms_outcome_unknown', "
    "'no_consent', 'consent_ended', 'bank_down', 'account_blocked', 'balance_unreadable', "
    "'identity_check_failed', 'borrower_disputes', 'borrower_cannot_pay', 'borrower_says_paid', "
    "'opted_out', 'payment_rejected', 'payment_unclear', 'payment_returned', 'overpaid', "
    "'owed_amount_stale', 'collector_acts', 'call_borrower', 'call_back', 'promise_broken', "
    "'no_way_to_reach', 'review_case', 'reminder', 'relief_asked'{more})"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _allow(", 'lift_asked'")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    with past_row_security("tasks"):
        op.execute("UPDATE tasks SET reason = 'review_case' WHERE reason = 'lift_asked'")
    _allow("")


def _allow(more: str) -> None:
    op.drop_constraint(op.f("ck_tasks_reason"), "tasks")
    op.create_check_constraint(op.f("ck_tasks_reason"), "tasks", REASONS.format(more=more))
