"""Every table. Times are business time unless the comment says real time (see app/clock.py).

Rows of one lender are fenced in by row-level security (app/store/security.py). Unique keys
that a lender could run into begin with `lender_id`.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Date,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from app.domain.case import CASE, CaseClose
from app.domain.consent import CONSENT, REQUEST, Purpose
from app.domain.message import MESSAGE, CancelReason, Channel
from app.domain.payment import LINK, PAYMENT
from app.domain.roles import Role
from app.domain.task import TASK, TaskOutcome, TaskReason
from app.store.columns import (
    count,
    currency,
    flag,
    hashed,
    key,
    metadata,
    minor,
    moment,
    names,
    notes,
    one_of,
    ref,
    sealed,
    small,
    state_of,
    tenant_table,
    uid,
    uids,
    words,
)

# ------------------------------------------------------------------ lenders and their people

lenders = Table(
    "lenders",
    metadata,
    key(),
    Column("slug", Text, nullable=False, unique=True),
    words("name"),
    Column("jurisdiction", String(2), nullable=False),
    words("language", default="en"),
    words("time_zone"),
    words("contact_phone", default=""),
    words("contact_url", default=""),
    words("creditor_name"),
    sealed("creditor_iban_enc", optional=True),
    flag("observe_only", default=True),
    words("signals_act", default="automatic"),  # automatic | collector | both
    words("threshold_kind", default="due"),  # due | fixed | share
    minor("threshold_minor", optional=True),
    Column("threshold_basis_points", SmallInteger, nullable=True),
    # NULL: the jurisdiction pack's protected floor. Lowering it needs compliance and a reason.
    minor("floor_minor", optional=True),
    currency("floor_currency", optional=True),
    words("floor_reason", optional=True),
    small("case_after_days", 0),
    words("webhook_url", default=""),
    sealed("webhook_secret_enc", optional=True),
    moment("created_at"),
    info={"tenant": True},
)

data_keys = tenant_table(
    "data_keys",
    key(),
    words("master_key_id"),
    Column("wrapped", sealed("wrapped").type, nullable=False),
    moment("created_at"),
    moment("retired_at", optional=True),
)

users = tenant_table(
    "users",
    key(),
    Column("email", Text, nullable=False, unique=True),
    words("name"),
    words("role"),
    words("password_hash"),
    moment("created_at"),
    moment("disabled_at", optional=True),
    one_of("role", Role),
    moment("seen_at", optional=True),  # real time
)

# All times of a session are real time.
sessions = tenant_table(
    "sessions",
    Column("id_hash", hashed("id_hash").type, primary_key=True),
    ref("user_id", "users"),
    moment("created_at"),
    moment("seen_at"),
    moment("expires_at"),
    moment("revoked_at", optional=True),
    Index(None, "user_id"),
)

api_keys = tenant_table(
    "api_keys",
    key(),
    Column("key_hash", hashed("key_hash").type, nullable=False, unique=True),
    words("label"),
    words("prefix"),
    moment("created_at"),  # real time, like the next two
    moment("revoked_at", optional=True),
    moment("used_at", optional=True),
)

idempotency_keys = tenant_table(
    "idempotency_keys",
    words("key"),
    words("operation"),
    hashed("request_hash"),
    Column("status", SmallInteger, nullable=True),  # NULL: the first call is still running
    notes("answer", optional=True),
    moment("created_at"),  # real time
    PrimaryKeyConstraint("lender_id", "key"),
)

# ------------------------------------------------------------------ borrowers and consents

borrowers = tenant_table(
    "borrowers",
    key(),
    words("external_ref"),
    sealed("name_enc"),
    sealed("phone_enc", optional=True),
    hashed("phone_hash", optional=True),
    # Compared, never shown: keyed hashes bound to this borrower.
    hashed("birth_date_hash", optional=True),
    hashed("document_hash", optional=True),
    words("language"),
    Column("country", String(2), nullable=False),
    words("region", default=""),
    words("time_zone", optional=True),
    small("checks_failed", 0),
    moment("checks_locked_at", optional=True),
    moment("created_at"),
    moment("updated_at"),
    UniqueConstraint("lender_id", "external_ref"),
    Index(None, "phone_hash"),
)

opt_outs = tenant_table(
    "opt_outs",
    ref("borrower_id", "borrowers"),
    words("channel"),
    moment("stopped_at", optional=True),  # NULL: he opted in again
    words("source"),
    moment("changed_at"),
    PrimaryKeyConstraint("borrower_id", "channel"),
    one_of("channel", Channel),
)

consent_requests = tenant_table(
    "consent_requests",
    key(),
    ref("borrower_id", "borrowers"),
    names("purposes"),
    small("window_days", 90),
    words("language"),
    words("return_url", default=""),
    Column("token_hash", hashed("token_hash").type, nullable=False, unique=True),
    state_of(REQUEST),
    moment("created_at"),
    moment("expires_at"),
    moment("completed_at", optional=True),
    Index(None, "lender_id", "id"),
    Index(None, "borrower_id"),
    Index("ix_consent_requests_expiring", "expires_at", postgresql_where=text(
        "state NOT IN ('completed', 'expired')")),
)  # fmt: skip

consents = tenant_table(
    "consents",
    key(),
    ref("borrower_id", "borrowers"),
    ref("request_id", "consent_requests"),
    words("connector"),
    words("bank_id"),
    state_of(CONSENT),
    names("purposes"),
    sealed("token_enc", optional=True),
    # The bank sends the borrower back to /c/back/{token}; only its hash is kept.
    Column("return_hash", hashed("return_hash").type, nullable=False, unique=True),
    Column("asked_until", Date, nullable=False),
    Column("valid_until", Date, nullable=True),  # last day, in the bank's zone
    moment("ends_at", optional=True),  # the instant after which nothing is read
    moment("created_at"),
    moment("activated_at", optional=True),
    moment("ended_at", optional=True),
    words("ended_why", default=""),
    moment("next_check_at", optional=True),  # when to ask the bank for its state again
    words("scoring", default="none"),  # none, due, reading, stored, handed, failed
    uid("scoring_reading_id", optional=True),
    Index(None, "lender_id", "id"),
    Index(None, "borrower_id"),
    Index(None, "request_id"),
    Index("ix_consents_due", "next_check_at", postgresql_where=text(
        "state IN ('pending', 'active')")),
)  # fmt: skip

# One record per purpose, with the wording that was on the screen.
consent_choices = tenant_table(
    "consent_choices",
    key(),
    ref("request_id", "consent_requests"),
    ref("borrower_id", "borrowers"),
    ref("consent_id", "consents", optional=True),
    words("purpose"),
    flag("granted"),
    words("wording_version"),
    words("language"),
    moment("chosen_at"),
    moment("withdrawn_at", optional=True),
    words("withdrawn_via", optional=True),  # page | api | bank
    one_of("purpose", Purpose),
    Index(None, "request_id"),
    Index(None, "borrower_id"),
)

# ------------------------------------------------------------------ accounts and readings

accounts = tenant_table(
    "accounts",
    key(),
    ref("borrower_id", "borrowers"),
    ref("consent_id", "consents"),
    words("connector"),
    words("bank_id"),
    hashed("iban_hash"),  # identity: a renewal brings new refs, never a new account
    sealed("iban_enc", optional=True),
    words("iban_masked", default=""),
    currency(),
    sealed("ref_enc"),
    flag("usable", default=True),
    words("why_unusable", default=""),
    moment("created_at"),
    # NULL: not to be read (nothing due, or no consent). The planner looks at nothing else.
    moment("next_read_at", optional=True),
    moment("leased_until", optional=True),
    moment("blocked_until", optional=True),  # the bank said: no more before then
    count("failures"),
    moment("last_attempt_at", optional=True),
    moment("last_read_at", optional=True),
    # The detector's memory.
    flag("armed", default=True),
    moment("last_signal_at", optional=True),
    words("last_signal_kind", optional=True),  # part, enough: a part may be followed by enough
    UniqueConstraint("lender_id", "borrower_id", "iban_hash", "currency"),
    # The allowance is per bank account: rows of one IBAN are locked together.
    Index(None, "iban_hash"),
    Index(None, "borrower_id"),
    Index(None, "consent_id"),
    Index("ix_accounts_due", "next_read_at", postgresql_where=text("next_read_at IS NOT NULL")),
)

# Written and committed before each call. No row, no call.
read_attempts = tenant_table(
    "read_attempts",
    key(),
    ref("account_id", "accounts"),
    ref("consent_id", "consents"),
    hashed("iban_hash"),  # the allowance is counted per bank account
    flag("attended"),
    words("purpose"),
    moment("attempted_at"),
    words("outcome", optional=True),  # NULL: the process died before it could say
    words("detail", default=""),
    one_of("purpose", Purpose),
    Index(None, "iban_hash", "attempted_at"),
    Index(None, "account_id", "attempted_at"),
)

readings = tenant_table(
    "readings",
    key(),  # the attempt's id: one attempt, at most one reading
    ref("account_id", "accounts"),
    words("purpose"),
    moment("read_at"),
    moment("as_of", optional=True),
    words("kind", default=""),
    sealed("figure_enc", optional=True),  # the only place of a balance figure
    flag("credit_excluded"),
    words("verdict"),  # "signal" or the reason why not
    words("margin_band", default=""),
    moment("erase_at"),
    moment("erased_at", optional=True),
    one_of("purpose", Purpose),
    Index(None, "account_id", "read_at"),
    Index("ix_readings_erasable", "erase_at", postgresql_where=text("figure_enc IS NOT NULL")),
)

funds_signals = tenant_table(
    "funds_signals",
    key(),
    ref("borrower_id", "borrowers"),
    ref("account_id", "accounts"),
    Column("reading_id", UUID(as_uuid=True), nullable=False, unique=True),
    moment("raised_at"),
    words("covers"),  # enough | part
    words("margin_band"),
    moment("ended_at", optional=True),
    words("ended_why", optional=True),  # paid, money_gone, replaced, ...
    moment("decided_at", optional=True),
    Index("uq_funds_signals_live", "account_id", unique=True,
          postgresql_where=text("ended_at IS NULL")),
    Index("ix_funds_signals_undecided", "raised_at", postgresql_where=text(
        "decided_at IS NULL AND ended_at IS NULL")),
    Index(None, "borrower_id"),
    Index(None, "lender_id", "raised_at"),
)  # fmt: skip

# How far the money seen reaches over the person's cases, oldest due first. No figures.
signal_cases = tenant_table(
    "signal_cases",
    ref("signal_id", "funds_signals"),
    ref("case_id", "cases"),
    words("covers"),  # whole | part | none
    PrimaryKeyConstraint("signal_id", "case_id"),
    Index(None, "case_id"),
)

# ------------------------------------------------------------------ loans and cases

loans = tenant_table(
    "loans",
    key(),
    ref("borrower_id", "borrowers"),
    words("external_ref"),
    words("product"),
    currency(),
    words("state", default="active"),  # active | closed
    moment("owed_as_of"),
    moment("created_at"),
    # Kept by the store whenever instalments change: the earliest unpaid due date.
    Column("next_due_on", Date, nullable=True),
    uid("case_id", optional=True),  # the open case, if any
    UniqueConstraint("lender_id", "external_ref"),
    Index(None, "borrower_id"),
    Index("ix_loans_falling_due", "lender_id",
        "next_due_on", postgresql_where=text(
        "case_id IS NULL AND state = 'active' AND next_due_on IS NOT NULL")),
)  # fmt: skip

instalments = tenant_table(
    "instalments",
    key(),
    ref("loan_id", "loans"),
    count("number", 1),
    Column("due_on", Date, nullable=False),
    minor("amount_minor"),
    minor("paid_minor", default=0),
    UniqueConstraint("loan_id", "number"),
    Index(
        "ix_instalments_unpaid",
        "loan_id",
        "due_on",
        postgresql_where=text("paid_minor < amount_minor"),
    ),
)

repayments = tenant_table(
    "repayments",
    key(),
    ref("loan_id", "loans"),
    words("external_ref"),
    words("source"),  # lender | saldo
    minor("amount_minor"),
    currency(),
    moment("paid_at"),
    moment("recorded_at"),
    ref("payment_id", "payments", optional=True),
    # What it took off the instalments; the rest was too much. Needed to take it back exactly.
    minor("applied_minor", default=0),
    # False: the same money as another row (a Saldo payment the lender reported too).
    flag("counted", default=True),
    moment("reversed_at", optional=True),
    UniqueConstraint("lender_id", "loan_id", "external_ref"),
    Index(None, "payment_id"),
)

cases = tenant_table(
    "cases",
    key(),
    ref("loan_id", "loans"),
    ref("borrower_id", "borrowers"),
    state_of(CASE),
    moment("opened_at"),
    moment("closed_at", optional=True),
    words("close_reason", optional=True),
    Index("uq_cases_one_open", "loan_id", unique=True, postgresql_where=text("state <> 'closed'")),
    Index(None, "loan_id"),
    Index(None, "borrower_id"),
    Index(None, "lender_id", "opened_at"),
    one_of("close_reason", CaseClose),
)

# ------------------------------------------------------------------ links, messages, contacts

payment_links = tenant_table(
    "payment_links",
    key(),
    ref("borrower_id", "borrowers"),
    ref("signal_id", "funds_signals", optional=True),
    Column("token_hash", hashed("token_hash").type, nullable=False, unique=True),
    state_of(LINK),
    small("checks_failed", 0),
    moment("created_at"),
    moment("expires_at"),
    moment("ended_at", optional=True),
    Index(None, "borrower_id"),
    Index("ix_payment_links_ending", "expires_at", postgresql_where=text("state = 'live'")),
)

# A browser that answered the check. Real time.
link_sessions = tenant_table(
    "link_sessions",
    Column("id_hash", hashed("id_hash").type, primary_key=True),
    ref("link_id", "payment_links"),
    moment("created_at"),
    moment("expires_at"),
)

messages = tenant_table(
    "messages",
    key(),
    ref("borrower_id", "borrowers"),
    uid("key"),
    words("channel"),
    words("wording"),  # template name and version, such as "click_and_pay/1"
    words("language"),
    ref("signal_id", "funds_signals", optional=True),
    ref("link_id", "payment_links", optional=True),
    uids("case_ids"),
    sealed("to_enc"),
    sealed("body_enc"),
    sealed("marker_enc"),
    state_of(MESSAGE),
    moment("created_at"),
    moment("next_look_at", optional=True),
    moment("claimed_at", optional=True),  # real time: when a sender took it
    moment("sent_at", optional=True),
    moment("ended_at", optional=True),
    words("connector", optional=True),
    words("provider_ref", optional=True),
    words("error_code", default=""),
    words("cancel_reason", optional=True),
    notes("verdict", optional=True),
    count("attempts"),
    UniqueConstraint("lender_id", "key"),
    one_of("channel", Channel),
    one_of("cancel_reason", CancelReason),
    Index(None, "lender_id", "id"),
    Index(None, "borrower_id"),
    Index("ix_messages_due", "next_look_at", postgresql_where=text(
        "state IN ('queued', 'sending', 'sent', 'unknown')")),
    Index(None, "connector", "provider_ref"),
)  # fmt: skip

# Every contact counts in the caps, whoever made it.
contacts = tenant_table(
    "contacts",
    key(),
    ref("borrower_id", "borrowers"),
    words("channel"),
    words("direction"),  # outbound | inbound
    flag("conversation"),
    moment("made_at"),
    uids("case_ids"),
    uid("message_id", optional=True),
    uid("task_id", optional=True),
    UniqueConstraint("lender_id", "message_id"),
    one_of("channel", Channel),
    Index(None, "borrower_id", "made_at"),
)

# ------------------------------------------------------------------ payments

payments = tenant_table(
    "payments",
    key(),
    ref("borrower_id", "borrowers"),
    ref("link_id", "payment_links", optional=True),
    uid("key"),
    words("connector"),
    words("bank_id"),
    minor("amount_minor"),
    currency(),
    state_of(PAYMENT),
    Column("end_to_end_ref", String(35), nullable=False, unique=True),
    Column("return_hash", hashed("return_hash").type, nullable=False, unique=True),
    sealed("return_enc"),
    sealed("handle_enc", optional=True),
    sealed("redirect_enc", optional=True),
    sealed("payer_enc"),  # address and browser of the borrower at the tap
    flag("instant"),
    words("raw_status", default=""),
    moment("created_at"),
    moment("claimed_at", optional=True),  # real time: when a process began to create it
    moment("authorised_at", optional=True),
    moment("settled_at", optional=True),
    moment("ended_at", optional=True),
    moment("next_look_at", optional=True),
    count("looks"),
    UniqueConstraint("lender_id", "key"),
    Index(None, "borrower_id"),
    Index(None, "lender_id", "id"),
    Index(
        "ix_payments_settled",
        "lender_id",
        "settled_at",
        postgresql_where=text("settled_at IS NOT NULL"),
    ),
    Index("ix_payments_due", "next_look_at", postgresql_where=text(
        "state IN ('requested', 'creating', 'open', 'authorised', 'unclear')")),
)  # fmt: skip

payment_cases = tenant_table(
    "payment_cases",
    ref("payment_id", "payments"),
    ref("case_id", "cases"),
    ref("loan_id", "loans"),
    minor("amount_minor"),
    flag("live", default=True),
    PrimaryKeyConstraint("payment_id", "case_id"),
    # At most one initiation per case can still become money.
    Index("uq_payment_cases_live", "case_id", unique=True, postgresql_where=text("live")),
)

# ------------------------------------------------------------------ people's work and brakes

tasks = tenant_table(
    "tasks",
    key(),
    ref("borrower_id", "borrowers"),
    ref("case_id", "cases", optional=True),
    uid("key"),
    words("reason"),
    state_of(TASK),
    small("priority", 50),
    notes("situation"),
    moment("created_at"),
    ref("taken_by", "users", optional=True),
    moment("leased_until", optional=True),
    moment("ended_at", optional=True),
    words("outcome", optional=True),
    words("note", default=""),
    words("cancel_reason", optional=True),
    UniqueConstraint("lender_id", "key"),
    one_of("reason", TaskReason),
    one_of("outcome", TaskOutcome),
    Index(None, "lender_id", "id"),
    Index(None, "case_id"),
    Index(None, "borrower_id"),
    Index("ix_tasks_board", "lender_id", "priority", "created_at", postgresql_where=text(
        "state IN ('open', 'taken')")),
)  # fmt: skip

holds = tenant_table(
    "holds",
    key(),
    ref("borrower_id", "borrowers"),
    ref("case_id", "cases", optional=True),  # NULL: all of the borrower's cases
    words("kind"),
    words("reason"),
    moment("starts_at"),
    moment("ends_at", optional=True),
    words("set_by"),
    moment("lifted_at", optional=True),
    words("lifted_by", optional=True),
    Index(None, "borrower_id"),
)

stop_switches = tenant_table(
    "stop_switches",
    words("channel"),  # sms | payment | reading | webhook | all
    flag("halted"),
    words("reason", default=""),
    words("set_by"),
    moment("set_at"),
    PrimaryKeyConstraint("lender_id", "channel"),
)

# What happened, in words a collector reads. Append-only. Never a balance figure.
timeline = tenant_table(
    "timeline",
    key(),
    ref("borrower_id", "borrowers"),
    uid("case_id", optional=True),  # NULL: concerns every case of the borrower
    moment("at"),
    words("kind"),
    words("actor"),
    notes("details"),
    Index(None, "borrower_id", "at"),
)

# Who changed which setting, switch or role. Append-only.
audit = tenant_table(
    "audit",
    key(),
    moment("at"),
    words("actor"),
    words("act"),
    words("subject"),
    notes("before"),
    notes("after"),
    words("reason", default=""),
    Index(None, "lender_id", "at"),
)

# ------------------------------------------------------------------ outbox, inbox, engine

# Lender webhooks and revocations at banks. `next_try_at` and `claimed_at` are real time.
outbox = tenant_table(
    "outbox",
    key(),
    uid("key"),
    words("kind"),  # lender_webhook | revoke_consent | cancel_payment
    uid("subject_id"),
    words("event", default=""),
    notes("payload"),
    words("state", default="due"),  # due | done | dead | cancelled
    count("attempts"),
    moment("next_try_at", optional=True),
    words("last_error", default=""),
    moment("created_at"),
    moment("done_at", optional=True),
    UniqueConstraint("lender_id", "key"),
    Index("ix_outbox_due", "next_try_at", postgresql_where=text("state = 'due'")),
)

# Webhooks as they came in: verified, stored, acted on later. Engine only; real time.
inbox = Table(
    "inbox",
    metadata,
    key(),
    words("source"),
    words("event_id"),
    words("kind"),
    sealed("payload_enc"),
    moment("received_at"),
    moment("handled_at", optional=True),
    words("result", default=""),
    UniqueConstraint("source", "event_id"),
    Index("ix_inbox_waiting", "received_at", postgresql_where=text("handled_at IS NULL")),
    info={"engine": True},
)

# One winner per singleton and slot.
slots = Table(
    "slots",
    metadata,
    words("name"),
    words("slot"),
    moment("taken_at"),
    PrimaryKeyConstraint("name", "slot"),
    info={"engine": True},
)

# The breaker of each bank. Real time.
bank_health = Table(
    "bank_health",
    metadata,
    words("connector"),
    words("bank_id"),
    count("failures"),
    moment("open_until", optional=True),
    moment("last_ok_at", optional=True),
    moment("last_failure_at", optional=True),
    words("last_reason", default=""),
    PrimaryKeyConstraint("connector", "bank_id"),
    info={"engine": True},
)

APPEND_ONLY = (timeline, audit)
