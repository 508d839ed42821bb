"""what entered collections with each case

Revision: 2026_12_19_case_entries
Follows: 2026_12_18_versions_followed
Made: 2026-11-29 13:00:00
"""

from __future__ import annotations

from contextlib import ExitStack

import sqlalchemy as sa

from alembic import op
from app.store.past_row_security import past_row_security

revision = "2026_12_19_case_entries"
down_revision = "2026_12_18_versions_followed"
branch_labels = None
depends_on = None

# Of cases that are there already: what today's schedule says was due on that day, less what had come
# by then, oldest first. Money whose day nobody knows counts as come before; where that leaves
# nothing, nothing is written down.
KNOWN_BY_NOW = """
    UPDATE cases SET entered_minor = e.minor, entered_days = e.days
    FROM (
        SELECT p.id, sum(least(p.amount, p.upto - p.paid))::bigint AS minor,
            p.today - min(p.due_on) AS days
        FROM (
            SELECT c.id, d.today, i.due_on, i.amount_minor AS amount,
                sum(i.amount_minor) OVER (PARTITION BY c.id ORDER BY i.due_on, i.number) AS upto,
                greatest(0, whole.paid - later.paid) AS paid
            FROM cases c
            JOIN LATERAL (
                SELECT timezone(n.time_zone, c.opened_at)::date AS today,
                    n.case_after_days AS grace FROM lenders n WHERE n.id = c.lender_id
            ) d ON true
            JOIN LATERAL (
                SELECT coalesce(sum(paid_minor), 0) AS paid FROM instalments
                WHERE loan_id = c.loan_id
            ) whole ON true
            JOIN LATERAL (
                SELECT coalesce(sum(r.applied_minor), 0) AS paid FROM repayments r
                WHERE r.loan_id = c.loan_id AND r.lender_id = c.lender_id AND r.counted
                    AND r.reversed_at IS NULL AND r.paid_at > c.opened_at
            ) later ON true
            JOIN instalments i ON i.loan_id = c.loan_id AND i.due_on <= d.today - d.grace
        ) p
        WHERE p.upto > p.paid
        GROUP BY p.id, p.today
    ) e
    WHERE cases.id = e.id
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("cases", sa.Column("entered_minor", sa.BigInteger(), nullable=True))
    op.add_column("cases", sa.Column("entered_days", sa.Integer(), nullable=True))
    with ExitStack() as all_rows:
        for table in ("lenders", "cases", "repayments", "instalments"):
            all_rows.enter_context(past_row_security(table))
        op.execute(KNOWN_BY_NOW)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("cases", "entered_days")
    op.drop_column("cases", "entered_minor")
