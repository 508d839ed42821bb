"""the collections engine

Revision: 2026_11_28_collections
Follows: 2026_11_21_recovery_loop
Made: 2026-11-28 07:01:42.137489
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op
from app.store.past_row_security import past_row_security

revision = "2026_11_28_collections"
down_revision = "2026_11_21_recovery_loop"
branch_labels = None
depends_on = None

TENANTS = (
    "segments",
    "strategies",
    "templates",
    "bulk_files",
    "experiments",
    "strategy_choices",
    "strategy_versions",
    "bulk_rows",
    "agent_reminders",
    "approvals",
    "case_arms",
    "case_flags",
    "promises",
    "strategy_steps",
    "promise_parts",
    "adjustments",
)
APPEND_ONLY = ("adjustments",)
BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"

# Words that these columns may hold: (table, column, before, now).
WORDS = (
    (
        "users",
        "role",
        ("collector", "collection_manager", "compliance", "admin"),
        (
            "collector",
            "collection_manager",
            "supervisor",
            "compliance",
            "approver",
            "auditor",
            "admin",
            "integration",
        ),
    ),
    (
        "tasks",
        "reason",
        (
            "link_unpaid",
            "sms_undelivered",
            "sms_blocked",
            "sms_outcome_unknown",
            "no_consent",
            "consent_ended",
            "bank_down",
            "account_blocked",
            "balance_unreadable",
            "identity_check_failed",
            "borrower_disputes",
            "borrower_cannot_pay",
            "borrower_says_paid",
            "opted_out",
            "payment_rejected",
            "payment_unclear",
            "payment_returned",
            "overpaid",
            "owed_amount_stale",
            "collector_acts",
        ),
        (
            "link_unpaid",
            "sms_undelivered",
            "sms_blocked",
            "sms_outcome_unknown",
            "no_consent",
            "consent_ended",
            "bank_down",
            "account_blocked",
            "balance_unreadable",
            "identity_check_failed",
            "borrower_disputes",
            "borrower_cannot_pay",
            "borrower_says_paid",
            "opted_out",
            "payment_rejected",
            "payment_unclear",
            "payment_returned",
            "overpaid",
            "owed_amount_stale",
            "collector_acts",
            "call_borrower",
            "call_back",
            "promise_broken",
            "no_way_to_reach",
            "review_case",
            "reminder",
            "relief_asked",
        ),
    ),
    (
        "tasks",
        "outcome",
        ("reached", "no_answer", "wrong_number", "paid_already", "refuses", "resolved"),
        (
            "reached",
            "no_answer",
            "wrong_number",
            "paid_already",
            "refuses",
            "resolved",
            "promise",
            "call_back",
            "dispute",
            "hardship",
            "third_party",
        ),
    ),
    (
        "cases",
        "close_reason",
        ("paid_through_saldo", "paid_elsewhere", "loan_closed", "not_due"),
        ("paid_through_saldo", "paid_elsewhere", "loan_closed", "not_due", "failed", "written_off"),
    ),
    (
        "messages",
        "cancel_reason",
        (
            "paid",
            "payment_in_flight",
            "nothing_due",
            "hold",
            "opted_out",
            "consent_ended",
            "stop_switch",
            "money_gone",
            "signal_stale",
            "gate_refused",
            "link_expired",
            "owed_amount_stale",
            "phone_missing",
            "replaced",
        ),
        (
            "paid",
            "payment_in_flight",
            "nothing_due",
            "hold",
            "opted_out",
            "consent_ended",
            "stop_switch",
            "money_gone",
            "signal_stale",
            "gate_refused",
            "link_expired",
            "owed_amount_stale",
            "phone_missing",
            "address_missing",
            "channel_missing",
            "replaced",
            "promised",
            "stage_over",
        ),
    ),
    ("opt_outs", "channel", ("sms", "email", "call"), ("sms", "email", "call", "push")),
    ("messages", "channel", ("sms", "email", "call"), ("sms", "email", "call", "push")),
    (
        "messages",
        "state",
        (
            "queued",
            "sending",
            "sent",
            "delivered",
            "undelivered",
            "failed",
            "unknown",
            "cancelled",
            "withheld",
        ),
        (
            "queued",
            "sending",
            "sent",
            "delivered",
            "undelivered",
            "failed",
            "unknown",
            "cancelled",
            "withheld",
            "asked",
        ),
    ),
    ("contacts", "channel", ("sms", "email", "call"), ("sms", "email", "call", "push")),
)

FALLING_DUE = "case_id IS NULL AND state = 'active' AND next_due_on IS NOT NULL"


def fence_in() -> None:
    for name in TENANTS:
        rights = "SELECT, INSERT" + ("" if name in APPEND_ONLY else ", UPDATE")
        op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY bound_lender ON {name} TO saldo_app "
            f"USING (lender_id = {BOUND}) WITH CHECK (lender_id = {BOUND})"
        )
        op.execute(f"CREATE POLICY engine ON {name} TO saldo_engine USING (true) WITH CHECK (true)")
        op.execute(f"GRANT {rights} ON {name} TO saldo_app, saldo_engine")


def allow_words(column_of_words: int) -> None:
    """Rewrite the CHECKs: index 2 is the words before this migration, 3 those after it."""
    for entry in WORDS:
        table, column = entry[0], entry[1]
        listed = ", ".join(f"'{word}'" for word in entry[column_of_words])
        op.drop_constraint(op.f(f"ck_{table}_{column}"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, f"{column} IN ({listed})")


def index_falling_due(also: str) -> None:
    op.drop_index("ix_loans_falling_due", table_name="loans")
    op.create_index(
        "ix_loans_falling_due",
        "loans",
        ["lender_id", "next_due_on"],
        postgresql_where=sa.text(FALLING_DUE + also),
    )


def index_messages_due(also: str) -> None:
    """The index of messages that somebody has to look at."""
    op.drop_index("ix_messages_due", table_name="messages")
    op.create_index(
        "ix_messages_due",
        "messages",
        ["next_look_at"],
        postgresql_where=sa.text(f"state IN ('queued', 'sending', 'sent', 'unknown'{also})"),
    )


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "segments",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'draft'"), nullable=False),
        sa.Column("rank", sa.SmallInteger(), server_default=sa.text("100"), nullable=False),
        sa.Column(
            "conditions",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "action",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "writers",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
        ),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'proposed', 'published', 'retired')", name=op.f("ck_segments_state")
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_segments_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segments")),
        sa.UniqueConstraint(
            "lender_id", "name", "number", name=op.f("uq_segments_lender_id_name_number")
        ),
        info={"tenant": True},
    )
    op.create_index(
        "uq_segments_published",
        "segments",
        ["lender_id", "name"],
        unique=True,
        postgresql_where=sa.text("state = 'published'"),
    )
    op.create_table(
        "strategies",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), server_default="own", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_strategies_lender_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_strategies")),
        sa.UniqueConstraint("lender_id", "name", name=op.f("uq_strategies_lender_id_name")),
        info={"tenant": True},
    )
    op.create_table(
        "templates",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'draft'"), nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "channel IN ('sms', 'email', 'call', 'push')", name=op.f("ck_templates_channel")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'proposed', 'published', 'retired')",
            name=op.f("ck_templates_state"),
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_templates_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_templates")),
        sa.UniqueConstraint(
            "lender_id",
            "name",
            "channel",
            "language",
            "number",
            name=op.f("uq_templates_lender_id_name_channel_language_number"),
        ),
        info={"tenant": True},
    )
    op.create_index(
        "uq_templates_published",
        "templates",
        ["lender_id", "name", "channel", "language"],
        unique=True,
        postgresql_where=sa.text("state = 'published'"),
    )
    op.create_table(
        "bulk_files",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'checked'"), nullable=False),
        sa.Column(
            "totals",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("maker_id", sa.UUID(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_by", sa.Text(), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('checked', 'released', 'done', 'dropped')", name=op.f("ck_bulk_files_state")
        ),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_bulk_files_lender_id")
        ),
        sa.ForeignKeyConstraint(["maker_id"], ["users.id"], name=op.f("fk_bulk_files_maker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_files")),
        info={"tenant": True},
    )
    op.create_index(
        "uq_bulk_files_once",
        "bulk_files",
        ["lender_id", "digest"],
        unique=True,
        postgresql_where=sa.text("state <> 'dropped'"),
    )
    op.create_table(
        "experiments",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "share_basis_points", sa.SmallInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("strategy_id", sa.UUID(), nullable=True),
        sa.Column(
            "withholds",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
        ),
        sa.Column("horizon_days", sa.SmallInteger(), server_default=sa.text("30"), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_experiments_lender_id")
        ),
        sa.ForeignKeyConstraint(
            ["strategy_id"], ["strategies.id"], name=op.f("fk_experiments_strategy_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiments")),
        sa.UniqueConstraint("lender_id", "name", name=op.f("uq_experiments_lender_id_name")),
        info={"tenant": True},
    )
    op.create_table(
        "strategy_choices",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("strategy_id", sa.UUID(), nullable=True),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_strategy_choices_lender_id")
        ),
        sa.ForeignKeyConstraint(
            ["strategy_id"], ["strategies.id"], name=op.f("fk_strategy_choices_strategy_id")
        ),
        sa.PrimaryKeyConstraint("lender_id", "scope", "target", name=op.f("pk_strategy_choices")),
        info={"tenant": True},
    )
    op.create_table(
        "strategy_versions",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("strategy_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'draft'"), nullable=False),
        sa.Column(
            "body",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("based_on", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "writers",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
        ),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'proposed', 'published', 'retired')",
            name=op.f("ck_strategy_versions_state"),
        ),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_strategy_versions_lender_id")
        ),
        sa.ForeignKeyConstraint(
            ["strategy_id"], ["strategies.id"], name=op.f("fk_strategy_versions_strategy_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_strategy_versions")),
        sa.UniqueConstraint(
            "strategy_id", "number", name=op.f("uq_strategy_versions_strategy_id_number")
        ),
        info={"tenant": True},
    )
    op.create_index(
        "uq_strategy_versions_published",
        "strategy_versions",
        ["strategy_id"],
        unique=True,
        postgresql_where=sa.text("state = 'published'"),
    )
    op.create_table(
        "bulk_rows",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("file_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("sheet", sa.Text(), server_default="", nullable=False),
        sa.Column("person", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("row_enc", sa.LargeBinary(), nullable=False),
        sa.Column(
            "made",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "verdict IN ('will_do', 'done', 'invalid', 'duplicate', 'not_found', 'refused')",
            name=op.f("ck_bulk_rows_verdict"),
        ),
        sa.ForeignKeyConstraint(["file_id"], ["bulk_files.id"], name=op.f("fk_bulk_rows_file_id")),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_bulk_rows_lender_id")),
        sa.PrimaryKeyConstraint("file_id", "sheet", "number", name=op.f("pk_bulk_rows")),
        info={"tenant": True},
    )
    op.create_index(
        "ix_bulk_rows_waiting",
        "bulk_rows",
        ["file_id", "person"],
        unique=False,
        postgresql_where=sa.text("verdict = 'will_do'"),
    )
    op.create_table(
        "agent_reminders",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("condition", sa.Text(), server_default="", nullable=False),
        sa.Column("every_days", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("raised", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_agent_reminders_borrower_id")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_agent_reminders_case_id")),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_agent_reminders_lender_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_agent_reminders_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_reminders")),
        info={"tenant": True},
    )
    op.create_index(
        op.f("ix_agent_reminders_case_id"), "agent_reminders", ["case_id"], unique=False
    )
    op.create_index(
        "ix_agent_reminders_due",
        "agent_reminders",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL AND due_at IS NOT NULL"),
    )
    op.create_table(
        "approvals",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'proposed'"), nullable=False),
        sa.Column("subject_id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=True),
        sa.Column("loan_id", sa.UUID(), nullable=True),
        sa.Column("case_id", sa.UUID(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "considered",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposer_id", sa.UUID(), nullable=True),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("endorser_id", sa.UUID(), nullable=True),
        sa.Column("endorsed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_decider_id", sa.UUID(), nullable=True),
        sa.Column("first_decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decider_id", sa.UUID(), nullable=True),
        sa.Column("decided_by", sa.Text(), server_default="", nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_note", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "kind IN ('write_off', 'forgiveness', 'reversal', 'strategy', 'segment', 'template', 'pack', 'placement', 'import')",
            name=op.f("ck_approvals_kind"),
        ),
        sa.CheckConstraint(
            "state <> 'approved' OR (decider_id IS NOT NULL"
            " AND coalesce(proposer_id, endorser_id) IS NOT NULL"
            " AND decider_id IS DISTINCT FROM endorser_id"
            " AND decider_id IS DISTINCT FROM first_decider_id)",
            name=op.f("ck_approvals_two_people"),
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'approved', 'refused', 'withdrawn')",
            name=op.f("ck_approvals_state"),
        ),
        sa.CheckConstraint(
            "decider_id IS NULL OR decider_id IS DISTINCT FROM proposer_id",
            name=op.f("ck_approvals_other"),
        ),
        sa.CheckConstraint(
            "first_decider_id IS NULL OR (first_decider_id IS DISTINCT FROM proposer_id"
            " AND first_decider_id IS DISTINCT FROM endorser_id)",
            name=op.f("ck_approvals_first_other"),
        ),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_approvals_borrower_id")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_approvals_case_id")),
        sa.ForeignKeyConstraint(["decider_id"], ["users.id"], name=op.f("fk_approvals_decider_id")),
        sa.ForeignKeyConstraint(
            ["endorser_id"], ["users.id"], name=op.f("fk_approvals_endorser_id")
        ),
        sa.ForeignKeyConstraint(
            ["first_decider_id"], ["users.id"], name=op.f("fk_approvals_first_decider_id")
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_approvals_lender_id")),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_approvals_loan_id")),
        sa.ForeignKeyConstraint(
            ["proposer_id"], ["users.id"], name=op.f("fk_approvals_proposer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_approvals_case_id"), "approvals", ["case_id"], unique=False)
    op.create_index(op.f("ix_approvals_loan_id"), "approvals", ["loan_id"], unique=False)
    op.create_index(
        "ix_approvals_waiting",
        "approvals",
        ["lender_id", "proposed_at"],
        unique=False,
        postgresql_where=sa.text("state = 'proposed'"),
    )
    op.create_index(
        "uq_approvals_waiting",
        "approvals",
        ["kind", "subject_id"],
        unique=True,
        postgresql_where=sa.text("state = 'proposed'"),
    )
    op.create_table(
        "case_arms",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("experiment_id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("due_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_arms_case_id")),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_case_arms_experiment_id")
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_case_arms_lender_id")),
        sa.PrimaryKeyConstraint("experiment_id", "case_id", name=op.f("pk_case_arms")),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_case_arms_case_id"), "case_arms", ["case_id"], unique=False)
    op.create_table(
        "case_flags",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("segment_id", sa.UUID(), nullable=True),
        sa.Column("flag", sa.Text(), nullable=False),
        sa.Column(
            "reasons",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_case_flags_borrower_id")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_flags_case_id")),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_case_flags_lender_id")
        ),
        sa.ForeignKeyConstraint(
            ["segment_id"], ["segments.id"], name=op.f("fk_case_flags_segment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_flags")),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_case_flags_borrower_id"), "case_flags", ["borrower_id"], unique=False)
    op.create_index(
        "uq_case_flags_live",
        "case_flags",
        ["case_id", "flag"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "promises",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=False),
        sa.Column("loan_id", sa.UUID(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("grace_days", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tolerance_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "remind_days_before", sa.SmallInteger(), server_default=sa.text("1"), nullable=False
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_why", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'kept', 'part', 'broken', 'cancelled')",
            name=op.f("ck_promises_state"),
        ),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_promises_borrower_id")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_promises_case_id")),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_promises_lender_id")),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_promises_loan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promises")),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_promises_borrower_id"), "promises", ["borrower_id"], unique=False)
    op.create_index(op.f("ix_promises_case_id"), "promises", ["case_id"], unique=False)
    op.create_index(
        "ix_promises_due",
        "promises",
        ["next_look_at"],
        unique=False,
        postgresql_where=sa.text("next_look_at IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_promises_lender_id_made_at"), "promises", ["lender_id", "made_at"], unique=False
    )
    op.create_index(op.f("ix_promises_loan_id"), "promises", ["loan_id"], unique=False)
    op.create_index(
        "uq_promises_open",
        "promises",
        ["case_id"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "strategy_steps",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("loan_id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=True),
        sa.Column("key", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("message_id", sa.UUID(), nullable=True),
        sa.Column("task_id", sa.UUID(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_strategy_steps_borrower_id")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_strategy_steps_case_id")),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_strategy_steps_lender_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_strategy_steps_loan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_strategy_steps")),
        sa.UniqueConstraint("lender_id", "key", name=op.f("uq_strategy_steps_lender_id_key")),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_strategy_steps_case_id"), "strategy_steps", ["case_id"], unique=False)
    op.create_index(op.f("ix_strategy_steps_loan_id"), "strategy_steps", ["loan_id"], unique=False)
    op.create_index(
        "ix_strategy_steps_message",
        "strategy_steps",
        ["message_id"],
        unique=False,
        postgresql_where=sa.text("message_id IS NOT NULL"),
    )
    op.create_index(
        "ix_strategy_steps_task",
        "strategy_steps",
        ["task_id"],
        unique=False,
        postgresql_where=sa.text("task_id IS NOT NULL"),
    )
    op.create_table(
        "promise_parts",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("promise_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_promise_parts_lender_id")
        ),
        sa.ForeignKeyConstraint(
            ["promise_id"], ["promises.id"], name=op.f("fk_promise_parts_promise_id")
        ),
        sa.PrimaryKeyConstraint("promise_id", "number", name=op.f("pk_promise_parts")),
        info={"tenant": True},
    )
    op.create_table(
        "adjustments",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("loan_id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("approval_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reverses_id", sa.UUID(), nullable=True),
        sa.Column("repayment_id", sa.UUID(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approvals.id"], name=op.f("fk_adjustments_approval_id")
        ),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_adjustments_borrower_id")
        ),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_adjustments_lender_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_adjustments_loan_id")),
        sa.ForeignKeyConstraint(
            ["repayment_id"], ["repayments.id"], name=op.f("fk_adjustments_repayment_id")
        ),
        sa.ForeignKeyConstraint(
            ["reverses_id"], ["adjustments.id"], name=op.f("fk_adjustments_reverses_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustments")),
        sa.UniqueConstraint(
            "lender_id", "approval_id", name=op.f("uq_adjustments_lender_id_approval_id")
        ),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_adjustments_loan_id"), "adjustments", ["loan_id"], unique=False)
    op.create_index(
        "uq_adjustments_reversed",
        "adjustments",
        ["reverses_id"],
        unique=True,
        postgresql_where=sa.text("reverses_id IS NOT NULL"),
    )
    op.add_column("borrowers", sa.Column("email_enc", sa.LargeBinary(), nullable=True))
    op.add_column("borrowers", sa.Column("email_hash", sa.LargeBinary(), nullable=True))
    op.add_column(
        "borrowers",
        sa.Column("has_app", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_index(op.f("ix_borrowers_email_hash"), "borrowers", ["email_hash"], unique=False)
    op.add_column("cases", sa.Column("strategy_version_id", sa.UUID(), nullable=True))
    op.add_column("cases", sa.Column("stage", sa.Text(), server_default="", nullable=False))
    op.add_column("cases", sa.Column("next_step_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("cases", sa.Column("segmented_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_cases_segmenting",
        "cases",
        [sa.text("segmented_at NULLS FIRST")],
        unique=False,
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.create_index(
        "ix_cases_stepping",
        "cases",
        ["next_step_at"],
        unique=False,
        postgresql_where=sa.text("state = 'open' AND next_step_at IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("fk_cases_strategy_version_id"),
        "cases",
        "strategy_versions",
        ["strategy_version_id"],
        ["id"],
    )
    op.add_column("contacts", sa.Column("user_id", sa.UUID(), nullable=True))
    op.add_column(
        "contacts", sa.Column("source", sa.Text(), server_default="saldo", nullable=False)
    )
    op.add_column("contacts", sa.Column("outcome", sa.Text(), server_default="", nullable=False))
    op.add_column("contacts", sa.Column("note", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "contacts",
        sa.Column("counts", sa.Boolean(), server_default=sa.text("true"), nullable=False),
    )
    op.add_column("contacts", sa.Column("said_enc", sa.LargeBinary(), nullable=True))
    op.create_foreign_key(op.f("fk_contacts_user_id"), "contacts", "users", ["user_id"], ["id"])
    op.add_column(
        "holds",
        sa.Column(
            "blocks",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
        ),
    )
    op.add_column("holds", sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True))
    with past_row_security("holds"):
        op.execute("UPDATE holds SET recorded_at = starts_at")
    op.alter_column("holds", "recorded_at", nullable=False)
    op.add_column(
        "lenders",
        sa.Column(
            "approval_tiers",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column(
        "lenders",
        sa.Column("closes_failed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("lenders", sa.Column("push_url", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "lenders",
        sa.Column(
            "push_fallback_minutes", sa.SmallInteger(), server_default=sa.text("30"), nullable=False
        ),
    )
    op.add_column(
        "loans", sa.Column("collection_ended_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "loans", sa.Column("remind_on", sa.Date(), server_default="2000-01-01", nullable=False)
    )
    op.create_index(
        "ix_loans_reminding",
        "loans",
        ["lender_id", "remind_on"],
        unique=False,
        postgresql_where=sa.text(FALLING_DUE + " AND collection_ended_at IS NULL"),
    )
    op.add_column("messages", sa.Column("cause", sa.Text(), server_default="funds", nullable=False))
    op.add_column(
        "messages", sa.Column("purpose", sa.Text(), server_default="collection", nullable=False)
    )
    op.add_column("messages", sa.Column("subject_enc", sa.LargeBinary(), nullable=True))
    op.add_column("tasks", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
    op.add_column("tasks", sa.Column("given_to", sa.UUID(), nullable=True))
    op.create_foreign_key(op.f("fk_tasks_given_to"), "tasks", "users", ["given_to"], ["id"])
    op.add_column("users", sa.Column("away_until", sa.Date(), nullable=True))
    op.add_column(
        "users", sa.Column("unconfirmed_since", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(
        "ix_tasks_taken",
        "tasks",
        ["borrower_id", "taken_by"],
        postgresql_where=sa.text("state = 'taken'"),
    )
    op.add_column(
        "borrowers", sa.Column("phone_doubted_at", sa.DateTime(timezone=True), nullable=True)
    )
    allow_words(3)
    index_falling_due(" AND collection_ended_at IS NULL")
    index_messages_due(", 'asked'")
    fence_in()


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    index_falling_due("")
    index_messages_due("")
    allow_words(2)
    op.drop_column("borrowers", "phone_doubted_at")
    op.drop_index("ix_tasks_taken", table_name="tasks")
    op.drop_column("users", "unconfirmed_since")
    op.drop_column("users", "away_until")
    op.drop_constraint(op.f("fk_tasks_given_to"), "tasks", type_="foreignkey")
    op.drop_column("tasks", "given_to")
    op.drop_column("tasks", "not_before")
    op.drop_column("messages", "subject_enc")
    op.drop_column("messages", "purpose")
    op.drop_column("messages", "cause")
    op.drop_index(
        "ix_loans_reminding",
        table_name="loans",
        postgresql_where=sa.text(FALLING_DUE + " AND collection_ended_at IS NULL"),
    )
    op.drop_column("loans", "remind_on")
    op.drop_column("loans", "collection_ended_at")
    op.drop_column("lenders", "push_fallback_minutes")
    op.drop_column("lenders", "push_url")
    op.drop_column("lenders", "closes_failed")
    op.drop_column("lenders", "approval_tiers")
    op.drop_column("holds", "recorded_at")
    op.drop_column("holds", "blocks")
    op.drop_constraint(op.f("fk_contacts_user_id"), "contacts", type_="foreignkey")
    op.drop_column("contacts", "said_enc")
    op.drop_column("contacts", "counts")
    op.drop_column("contacts", "note")
    op.drop_column("contacts", "outcome")
    op.drop_column("contacts", "source")
    op.drop_column("contacts", "user_id")
    op.drop_constraint(op.f("fk_cases_strategy_version_id"), "cases", type_="foreignkey")
    op.drop_index(
        "ix_cases_stepping",
        table_name="cases",
        postgresql_where=sa.text("state = 'open' AND next_step_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_cases_segmenting",
        table_name="cases",
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.drop_column("cases", "segmented_at")
    op.drop_column("cases", "next_step_at")
    op.drop_column("cases", "stage")
    op.drop_column("cases", "strategy_version_id")
    op.drop_index(op.f("ix_borrowers_email_hash"), table_name="borrowers")
    op.drop_column("borrowers", "has_app")
    op.drop_column("borrowers", "email_hash")
    op.drop_column("borrowers", "email_enc")
    op.drop_index(
        "uq_adjustments_reversed",
        table_name="adjustments",
        postgresql_where=sa.text("reverses_id IS NOT NULL"),
    )
    op.drop_index(op.f("ix_adjustments_loan_id"), table_name="adjustments")
    op.drop_table("adjustments")
    op.drop_table("promise_parts")
    op.drop_index(
        "ix_strategy_steps_task",
        table_name="strategy_steps",
        postgresql_where=sa.text("task_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_strategy_steps_message",
        table_name="strategy_steps",
        postgresql_where=sa.text("message_id IS NOT NULL"),
    )
    op.drop_index(op.f("ix_strategy_steps_loan_id"), table_name="strategy_steps")
    op.drop_index(op.f("ix_strategy_steps_case_id"), table_name="strategy_steps")
    op.drop_table("strategy_steps")
    op.drop_index(
        "uq_promises_open", table_name="promises", postgresql_where=sa.text("state = 'open'")
    )
    op.drop_index(op.f("ix_promises_lender_id_made_at"), table_name="promises")
    op.drop_index(
        "ix_promises_due",
        table_name="promises",
        postgresql_where=sa.text("next_look_at IS NOT NULL"),
    )
    op.drop_index(op.f("ix_promises_case_id"), table_name="promises")
    op.drop_index(op.f("ix_promises_borrower_id"), table_name="promises")
    op.drop_table("promises")
    op.drop_index(
        "uq_case_flags_live", table_name="case_flags", postgresql_where=sa.text("ended_at IS NULL")
    )
    op.drop_index(op.f("ix_case_flags_borrower_id"), table_name="case_flags")
    op.drop_table("case_flags")
    op.drop_index(op.f("ix_case_arms_case_id"), table_name="case_arms")
    op.drop_table("case_arms")
    op.drop_index(
        "uq_approvals_waiting",
        table_name="approvals",
        postgresql_where=sa.text("state = 'proposed'"),
    )
    op.drop_index(
        "ix_approvals_waiting",
        table_name="approvals",
        postgresql_where=sa.text("state = 'proposed'"),
    )
    op.drop_index(op.f("ix_approvals_loan_id"), table_name="approvals")
    op.drop_index(op.f("ix_approvals_case_id"), table_name="approvals")
    op.drop_table("approvals")
    op.drop_index(
        "ix_agent_reminders_due",
        table_name="agent_reminders",
        postgresql_where=sa.text("ended_at IS NULL AND due_at IS NOT NULL"),
    )
    op.drop_index(op.f("ix_agent_reminders_case_id"), table_name="agent_reminders")
    op.drop_table("agent_reminders")
    op.drop_index(
        "ix_bulk_rows_waiting",
        table_name="bulk_rows",
        postgresql_where=sa.text("verdict = 'will_do'"),
    )
    op.drop_table("bulk_rows")
    op.drop_index(
        "uq_strategy_versions_published",
        table_name="strategy_versions",
        postgresql_where=sa.text("state = 'published'"),
    )
    op.drop_table("strategy_versions")
    op.drop_table("strategy_choices")
    op.drop_table("experiments")
    op.drop_index(
        "uq_bulk_files_once",
        table_name="bulk_files",
        postgresql_where=sa.text("state <> 'dropped'"),
    )
    op.drop_table("bulk_files")
    op.drop_index(
        "uq_templates_published",
        table_name="templates",
        postgresql_where=sa.text("state = 'published'"),
    )
    op.drop_table("templates")
    op.drop_table("strategies")
    op.drop_index(
        "uq_segments_published",
        table_name="segments",
        postgresql_where=sa.text("state = 'published'"),
    )
    op.drop_table("segments")
