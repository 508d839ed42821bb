"""What leaves, what comes in, and the engine's own bookkeeping."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from app.domain.breaker import BREAKER, Service
from app.store.columns import (
    count,
    key,
    metadata,
    moment,
    notes,
    one_of,
    sealed,
    state_of,
    tenant_table,
    uid,
    uids,
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
    Index(
        "ix_outbox_told",
        "lender_id",
        "done_at",
        postgresql_where=text("kind = 'lender_webhook'"),
    ),
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

# How each service of a bank (or of a provider without banks: bank_id '') answers, and its breaker.
# `suspected_at` and `until` are real time, the others are business time, as the desk shows them.
provider_health = Table(
    "provider_health",
    metadata,
    words("connector"),
    words("bank_id"),
    words("service"),
    one_of("service", Service),
    *state_of(BREAKER),
    uids("suspects"),
    moment("suspected_at", optional=True),
    count("pauses"),
    moment("until", optional=True),
    moment("since", optional=True),
    moment("last_ok_at", optional=True),
    moment("last_failure_at", optional=True),
    words("last_reason", default=""),
    PrimaryKeyConstraint("connector", "bank_id", "service"),
    info={"engine": True},
)

# The calls of each hour (business time), counted a batch at a time.
provider_hours = Table(
    "provider_hours",
    metadata,
    words("connector"),
    words("bank_id"),
    words("service"),
    moment("hour"),
    count("fine"),
    count("failed"),
    PrimaryKeyConstraint("connector", "bank_id", "service", "hour"),
    one_of("service", Service),
    info={"engine": True},
)

# Announced maintenance, beside the weekly hours of a bank's profile. Business time. With bank_id ''
# it is the provider's own, and all its banks rest.
maintenance_windows = tenant_table(
    "maintenance_windows",
    key(),
    words("connector"),
    words("bank_id"),
    moment("starts_at"),
    moment("ends_at"),
    words("reason"),
    words("set_by"),
    moment("set_at"),
    moment("lifted_at", optional=True),
    words("lifted_by", default=""),
    CheckConstraint("starts_at < ends_at", name="has_length"),
    Index("ix_maintenance_windows_ends", "lender_id", "ends_at"),
)
