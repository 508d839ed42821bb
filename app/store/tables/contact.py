"""Payment links, messages, contacts and payments: all that goes to and fro."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Index,
    PrimaryKeyConstraint,
    String,
    UniqueConstraint,
    text,
)

from app.domain.message import MESSAGE, CancelReason, Channel
from app.domain.payment import LINK, PAYMENT
from app.store.columns import (
    count,
    currency,
    flag,
    hashed,
    key,
    minor,
    moment,
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
    words("cause", default="funds"),  # funds | notice | remind | promise
    words("purpose", default="collection"),  # collection | required_notice
    words("language"),
    ref("signal_id", "funds_signals", optional=True),
    ref("link_id", "payment_links", optional=True),
    uids("case_ids"),
    sealed("to_enc"),
    sealed("subject_enc", optional=True),  # e-mail
    sealed("body_enc"),
    sealed("marker_enc"),
    state_of(MESSAGE),
    moment("created_at"),
    moment("next_look_at", optional=True),
    moment("claimed_at", optional=True),  # real time: when a sender took it
    moment("sent_at", optional=True),
    moment("ended_at", optional=True),
    words("connector", optional=True),
    flag("bound"),  # to its connector: an attempt there may have left
    count("missed"),  # attempts that surely left nothing
    uids("version_ids"),  # the strategy versions that its cases followed when it was queued
    words("provider_ref", optional=True),
    words("error_code", default=""),
    words("cancel_reason", optional=True),
    notes("verdict", optional=True),
    count("attempts"),
    UniqueConstraint("lender_id", "key"),
    one_of("channel", Channel),
    one_of("cancel_reason", CancelReason),
    Index(None, "lender_id", "id"),
    Index(None, "lender_id", "created_at", "id"),
    Index(None, "borrower_id"),
    Index("ix_messages_due", "next_look_at", postgresql_where=text(
        "state IN ('queued', 'sending', 'sent', 'unknown', 'asked')")),
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
    ref("user_id", "users", optional=True),
    words("source", default="saldo"),  # saldo | outside | agency | import
    ref("placement_id", "placements", optional=True),  # an agency made it for this placement
    words("outcome", default=""),
    words("note", default=""),
    flag("counts", default=True),  # False: no attempt to reach him, exempt from every cap
    flag("asked_for", default=False),  # his own wish: exempt where a rule says so
    sealed("said_enc", optional=True),  # what the borrower wrote, in his own words
    notes("verdict", optional=True),  # the gate's, at its moment; a message has its own
    uids("version_ids"),  # the strategy versions that its cases followed when it was noted
    moment("noted_at", optional=True),  # when it was written down; NULL: when it was made
    UniqueConstraint("lender_id", "message_id"),
    one_of("channel", Channel),
    Index(None, "borrower_id", "made_at"),
    Index("ix_contacts_attempts", "lender_id", "made_at", "id", postgresql_where=text(
        "direction = 'outbound' AND message_id IS NULL")),
)  # fmt: skip

# Contacts that somebody wanted and did not make: a rule refused them before there was a message, or
# they were not possible. Append-only. With `messages` and `contacts`: every attempt, once.
blocked_contacts = tenant_table(
    "blocked_contacts",
    key(),
    uid("key"),  # of its cause: the same attempt is written once
    ref("borrower_id", "borrowers"),
    uids("case_ids"),
    uids("loan_ids"),
    uids("version_ids"),  # the strategy versions that its cases followed then
    words("channel"),
    words("purpose"),
    words("cause"),  # of a message, or a task's reason
    words("template", default=""),
    moment("tried_at"),
    words("source"),  # saldo | desk | api | agency
    words("actor"),
    ref("user_id", "users", optional=True),
    ref("placement_id", "placements", optional=True),
    words("why"),  # Skip of app/domain/stage_plan.py
    notes("verdict", optional=True),  # where the gate was asked
    UniqueConstraint("lender_id", "key"),
    one_of("channel", Channel),
    Index(None, "lender_id", "tried_at", "id"),
)

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
    hashed("ref_hash", optional=True),  # the provider's id of it: its webhooks name nothing else
    sealed("redirect_enc", optional=True),
    sealed("payer_enc"),  # address and browser of the borrower at the tap
    flag("instant"),
    words("raw_status", default=""),
    moment("created_at"),
    moment("claimed_at", optional=True),  # real time: when a process began to create it
    moment("sent_at", optional=True),  # when the borrower was last sent to the bank's page
    moment("left_at", optional=True),  # from when on nobody was to pay it, and somebody could
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
    Index(None, "ref_hash"),
    Index("ix_payments_due", "next_look_at", postgresql_where=text("next_look_at IS NOT NULL")),
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
