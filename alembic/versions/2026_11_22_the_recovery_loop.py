"""the recovery loop

Revision: 2026_11_21_recovery_loop
Follows:
Made: 2026-11-22 00:45:32.651621
"""

from __future__ import annotations

import sqlalchemy as sa
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "2026_11_21_recovery_loop"
down_revision = None
branch_labels = None
depends_on = None

# Row-level security and rights as they were when these tables were made; the living rule stands
# in app/store/security.py.
TENANTS = (
    "lenders",
    "api_keys",
    "audit",
    "borrowers",
    "data_keys",
    "idempotency_keys",
    "outbox",
    "stop_switches",
    "users",
    "consent_requests",
    "contacts",
    "loans",
    "opt_outs",
    "sessions",
    "timeline",
    "cases",
    "consents",
    "instalments",
    "accounts",
    "consent_choices",
    "holds",
    "tasks",
    "funds_signals",
    "read_attempts",
    "readings",
    "payment_links",
    "signal_cases",
    "link_sessions",
    "messages",
    "payments",
    "payment_cases",
    "repayments",
)
ENGINE = (
    "bank_health",
    "inbox",
    "slots",
)
APPEND_ONLY = ("audit", "timeline")
ENGINE_DELETES = (
    "idempotency_keys",
    "inbox",
    "link_sessions",
    "sessions",
    "slots",
)
APP_READS = ("bank_health",)
BOUND = "nullif(current_setting('app.lender_id', true), '')::uuid"

# What the job engine's library needs: both roles defer, only the engine runs and tidies up.
JOB_RIGHTS = """
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO saldo_app, saldo_engine;
GRANT SELECT, INSERT ON procrastinate_jobs, procrastinate_events TO saldo_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON procrastinate_jobs, procrastinate_events,
    procrastinate_workers, procrastinate_periodic_defers TO saldo_engine;
"""


def fence_in() -> None:
    for name in TENANTS:
        column = "id" if name == "lenders" else "lender_id"
        rights = "SELECT, INSERT" + ("" if name in APPEND_ONLY else ", UPDATE")
        op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY bound_lender ON {name} TO saldo_app "
            f"USING ({column} = {BOUND}) WITH CHECK ({column} = {BOUND})"
        )
        op.execute(f"CREATE POLICY engine ON {name} TO saldo_engine USING (true) WITH CHECK (true)")
        op.execute(f"GRANT {rights} ON {name} TO saldo_app, saldo_engine")
    for name in ENGINE:
        op.execute(f"GRANT SELECT, INSERT, UPDATE ON {name} TO saldo_engine")
    for name in ENGINE_DELETES:
        op.execute(f"GRANT DELETE ON {name} TO saldo_engine")
    for name in APP_READS:
        op.execute(f"GRANT SELECT ON {name} TO saldo_app")
    # Both ask whether the database is behind the code.
    op.execute("GRANT SELECT ON alembic_version TO saldo_app, saldo_engine")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "bank_health",
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("bank_id", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_ok_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_failure_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("connector", "bank_id", name=op.f("pk_bank_health")),
        info={"engine": True},
    )
    op.create_table(
        "inbox",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload_enc", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("source", "event_id", name=op.f("uq_inbox_source_event_id")),
        info={"engine": True},
    )
    op.create_index(
        "ix_inbox_waiting",
        "inbox",
        ["received_at"],
        unique=False,
        postgresql_where=sa.text("handled_at IS NULL"),
    )
    op.create_table(
        "lenders",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("jurisdiction", sa.String(length=2), nullable=False),
        sa.Column("language", sa.Text(), server_default="en", nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("contact_phone", sa.Text(), server_default="", nullable=False),
        sa.Column("contact_url", sa.Text(), server_default="", nullable=False),
        sa.Column("creditor_name", sa.Text(), nullable=False),
        sa.Column("creditor_iban_enc", sa.LargeBinary(), nullable=True),
        sa.Column("observe_only", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("signals_act", sa.Text(), server_default="automatic", nullable=False),
        sa.Column("threshold_kind", sa.Text(), server_default="due", nullable=False),
        sa.Column("threshold_minor", sa.BigInteger(), nullable=True),
        sa.Column("threshold_basis_points", sa.SmallInteger(), nullable=True),
        sa.Column("floor_minor", sa.BigInteger(), nullable=True),
        sa.Column("floor_currency", sa.String(length=3), nullable=True),
        sa.Column("floor_reason", sa.Text(), nullable=True),
        sa.Column(
            "case_after_days", sa.SmallInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("webhook_url", sa.Text(), server_default="", nullable=False),
        sa.Column("webhook_secret_enc", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lenders")),
        sa.UniqueConstraint("slug", name=op.f("uq_lenders_slug")),
        info={"tenant": True},
    )
    op.create_table(
        "slots",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", "slot", name=op.f("pk_slots")),
        info={"engine": True},
    )
    op.create_table(
        "api_keys",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_api_keys_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
        info={"tenant": True},
    )
    op.create_table(
        "audit",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column(
            "before",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "after",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_audit_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_audit_lender_id_at"), "audit", ["lender_id", "at"], unique=False)
    op.create_table(
        "borrowers",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("external_ref", sa.Text(), nullable=False),
        sa.Column("name_enc", sa.LargeBinary(), nullable=False),
        sa.Column("phone_enc", sa.LargeBinary(), nullable=True),
        sa.Column("phone_hash", sa.LargeBinary(), nullable=True),
        sa.Column("birth_date_hash", sa.LargeBinary(), nullable=True),
        sa.Column("document_hash", sa.LargeBinary(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("region", sa.Text(), server_default="", nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("checks_failed", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("checks_locked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_borrowers_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_borrowers")),
        sa.UniqueConstraint(
            "lender_id", "external_ref", name=op.f("uq_borrowers_lender_id_external_ref")
        ),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_borrowers_phone_hash"), "borrowers", ["phone_hash"], unique=False)
    op.create_table(
        "data_keys",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("master_key_id", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_data_keys_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_keys")),
        info={"tenant": True},
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_idempotency_keys_lender_id")
        ),
        sa.PrimaryKeyConstraint("lender_id", "key", name=op.f("pk_idempotency_keys")),
        info={"tenant": True},
    )
    op.create_table(
        "outbox",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("key", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.UUID(), nullable=False),
        sa.Column("event", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "payload",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("state", sa.Text(), server_default="due", nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_outbox_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("lender_id", "key", name=op.f("uq_outbox_lender_id_key")),
        info={"tenant": True},
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["next_try_at"],
        unique=False,
        postgresql_where=sa.text("state = 'due'"),
    )
    op.create_table(
        "stop_switches",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("halted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_stop_switches_lender_id")
        ),
        sa.PrimaryKeyConstraint("lender_id", "channel", name=op.f("pk_stop_switches")),
        info={"tenant": True},
    )
    op.create_table(
        "users",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "role IN ('collector', 'collection_manager', 'compliance', 'admin')",
            name=op.f("ck_users_role"),
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_users_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        info={"tenant": True},
    )
    op.create_table(
        "consent_requests",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column(
            "purposes",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
        ),
        sa.Column("window_days", sa.SmallInteger(), server_default=sa.text("90"), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("return_url", sa.Text(), server_default="", nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'chosen', 'at_bank', 'completed', 'rejected', 'expired')",
            name=op.f("ck_consent_requests_state"),
        ),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_consent_requests_borrower_id")
        ),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_consent_requests_lender_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_requests")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_consent_requests_token_hash")),
        info={"tenant": True},
    )
    op.create_index(
        op.f("ix_consent_requests_borrower_id"), "consent_requests", ["borrower_id"], unique=False
    )
    op.create_index(
        "ix_consent_requests_expiring",
        "consent_requests",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state NOT IN ('completed', 'expired')"),
    )
    op.create_index(
        op.f("ix_consent_requests_lender_id_id"),
        "consent_requests",
        ["lender_id", "id"],
        unique=False,
    )
    op.create_table(
        "contacts",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("conversation", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "case_ids",
            postgresql.ARRAY(sa.UUID()),
            server_default=sa.text("'{}'::uuid[]"),
            nullable=False,
        ),
        sa.Column("message_id", sa.UUID(), nullable=True),
        sa.Column("task_id", sa.UUID(), nullable=True),
        sa.CheckConstraint("channel IN ('sms', 'email', 'call')", name=op.f("ck_contacts_channel")),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_contacts_borrower_id")
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_contacts_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint(
            "lender_id", "message_id", name=op.f("uq_contacts_lender_id_message_id")
        ),
        info={"tenant": True},
    )
    op.create_index(
        op.f("ix_contacts_borrower_id_made_at"),
        "contacts",
        ["borrower_id", "made_at"],
        unique=False,
    )
    op.create_table(
        "loans",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("external_ref", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("owed_as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_due_on", sa.Date(), nullable=True),
        sa.Column("case_id", sa.UUID(), nullable=True),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_loans_borrower_id")
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_loans_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loans")),
        sa.UniqueConstraint(
            "lender_id", "external_ref", name=op.f("uq_loans_lender_id_external_ref")
        ),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_loans_borrower_id"), "loans", ["borrower_id"], unique=False)
    op.create_index(
        "ix_loans_falling_due",
        "loans",
        ["lender_id", "next_due_on"],
        unique=False,
        postgresql_where=sa.text(
            "case_id IS NULL AND state = 'active' AND next_due_on IS NOT NULL"
        ),
    )
    op.create_table(
        "opt_outs",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("channel IN ('sms', 'email', 'call')", name=op.f("ck_opt_outs_channel")),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_opt_outs_borrower_id")
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_opt_outs_lender_id")),
        sa.PrimaryKeyConstraint("borrower_id", "channel", name=op.f("pk_opt_outs")),
        info={"tenant": True},
    )
    op.create_table(
        "sessions",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_sessions_lender_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_sessions")),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)
    op.create_table(
        "timeline",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "details",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_timeline_borrower_id")
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_timeline_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeline")),
        info={"tenant": True},
    )
    op.create_index(
        op.f("ix_timeline_borrower_id_at"), "timeline", ["borrower_id", "at"], unique=False
    )
    op.create_table(
        "cases",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("loan_id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "close_reason IN ('paid_through_saldo', 'paid_elsewhere', 'loan_closed', 'not_due')",
            name=op.f("ck_cases_close_reason"),
        ),
        sa.CheckConstraint("state IN ('open', 'in_flight', 'closed')", name=op.f("ck_cases_state")),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_cases_borrower_id")
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_cases_lender_id")),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_cases_loan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_cases_borrower_id"), "cases", ["borrower_id"], unique=False)
    op.create_index(
        op.f("ix_cases_lender_id_opened_at"), "cases", ["lender_id", "opened_at"], unique=False
    )
    op.create_index(op.f("ix_cases_loan_id"), "cases", ["loan_id"], unique=False)
    op.create_index(
        "uq_cases_one_open",
        "cases",
        ["loan_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.create_table(
        "consents",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("request_id", sa.UUID(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("bank_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column(
            "purposes",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
        ),
        sa.Column("token_enc", sa.LargeBinary(), nullable=True),
        sa.Column("return_hash", sa.LargeBinary(), nullable=False),
        sa.Column("asked_until", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_why", sa.Text(), server_default="", nullable=False),
        sa.Column("next_check_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scoring", sa.Text(), server_default="none", nullable=False),
        sa.Column("scoring_reading_id", sa.UUID(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'active', 'rejected', 'abandoned', 'expired', 'revoked_at_bank', 'withdrawn', 'superseded', 'lost')",
            name=op.f("ck_consents_state"),
        ),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_consents_borrower_id")
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_consents_lender_id")),
        sa.ForeignKeyConstraint(
            ["request_id"], ["consent_requests.id"], name=op.f("fk_consents_request_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
        sa.UniqueConstraint("return_hash", name=op.f("uq_consents_return_hash")),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_consents_borrower_id"), "consents", ["borrower_id"], unique=False)
    op.create_index(
        "ix_consents_due",
        "consents",
        ["next_check_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'active')"),
    )
    op.create_index(op.f("ix_consents_lender_id_id"), "consents", ["lender_id", "id"], unique=False)
    op.create_index(op.f("ix_consents_request_id"), "consents", ["request_id"], unique=False)
    op.create_table(
        "instalments",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("loan_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_instalments_lender_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_instalments_loan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instalments")),
        sa.UniqueConstraint("loan_id", "number", name=op.f("uq_instalments_loan_id_number")),
        info={"tenant": True},
    )
    op.create_index(
        "ix_instalments_unpaid",
        "instalments",
        ["loan_id", "due_on"],
        unique=False,
        postgresql_where=sa.text("paid_minor < amount_minor"),
    )
    op.create_table(
        "accounts",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("consent_id", sa.UUID(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("bank_id", sa.Text(), nullable=False),
        sa.Column("iban_hash", sa.LargeBinary(), nullable=False),
        sa.Column("iban_enc", sa.LargeBinary(), nullable=True),
        sa.Column("iban_masked", sa.Text(), server_default="", nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("ref_enc", sa.LargeBinary(), nullable=False),
        sa.Column("usable", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("why_unusable", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("armed", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("last_signal_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_signal_kind", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_accounts_borrower_id")
        ),
        sa.ForeignKeyConstraint(
            ["consent_id"], ["consents.id"], name=op.f("fk_accounts_consent_id")
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_accounts_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint(
            "lender_id",
            "borrower_id",
            "iban_hash",
            "currency",
            name=op.f("uq_accounts_lender_id_borrower_id_iban_hash_currency"),
        ),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_accounts_borrower_id"), "accounts", ["borrower_id"], unique=False)
    op.create_index(op.f("ix_accounts_consent_id"), "accounts", ["consent_id"], unique=False)
    op.create_index(
        "ix_accounts_due",
        "accounts",
        ["next_read_at"],
        unique=False,
        postgresql_where=sa.text("next_read_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_accounts_iban_hash"), "accounts", ["iban_hash"], unique=False)
    op.create_table(
        "consent_choices",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("request_id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("consent_id", sa.UUID(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("granted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("wording_version", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("chosen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_via", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "purpose IN ('scoring', 'repayment_monitoring')",
            name=op.f("ck_consent_choices_purpose"),
        ),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_consent_choices_borrower_id")
        ),
        sa.ForeignKeyConstraint(
            ["consent_id"], ["consents.id"], name=op.f("fk_consent_choices_consent_id")
        ),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_consent_choices_lender_id")
        ),
        sa.ForeignKeyConstraint(
            ["request_id"], ["consent_requests.id"], name=op.f("fk_consent_choices_request_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_choices")),
        info={"tenant": True},
    )
    op.create_index(
        op.f("ix_consent_choices_borrower_id"), "consent_choices", ["borrower_id"], unique=False
    )
    op.create_index(
        op.f("ix_consent_choices_request_id"), "consent_choices", ["request_id"], unique=False
    )
    op.create_table(
        "holds",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_holds_borrower_id")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_holds_case_id")),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_holds_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_holds_borrower_id"), "holds", ["borrower_id"], unique=False)
    op.create_table(
        "tasks",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=True),
        sa.Column("key", sa.UUID(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("priority", sa.SmallInteger(), server_default=sa.text("50"), nullable=False),
        sa.Column(
            "situation",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_by", sa.UUID(), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('reached', 'no_answer', 'wrong_number', 'paid_already', 'refuses', 'resolved')",
            name=op.f("ck_tasks_outcome"),
        ),
        sa.CheckConstraint(
            "reason IN ('link_unpaid', 'sms_undelivered', 'sms_blocked', 'sms_outcome_unknown', 'no_consent', 'consent_ended', 'bank_down', 'account_blocked', 'balance_unreadable', 'identity_check_failed', 'borrower_disputes', 'borrower_cannot_pay', 'borrower_says_paid', 'opted_out', 'payment_rejected', 'payment_unclear', 'payment_returned', 'overpaid', 'owed_amount_stale', 'collector_acts')",
            name=op.f("ck_tasks_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'taken', 'done', 'cancelled')", name=op.f("ck_tasks_state")
        ),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_tasks_borrower_id")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_tasks_case_id")),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_tasks_lender_id")),
        sa.ForeignKeyConstraint(["taken_by"], ["users.id"], name=op.f("fk_tasks_taken_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sa.UniqueConstraint("lender_id", "key", name=op.f("uq_tasks_lender_id_key")),
        info={"tenant": True},
    )
    op.create_index(
        "ix_tasks_board",
        "tasks",
        ["lender_id", "priority", "created_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('open', 'taken')"),
    )
    op.create_index(op.f("ix_tasks_borrower_id"), "tasks", ["borrower_id"], unique=False)
    op.create_index(op.f("ix_tasks_case_id"), "tasks", ["case_id"], unique=False)
    op.create_index(op.f("ix_tasks_lender_id_id"), "tasks", ["lender_id", "id"], unique=False)
    op.create_table(
        "funds_signals",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("reading_id", sa.UUID(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("covers", sa.Text(), nullable=False),
        sa.Column("margin_band", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_why", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_funds_signals_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_funds_signals_borrower_id")
        ),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_funds_signals_lender_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_funds_signals")),
        sa.UniqueConstraint("reading_id", name=op.f("uq_funds_signals_reading_id")),
        info={"tenant": True},
    )
    op.create_index(
        op.f("ix_funds_signals_borrower_id"), "funds_signals", ["borrower_id"], unique=False
    )
    op.create_index(
        op.f("ix_funds_signals_lender_id_raised_at"),
        "funds_signals",
        ["lender_id", "raised_at"],
        unique=False,
    )
    op.create_index(
        "ix_funds_signals_undecided",
        "funds_signals",
        ["raised_at"],
        unique=False,
        postgresql_where=sa.text("decided_at IS NULL AND ended_at IS NULL"),
    )
    op.create_index(
        "uq_funds_signals_live",
        "funds_signals",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "read_attempts",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("consent_id", sa.UUID(), nullable=False),
        sa.Column("iban_hash", sa.LargeBinary(), nullable=False),
        sa.Column("attended", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "purpose IN ('scoring', 'repayment_monitoring')", name=op.f("ck_read_attempts_purpose")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_read_attempts_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["consent_id"], ["consents.id"], name=op.f("fk_read_attempts_consent_id")
        ),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_read_attempts_lender_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_read_attempts")),
        info={"tenant": True},
    )
    op.create_index(
        op.f("ix_read_attempts_account_id_attempted_at"),
        "read_attempts",
        ["account_id", "attempted_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_read_attempts_iban_hash_attempted_at"),
        "read_attempts",
        ["iban_hash", "attempted_at"],
        unique=False,
    )
    op.create_table(
        "readings",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=True),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("figure_enc", sa.LargeBinary(), nullable=True),
        sa.Column("credit_excluded", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("margin_band", sa.Text(), server_default="", nullable=False),
        sa.Column("erase_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "purpose IN ('scoring', 'repayment_monitoring')", name=op.f("ck_readings_purpose")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_readings_account_id")
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_readings_lender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_readings")),
        info={"tenant": True},
    )
    op.create_index(
        op.f("ix_readings_account_id_read_at"), "readings", ["account_id", "read_at"], unique=False
    )
    op.create_index(
        "ix_readings_erasable",
        "readings",
        ["erase_at"],
        unique=False,
        postgresql_where=sa.text("figure_enc IS NOT NULL"),
    )
    op.create_table(
        "payment_links",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("signal_id", sa.UUID(), nullable=True),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'live'"), nullable=False),
        sa.Column("checks_failed", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('live', 'spent', 'expired', 'withdrawn')",
            name=op.f("ck_payment_links_state"),
        ),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_payment_links_borrower_id")
        ),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_payment_links_lender_id")
        ),
        sa.ForeignKeyConstraint(
            ["signal_id"], ["funds_signals.id"], name=op.f("fk_payment_links_signal_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_payment_links_token_hash")),
        info={"tenant": True},
    )
    op.create_index(
        op.f("ix_payment_links_borrower_id"), "payment_links", ["borrower_id"], unique=False
    )
    op.create_index(
        "ix_payment_links_ending",
        "payment_links",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_table(
        "signal_cases",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("signal_id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=False),
        sa.Column("covers", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_signal_cases_case_id")),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_signal_cases_lender_id")
        ),
        sa.ForeignKeyConstraint(
            ["signal_id"], ["funds_signals.id"], name=op.f("fk_signal_cases_signal_id")
        ),
        sa.PrimaryKeyConstraint("signal_id", "case_id", name=op.f("pk_signal_cases")),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_signal_cases_case_id"), "signal_cases", ["case_id"], unique=False)
    op.create_table(
        "link_sessions",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("link_id", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_link_sessions_lender_id")
        ),
        sa.ForeignKeyConstraint(
            ["link_id"], ["payment_links.id"], name=op.f("fk_link_sessions_link_id")
        ),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_link_sessions")),
        info={"tenant": True},
    )
    op.create_table(
        "messages",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("key", sa.UUID(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("signal_id", sa.UUID(), nullable=True),
        sa.Column("link_id", sa.UUID(), nullable=True),
        sa.Column(
            "case_ids",
            postgresql.ARRAY(sa.UUID()),
            server_default=sa.text("'{}'::uuid[]"),
            nullable=False,
        ),
        sa.Column("to_enc", sa.LargeBinary(), nullable=False),
        sa.Column("body_enc", sa.LargeBinary(), nullable=False),
        sa.Column("marker_enc", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'queued'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("connector", sa.Text(), nullable=True),
        sa.Column("provider_ref", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), server_default="", nullable=False),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("verdict", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "cancel_reason IN ('paid', 'payment_in_flight', 'nothing_due', 'hold', 'opted_out', 'consent_ended', 'stop_switch', 'money_gone', 'signal_stale', 'gate_refused', 'link_expired', 'owed_amount_stale', 'phone_missing', 'replaced')",
            name=op.f("ck_messages_cancel_reason"),
        ),
        sa.CheckConstraint("channel IN ('sms', 'email', 'call')", name=op.f("ck_messages_channel")),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'delivered', 'undelivered', 'failed', 'unknown', 'cancelled', 'withheld')",
            name=op.f("ck_messages_state"),
        ),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_messages_borrower_id")
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_messages_lender_id")),
        sa.ForeignKeyConstraint(
            ["link_id"], ["payment_links.id"], name=op.f("fk_messages_link_id")
        ),
        sa.ForeignKeyConstraint(
            ["signal_id"], ["funds_signals.id"], name=op.f("fk_messages_signal_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("lender_id", "key", name=op.f("uq_messages_lender_id_key")),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_messages_borrower_id"), "messages", ["borrower_id"], unique=False)
    op.create_index(
        op.f("ix_messages_connector_provider_ref"),
        "messages",
        ["connector", "provider_ref"],
        unique=False,
    )
    op.create_index(
        "ix_messages_due",
        "messages",
        ["next_look_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'sending', 'sent', 'unknown')"),
    )
    op.create_index(op.f("ix_messages_lender_id_id"), "messages", ["lender_id", "id"], unique=False)
    op.create_table(
        "payments",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("borrower_id", sa.UUID(), nullable=False),
        sa.Column("link_id", sa.UUID(), nullable=True),
        sa.Column("key", sa.UUID(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("bank_id", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'requested'"), nullable=False),
        sa.Column("end_to_end_ref", sa.String(length=35), nullable=False),
        sa.Column("return_hash", sa.LargeBinary(), nullable=False),
        sa.Column("return_enc", sa.LargeBinary(), nullable=False),
        sa.Column("handle_enc", sa.LargeBinary(), nullable=True),
        sa.Column("redirect_enc", sa.LargeBinary(), nullable=True),
        sa.Column("payer_enc", sa.LargeBinary(), nullable=False),
        sa.Column("instant", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("raw_status", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("authorised_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looks", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "state IN ('requested', 'creating', 'open', 'authorised', 'settled', 'rejected', 'cancelled', 'abandoned', 'unclear', 'returned')",
            name=op.f("ck_payments_state"),
        ),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["borrowers.id"], name=op.f("fk_payments_borrower_id")
        ),
        sa.ForeignKeyConstraint(["lender_id"], ["lenders.id"], name=op.f("fk_payments_lender_id")),
        sa.ForeignKeyConstraint(
            ["link_id"], ["payment_links.id"], name=op.f("fk_payments_link_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("end_to_end_ref", name=op.f("uq_payments_end_to_end_ref")),
        sa.UniqueConstraint("lender_id", "key", name=op.f("uq_payments_lender_id_key")),
        sa.UniqueConstraint("return_hash", name=op.f("uq_payments_return_hash")),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_payments_borrower_id"), "payments", ["borrower_id"], unique=False)
    op.create_index(
        "ix_payments_due",
        "payments",
        ["next_look_at"],
        unique=False,
        postgresql_where=sa.text(
            "state IN ('requested', 'creating', 'open', 'authorised', 'unclear')"
        ),
    )
    op.create_index(op.f("ix_payments_lender_id_id"), "payments", ["lender_id", "id"], unique=False)
    op.create_index(
        "ix_payments_settled",
        "payments",
        ["lender_id", "settled_at"],
        unique=False,
        postgresql_where=sa.text("settled_at IS NOT NULL"),
    )
    op.create_table(
        "payment_cases",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("payment_id", sa.UUID(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=False),
        sa.Column("loan_id", sa.UUID(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("live", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_payment_cases_case_id")),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_payment_cases_lender_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_payment_cases_loan_id")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_payment_cases_payment_id")
        ),
        sa.PrimaryKeyConstraint("payment_id", "case_id", name=op.f("pk_payment_cases")),
        info={"tenant": True},
    )
    op.create_index(
        "uq_payment_cases_live",
        "payment_cases",
        ["case_id"],
        unique=True,
        postgresql_where=sa.text("live"),
    )
    op.create_table(
        "repayments",
        sa.Column("lender_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("loan_id", sa.UUID(), nullable=False),
        sa.Column("external_ref", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payment_id", sa.UUID(), nullable=True),
        sa.Column("applied_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("counted", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("reversed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["lender_id"], ["lenders.id"], name=op.f("fk_repayments_lender_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_repayments_loan_id")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_repayments_payment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repayments")),
        sa.UniqueConstraint(
            "lender_id",
            "loan_id",
            "external_ref",
            name=op.f("uq_repayments_lender_id_loan_id_external_ref"),
        ),
        info={"tenant": True},
    )
    op.create_index(op.f("ix_repayments_payment_id"), "repayments", ["payment_id"], unique=False)

    fence_in()
    # The library's own schema; its later releases bring migrations of their own.
    raw = op.get_bind().connection.driver_connection
    if raw is None:
        raise RuntimeError("the migration needs a live connection")
    raw.execute(SchemaManager.get_schema())
    op.execute(JOB_RIGHTS)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index(op.f("ix_repayments_payment_id"), table_name="repayments")
    op.drop_table("repayments")
    op.drop_index(
        "uq_payment_cases_live", table_name="payment_cases", postgresql_where=sa.text("live")
    )
    op.drop_table("payment_cases")
    op.drop_index(
        "ix_payments_settled",
        table_name="payments",
        postgresql_where=sa.text("settled_at IS NOT NULL"),
    )
    op.drop_index(op.f("ix_payments_lender_id_id"), table_name="payments")
    op.drop_index(
        "ix_payments_due",
        table_name="payments",
        postgresql_where=sa.text(
            "state IN ('requested', 'creating', 'open', 'authorised', 'unclear')"
        ),
    )
    op.drop_index(op.f("ix_payments_borrower_id"), table_name="payments")
    op.drop_table("payments")
    op.drop_index(op.f("ix_messages_lender_id_id"), table_name="messages")
    op.drop_index(
        "ix_messages_due",
        table_name="messages",
        postgresql_where=sa.text("state IN ('queued', 'sending', 'sent', 'unknown')"),
    )
    op.drop_index(op.f("ix_messages_connector_provider_ref"), table_name="messages")
    op.drop_index(op.f("ix_messages_borrower_id"), table_name="messages")
    op.drop_table("messages")
    op.drop_table("link_sessions")
    op.drop_index(op.f("ix_signal_cases_case_id"), table_name="signal_cases")
    op.drop_table("signal_cases")
    op.drop_index(
        "ix_payment_links_ending",
        table_name="payment_links",
        postgresql_where=sa.text("state = 'live'"),
    )
    op.drop_index(op.f("ix_payment_links_borrower_id"), table_name="payment_links")
    op.drop_table("payment_links")
    op.drop_index(
        "ix_readings_erasable",
        table_name="readings",
        postgresql_where=sa.text("figure_enc IS NOT NULL"),
    )
    op.drop_index(op.f("ix_readings_account_id_read_at"), table_name="readings")
    op.drop_table("readings")
    op.drop_index(op.f("ix_read_attempts_iban_hash_attempted_at"), table_name="read_attempts")
    op.drop_index(op.f("ix_read_attempts_account_id_attempted_at"), table_name="read_attempts")
    op.drop_table("read_attempts")
    op.drop_index(
        "uq_funds_signals_live",
        table_name="funds_signals",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_index(
        "ix_funds_signals_undecided",
        table_name="funds_signals",
        postgresql_where=sa.text("decided_at IS NULL AND ended_at IS NULL"),
    )
    op.drop_index(op.f("ix_funds_signals_lender_id_raised_at"), table_name="funds_signals")
    op.drop_index(op.f("ix_funds_signals_borrower_id"), table_name="funds_signals")
    op.drop_table("funds_signals")
    op.drop_index(op.f("ix_tasks_lender_id_id"), table_name="tasks")
    op.drop_index(op.f("ix_tasks_case_id"), table_name="tasks")
    op.drop_index(op.f("ix_tasks_borrower_id"), table_name="tasks")
    op.drop_index(
        "ix_tasks_board", table_name="tasks", postgresql_where=sa.text("state IN ('open', 'taken')")
    )
    op.drop_table("tasks")
    op.drop_index(op.f("ix_holds_borrower_id"), table_name="holds")
    op.drop_table("holds")
    op.drop_index(op.f("ix_consent_choices_request_id"), table_name="consent_choices")
    op.drop_index(op.f("ix_consent_choices_borrower_id"), table_name="consent_choices")
    op.drop_table("consent_choices")
    op.drop_index(op.f("ix_accounts_iban_hash"), table_name="accounts")
    op.drop_index(
        "ix_accounts_due",
        table_name="accounts",
        postgresql_where=sa.text("next_read_at IS NOT NULL"),
    )
    op.drop_index(op.f("ix_accounts_consent_id"), table_name="accounts")
    op.drop_index(op.f("ix_accounts_borrower_id"), table_name="accounts")
    op.drop_table("accounts")
    op.drop_index(
        "ix_instalments_unpaid",
        table_name="instalments",
        postgresql_where=sa.text("paid_minor < amount_minor"),
    )
    op.drop_table("instalments")
    op.drop_index(op.f("ix_consents_request_id"), table_name="consents")
    op.drop_index(op.f("ix_consents_lender_id_id"), table_name="consents")
    op.drop_index(
        "ix_consents_due",
        table_name="consents",
        postgresql_where=sa.text("state IN ('pending', 'active')"),
    )
    op.drop_index(op.f("ix_consents_borrower_id"), table_name="consents")
    op.drop_table("consents")
    op.drop_index(
        "uq_cases_one_open", table_name="cases", postgresql_where=sa.text("state <> 'closed'")
    )
    op.drop_index(op.f("ix_cases_loan_id"), table_name="cases")
    op.drop_index(op.f("ix_cases_lender_id_opened_at"), table_name="cases")
    op.drop_index(op.f("ix_cases_borrower_id"), table_name="cases")
    op.drop_table("cases")
    op.drop_index(op.f("ix_timeline_borrower_id_at"), table_name="timeline")
    op.drop_table("timeline")
    op.drop_index(op.f("ix_sessions_user_id"), table_name="sessions")
    op.drop_table("sessions")
    op.drop_table("opt_outs")
    op.drop_index(
        "ix_loans_falling_due",
        table_name="loans",
        postgresql_where=sa.text(
            "case_id IS NULL AND state = 'active' AND next_due_on IS NOT NULL"
        ),
    )
    op.drop_index(op.f("ix_loans_borrower_id"), table_name="loans")
    op.drop_table("loans")
    op.drop_index(op.f("ix_contacts_borrower_id_made_at"), table_name="contacts")
    op.drop_table("contacts")
    op.drop_index(op.f("ix_consent_requests_lender_id_id"), table_name="consent_requests")
    op.drop_index(
        "ix_consent_requests_expiring",
        table_name="consent_requests",
        postgresql_where=sa.text("state NOT IN ('completed', 'expired')"),
    )
    op.drop_index(op.f("ix_consent_requests_borrower_id"), table_name="consent_requests")
    op.drop_table("consent_requests")
    op.drop_table("users")
    op.drop_table("stop_switches")
    op.drop_index("ix_outbox_due", table_name="outbox", postgresql_where=sa.text("state = 'due'"))
    op.drop_table("outbox")
    op.drop_table("idempotency_keys")
    op.drop_table("data_keys")
    op.drop_index(op.f("ix_borrowers_phone_hash"), table_name="borrowers")
    op.drop_table("borrowers")
    op.drop_index(op.f("ix_audit_lender_id_at"), table_name="audit")
    op.drop_table("audit")
    op.drop_table("api_keys")
    op.drop_table("slots")
    op.drop_table("lenders")
    op.drop_index(
        "ix_inbox_waiting", table_name="inbox", postgresql_where=sa.text("handled_at IS NULL")
    )
    op.drop_table("inbox")
    op.drop_table("bank_health")
    op.execute(
        "DROP TABLE procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs, "
        "procrastinate_workers CASCADE"
    )
    op.execute(
        """
        DO $$
        DECLARE found text;
        BEGIN
            FOR found IN SELECT p.oid::regprocedure::text FROM pg_proc p
                WHERE p.pronamespace = 'public'::regnamespace AND p.proname LIKE 'procrastinate%'
            LOOP EXECUTE 'DROP FUNCTION ' || found || ' CASCADE'; END LOOP;
            FOR found IN SELECT t.oid::regtype::text FROM pg_type t
                WHERE t.typnamespace = 'public'::regnamespace
                AND t.typname LIKE 'procrastinate%' AND t.typtype IN ('e', 'c')
            LOOP EXECUTE 'DROP TYPE ' || found || ' CASCADE'; END LOOP;
        END $$
        """
    )
