"""tasks are given to people by skill, hours and cap

Revision: 2026_12_20_assignment
Follows: 2026_12_19_case_entries
Made: 2026-11-29 13:15:00
"""

from __future__ import annotations

from contextlib import ExitStack

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op
from app.store.past_row_security import past_row_security

revision = "2026_12_20_assignment"
down_revision = "2026_12_19_case_entries"
branch_labels = None
depends_on = None

BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"
# Those that wait get what later ones get when they are opened.
FACTS = """
    UPDATE tasks t SET about_language = b.language, about_product = coalesce(l.product, ''),
        about_minor = d.minor, about_currency = CASE WHEN d.minor IS NOT NULL THEN l.currency END
    FROM tasks w
    JOIN borrowers b ON b.id = w.borrower_id
    JOIN lenders e ON e.id = w.lender_id
    LEFT JOIN cases c ON c.id = w.case_id
    LEFT JOIN loans l ON l.id = c.loan_id
    LEFT JOIN LATERAL (
        SELECT sum(i.amount_minor - i.paid_minor) AS minor FROM instalments i
        WHERE i.loan_id = l.id AND i.paid_minor < i.amount_minor
            AND i.due_on <= timezone(e.time_zone, now())::date - e.case_after_days
    ) d ON true
    WHERE w.id = t.id AND w.state IN ('open', 'taken')
"""
SEEN = ("tasks", "borrowers", "lenders", "cases", "loans", "instalments")
TABLES = ("assignment_rules", "desk_profiles", "absences")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "assignment_rules",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _names("languages"),
        _names("products"),
        _names("kinds"),
        sa.Column(
            "large_from",
            postgresql.JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        _of_lender("assignment_rules"),
        sa.PrimaryKeyConstraint("lender_id", name=op.f("pk_assignment_rules")),
    )
    op.create_table(
        "desk_profiles",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        _names("languages"),
        _names("products"),
        _names("kinds"),
        sa.Column("large", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        _names("hours"),
        sa.Column("cap", sa.SmallInteger(), server_default=sa.text("30"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("cap > 0", name=op.f("ck_desk_profiles_cap")),
        sa.CheckConstraint("cardinality(hours) = 7", name=op.f("ck_desk_profiles_hours")),
        _of_lender("desk_profiles"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_desk_profiles_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_desk_profiles")),
    )
    op.create_table(
        "absences",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("called_off_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("until_on >= starts_on", name=op.f("ck_absences_days")),
        _of_lender("absences"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_absences_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_absences")),
    )
    op.create_index(op.f("ix_absences_user_id_until_on"), "absences", ["user_id", "until_on"])
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY bound_lender ON {table} TO saldo_app "
            f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
        )
        op.execute(
            f"CREATE POLICY engine ON {table} TO saldo_engine USING (true) WITH CHECK (true)"
        )
        op.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO saldo_app")
        op.execute(f"GRANT SELECT ON {table} TO saldo_engine")
    for column in ("about_language", "about_product"):
        op.add_column("tasks", sa.Column(column, sa.Text(), server_default="", nullable=False))
    op.add_column("tasks", sa.Column("about_minor", sa.BigInteger(), nullable=True))
    op.add_column("tasks", sa.Column("about_currency", sa.String(length=3), nullable=True))
    with ExitStack() as seen:
        for table in SEEN:
            seen.enter_context(past_row_security(table))
        op.execute(FACTS)
    for column in ("assigned_at", "assign_after"):
        op.add_column("tasks", sa.Column(column, sa.DateTime(timezone=True), nullable=True))
    op.add_column("tasks", sa.Column("assigned_because", postgresql.JSONB(), nullable=True))
    op.create_check_constraint(
        op.f("ck_tasks_assigned"), "tasks", "assigned_at IS NULL OR given_to IS NOT NULL"
    )
    op.create_index(
        "ix_tasks_in_hand",
        "tasks",
        ["lender_id", "taken_by"],
        postgresql_where=sa.text("state = 'taken'"),
    )
    op.create_index(
        "ix_tasks_given",
        "tasks",
        ["lender_id", "given_to"],
        postgresql_where=sa.text("state = 'open' AND given_to IS NOT NULL"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_tasks_given", "tasks")
    op.drop_index("ix_tasks_in_hand", "tasks")
    op.drop_constraint(op.f("ck_tasks_assigned"), "tasks")
    for column in (
        "assigned_because",
        "assign_after",
        "assigned_at",
        "about_currency",
        "about_minor",
        "about_product",
        "about_language",
    ):
        op.drop_column("tasks", column)
    for table in reversed(TABLES):
        op.drop_table(table)


def _names(name: str) -> sa.Column[list[str]]:
    return sa.Column(
        name, sa.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False
    )


def _of_lender(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["lender_id"], ["lenders.id"], name=op.f(f"fk_{table}_lender_id")
    )
