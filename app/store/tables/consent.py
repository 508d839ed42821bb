"""Borrowers' consents, their bank accounts, and what was read there."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Date,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from app.domain.consent import CONSENT, REQUEST, Purpose
from app.store.columns import (
    count,
    currency,
    flag,
    hashed,
    key,
    moment,
    names,
    one_of,
    ref,
    sealed,
    small,
    state_of,
    tenant_table,
    uid,
    words,
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
    moment("renewing_since", optional=True),  # real time: somebody exchanges the token
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

accounts = tenant_table(
    "accounts",
    key(),
    ref("borrower_id", "borrowers"),
    ref("consent_id", "consents"),
    words("connector"),
    words("bank_id"),
    # Identity: a renewal brings new refs, never a new account. Of a British one it is that of its
    # sort code and number (store/account_names.py), which are shown in `iban_masked`, too.
    hashed("iban_hash"),
    sealed("iban_enc", optional=True),  # where the provider states one
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
    # Of these the name is still another one; none is left after the upgrade.
    Index("ix_accounts_by_british_iban", "id", postgresql_where=text("iban_masked LIKE 'GB%'")),
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
    sealed("aside_enc", optional=True),  # what of it is expected to leave, erased with it
    Column("aside_by", Date, nullable=True),  # by this day, in the bank's zone
    flag("credit_excluded"),
    words("verdict"),  # "signal" or the reason why not
    words("margin_band", default=""),
    moment("erase_at"),
    moment("erased_at", optional=True),
    one_of("purpose", Purpose),
    Index(None, "account_id", "read_at"),
    Index("ix_readings_erasable", "erase_at", postgresql_where=text("figure_enc IS NOT NULL")),
)

# What is known of an account's income and bills, and what it said about the next read. A pattern of
# a life: sealed, and erased with the figures it was learned from.
income_profiles = tenant_table(
    "income_profiles",
    ref("account_id", "accounts"),
    sealed("profile_enc", optional=True),
    sealed("bills_enc", optional=True),  # never without the income's
    moment("learned_at"),
    moment("planned_at", optional=True),  # the next read as it was planned
    count("due_minor"),  # what was waited for then: another amount needs another plan
    words("reason", default=""),
    small("odds_basis_points", 0),  # that the money is there by then
    PrimaryKeyConstraint("account_id"),
    Index("ix_income_profiles_kept", "learned_at", postgresql_where=text(
        "profile_enc IS NOT NULL")),
)  # fmt: skip

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
