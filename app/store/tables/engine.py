"""What leaves, what comes in, and the engine's own bookkeeping."""

from __future__ import annotations

from sqlalchemy import (
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from app.store.columns import (
    count,
    key,
    metadata,
    moment,
    notes,
    sealed,
    tenant_table,
    uid,
    words,
)

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
