"""Lenders, who works for them, and the people they lend to."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
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

from app.domain.contact_detail import Detail
from app.domain.message import Channel
from app.domain.payee import AccountForm
from app.domain.reading_way import ReadingWay
from app.domain.roles import Role
from app.store.columns import (
    currency,
    flag,
    hashed,
    key,
    metadata,
    minor,
    moment,
    notes,
    one_of,
    ref,
    sealed,
    small,
    tenant_table,
    words,
)

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
    sealed("creditor_iban_enc", optional=True),  # where EUR is paid to
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
    words("reading_way", default="even"),  # an experiment may overrule it for its cases
    flag("reads_bills"),  # borrowers may be asked for one look at their transactions
    # Tiers of amount for decisions of two people; {} means the defaults of app/domain/approval.py.
    notes("approval_tiers"),
    # A case that ends without a promise is closed as failed by itself; a write-off never is.
    flag("closes_failed"),
    words("push_url", default=""),  # the lender's app gateway; "" means no app
    small("push_fallback_minutes", 30),
    words("webhook_url", default=""),
    sealed("webhook_secret_enc", optional=True),
    moment("created_at"),
    one_of("reading_way", ReadingWay),
    info={"tenant": True},
)

# Where other currencies than EUR are paid to; that one stands above.
payees = tenant_table(
    "payees",
    key(),
    currency(),
    words("form"),
    sealed("account_enc"),
    moment("said_at"),
    one_of("form", AccountForm),
    UniqueConstraint("lender_id", "currency"),
)

# Another account, until a second person has decided about it. What a row held is erased then.
payee_changes = tenant_table(
    "payee_changes",
    key(),
    currency(),
    words("form"),
    sealed("account_enc", optional=True),
    words("replaces", default=""),  # the account of that moment, masked; empty: there was none
    words("made_by"),
    moment("made_at"),
    moment("ended_at", optional=True),
    one_of("form", AccountForm),
    CheckConstraint("(account_enc IS NULL) = (ended_at IS NOT NULL)", name="erased"),
    Index("uq_payee_changes_waiting", "lender_id", "currency", unique=True,
          postgresql_where=text("ended_at IS NULL")),
)  # fmt: skip

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
    Column("away_until", Date, nullable=True),  # on leave: gets no work until then
    # An admin gave him a role that decides, or a password; NULL: compliance knows (or need not).
    moment("unconfirmed_since", optional=True),
    # An admin chose his password and knows it: he has not chosen another one since.
    flag("given_password"),
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

borrowers = tenant_table(
    "borrowers",
    key(),
    words("external_ref"),
    sealed("name_enc"),
    sealed("phone_enc", optional=True),
    hashed("phone_hash", optional=True),
    # Somebody else answered there, or the desk entered it; NULL again once it is known to be his.
    moment("phone_doubted_at", optional=True),
    sealed("email_enc", optional=True),
    hashed("email_hash", optional=True),
    flag("has_app"),
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
    Index(None, "email_hash"),
)

# Numbers and addresses that the desk entered, and numbers that it put others in the place of. The
# one in use stands in the borrower's row. At most one row for each of a borrower's.
contact_details = tenant_table(
    "contact_details",
    key(),
    ref("borrower_id", "borrowers"),
    words("detail"),
    hashed("address_hash"),
    # Kept for an address that waits, and for a good number that comes back if the new one is wrong.
    sealed("address_enc", optional=True),
    ref("entered_by", "users", optional=True),
    moment("entered_at", optional=True),
    moment("confirmed_at", optional=True),
    moment("replaced_at", optional=True),
    moment("given_up_at", optional=True),
    UniqueConstraint("borrower_id", "detail", "address_hash"),
    one_of("detail", Detail),
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
