"""The collections engine: strategies, what they did, promises, approvals, templates, files."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    UniqueConstraint,
    text,
)

from app.domain.approval import APPROVAL, ApprovalKind
from app.domain.bulk_file import BULK, RowVerdict
from app.domain.edition import EDITION
from app.domain.message import Channel
from app.domain.promise import PROMISE
from app.store.columns import (
    count,
    currency,
    flag,
    hashed,
    key,
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
    words,
)

# ------------------------------------------------------------------ strategies

strategies = tenant_table(
    "strategies",
    key(),
    words("name"),
    words("origin", default="own"),  # shipped | own
    moment("created_at"),
    UniqueConstraint("lender_id", "name"),
)

# Versioned data; a case keeps the version it was opened under (cases.strategy_version_id).
strategy_versions = tenant_table(
    "strategy_versions",
    key(),
    ref("strategy_id", "strategies"),
    count("number", 1),
    state_of(EDITION),
    notes("body"),
    count("based_on"),  # the number that was in force when it was begun; 0: none
    names("writers"),  # everybody who saved it: none of them publishes it
    words("made_by"),
    moment("made_at"),
    words("published_by", optional=True),
    moment("published_at", optional=True),
    moment("retired_at", optional=True),
    words("note", default=""),
    UniqueConstraint("strategy_id", "number"),
    Index("uq_strategy_versions_published", "strategy_id", unique=True,
          postgresql_where=text("state = 'published'")),
)  # fmt: skip

# Which strategy a new case gets. The narrowest scope wins: loan, borrower, product, lender.
strategy_choices = tenant_table(
    "strategy_choices",
    words("scope"),  # loan | borrower | product | lender
    words("target"),  # an id, a product's name, or "" for the lender
    ref("strategy_id", "strategies", optional=True),  # NULL: taken back
    words("set_by"),
    moment("set_at"),
    PrimaryKeyConstraint("lender_id", "scope", "target"),
)

# What a strategy did, one row per derived key: the same step cannot be taken twice. Its day is
# the borrower's local one, and comes from the debt's dates, not from when a job ran.
strategy_steps = tenant_table(
    "strategy_steps",
    key(),
    ref("borrower_id", "borrowers"),
    ref("loan_id", "loans"),
    ref("case_id", "cases", optional=True),  # NULL: before anything was due
    uid("key"),
    words("kind"),  # StepKind of app/domain/stage_plan.py
    words("name", default=""),  # a notice's slot and template, a call's stage
    Column("due_on", Date, nullable=True),  # the anchor it was planned from
    Column("on_day", Date, nullable=False),
    moment("made_at"),
    uid("message_id", optional=True),
    uid("task_id", optional=True),
    words("result", optional=True),  # NULL: nothing came of it yet
    moment("ended_at", optional=True),
    UniqueConstraint("lender_id", "key"),
    Index(None, "case_id"),
    Index(None, "loan_id"),
    Index(
        "ix_strategy_steps_message", "message_id", postgresql_where=text("message_id IS NOT NULL")
    ),
    Index(
        "ix_strategy_steps_ordered",
        "lender_id",
        "on_day",
        postgresql_where=text(
            "kind IN ('notice', 'call', 'promise_reminder') AND case_id IS NOT NULL"
        ),
    ),
    Index("ix_strategy_steps_task", "task_id", postgresql_where=text("task_id IS NOT NULL")),
)

# ------------------------------------------------------------------ promises and relief

promises = tenant_table(
    "promises",
    key(),
    ref("borrower_id", "borrowers"),
    ref("case_id", "cases"),
    ref("loan_id", "loans"),
    state_of(PROMISE),
    currency(),
    small("grace_days", 0),
    minor("tolerance_minor", default=0),
    small("remind_days_before", 1),
    words("source"),  # desk | page | api | import
    words("made_by"),
    words("note", default=""),
    moment("made_at"),
    moment("next_look_at", optional=True),
    moment("ended_at", optional=True),
    words("ended_why", default=""),
    Index("uq_promises_open", "case_id", unique=True, postgresql_where=text("state = 'open'")),
    Index(None, "case_id"),
    Index(None, "borrower_id"),
    Index(None, "lender_id", "made_at"),
    Index(None, "loan_id"),
    Index("ix_promises_due", "next_look_at", postgresql_where=text("next_look_at IS NOT NULL")),
)

promise_parts = tenant_table(
    "promise_parts",
    ref("promise_id", "promises"),
    Column("number", SmallInteger, nullable=False),
    Column("due_on", Date, nullable=False),
    minor("amount_minor"),
    PrimaryKeyConstraint("promise_id", "number"),
)

# ------------------------------------------------------------------ four eyes

approvals = tenant_table(
    "approvals",
    key(),
    words("kind"),
    state_of(APPROVAL),
    uid("subject_id"),
    ref("borrower_id", "borrowers", optional=True),
    ref("loan_id", "loans", optional=True),
    ref("case_id", "cases", optional=True),
    minor("amount_minor", optional=True),
    currency(optional=True),
    words("reason"),
    # What was considered before: forbearance (Directive (EU) 2023/2225 art. 35), arithmetic, diff.
    notes("considered"),
    words("proposed_by"),  # an actor: a person or a machine
    ref("proposer_id", "users", optional=True),  # NULL: a machine (the strategy, an API key)
    moment("proposed_at"),
    # Who put his name to a machine's proposal.
    ref("endorser_id", "users", optional=True),
    moment("endorsed_at", optional=True),
    # Above a bound two people agree: the first of them.
    ref("first_decider_id", "users", optional=True),
    moment("first_decided_at", optional=True),
    ref("decider_id", "users", optional=True),
    words("decided_by", default=""),  # an actor: whoever withdrew it, too
    moment("decided_at", optional=True),
    words("decision_note", default=""),
    one_of("kind", ApprovalKind),
    # Nobody decides about what he proposed himself, and an approval has two people behind it.
    CheckConstraint("decider_id IS NULL OR decider_id IS DISTINCT FROM proposer_id", name="other"),
    CheckConstraint("first_decider_id IS NULL OR (first_decider_id IS DISTINCT FROM proposer_id"
                    " AND first_decider_id IS DISTINCT FROM endorser_id)", name="first_other"),
    CheckConstraint("state <> 'approved' OR (decider_id IS NOT NULL"
                    " AND coalesce(proposer_id, endorser_id) IS NOT NULL"
                    " AND decider_id IS DISTINCT FROM endorser_id"
                    " AND decider_id IS DISTINCT FROM first_decider_id)", name="two_people"),
    Index("uq_approvals_waiting", "kind", "subject_id", unique=True,
          postgresql_where=text("state = 'proposed'")),
    Index("ix_approvals_waiting", "lender_id", "proposed_at",
          postgresql_where=text("state = 'proposed'")),
    Index(None, "loan_id"),
    Index(None, "case_id"),
)  # fmt: skip

# What changed a debt without money: entries are never taken away, a reversal is another entry.
adjustments = tenant_table(
    "adjustments",
    key(),
    ref("loan_id", "loans"),
    ref("borrower_id", "borrowers"),
    ref("approval_id", "approvals"),
    words("kind"),  # write_off | forgiveness | reversal
    minor("amount_minor"),
    currency(),
    ref("reverses_id", "adjustments", optional=True),
    ref("repayment_id", "repayments", optional=True),  # what a forgiveness took off the dues
    moment("made_at"),
    UniqueConstraint("lender_id", "approval_id"),
    Index("uq_adjustments_reversed", "reverses_id", unique=True,
          postgresql_where=text("reverses_id IS NOT NULL")),
    Index(None, "loan_id"),
)  # fmt: skip

# ------------------------------------------------------------------ templates

templates = tenant_table(
    "templates",
    key(),
    words("name"),
    words("channel"),
    words("language"),
    count("number", 1),
    state_of(EDITION),
    words("subject", default=""),
    words("body"),
    words("made_by"),
    moment("made_at"),
    words("published_by", optional=True),
    moment("published_at", optional=True),
    moment("retired_at", optional=True),
    one_of("channel", Channel),
    UniqueConstraint("lender_id", "name", "channel", "language", "number"),
    Index("uq_templates_published", "lender_id", "name", "channel", "language", unique=True,
          postgresql_where=text("state = 'published'")),
)  # fmt: skip

# ------------------------------------------------------------------ the lender's own rules

# Stricter than the pack of the country, and laid beside it (app/domain/pack_edition.py).
pack_editions = tenant_table(
    "pack_editions",
    key(),
    words("country"),  # of the pack; "*": places without one
    count("number", 1),
    state_of(EDITION),
    notes("body"),
    small("look_back_days", 2),  # how far back a contact can matter for pack and edition together
    words("made_by"),
    moment("made_at"),
    words("published_by", optional=True),
    moment("published_at", optional=True),
    moment("retired_at", optional=True),
    UniqueConstraint("lender_id", "country", "number"),
    Index("uq_pack_editions_published", "lender_id", "country", unique=True,
          postgresql_where=text("state = 'published'")),
)  # fmt: skip

# ------------------------------------------------------------------ segments and experiments

segments = tenant_table(
    "segments",
    key(),
    words("name"),
    count("number", 1),
    state_of(EDITION),
    small("rank", 100),
    notes("conditions"),
    notes("action"),
    names("writers"),
    words("made_by"),
    moment("made_at"),
    words("published_by", optional=True),
    moment("published_at", optional=True),
    moment("retired_at", optional=True),
    UniqueConstraint("lender_id", "name", "number"),
    Index("uq_segments_published", "lender_id", "name", unique=True,
          postgresql_where=text("state = 'published'")),
)  # fmt: skip

# A case that a rule found, with its reasons in words and numbers.
case_flags = tenant_table(
    "case_flags",
    key(),
    ref("case_id", "cases"),
    ref("borrower_id", "borrowers"),
    ref("segment_id", "segments", optional=True),
    words("flag"),
    notes("reasons"),
    moment("raised_at"),
    moment("ended_at", optional=True),
    words("ended_by", default=""),
    Index("uq_case_flags_live", "case_id", "flag", unique=True,
          postgresql_where=text("ended_at IS NULL")),
    Index(None, "borrower_id"),
    Index("ix_case_flags_first", "segment_id", "case_id", "raised_at"),
)  # fmt: skip

experiments = tenant_table(
    "experiments",
    key(),
    words("name"),
    words("kind"),  # holdout | challenger
    words("product", default=""),  # "": every product
    small("share_basis_points", 0),
    ref("strategy_id", "strategies", optional=True),  # the challenger
    names("withholds"),  # what a holdout keeps from its control arm (app/domain/experiment.py)
    small("horizon_days", 30),  # an outcome is what came within these days of the draw
    words("made_by"),
    moment("started_at"),
    moment("ended_at", optional=True),
    words("ended_by", default=""),
    UniqueConstraint("lender_id", "name"),
)

# Drawn once when a case opens, and kept.
case_arms = tenant_table(
    "case_arms",
    ref("experiment_id", "experiments"),
    ref("case_id", "cases"),
    words("arm"),  # control | treated
    minor("due_minor"),  # what was due at the draw: outcomes are shares of it
    currency(),
    moment("drawn_at"),
    PrimaryKeyConstraint("experiment_id", "case_id"),
    Index(None, "case_id"),
)

# ------------------------------------------------------------------ files and working life

bulk_files = tenant_table(
    "bulk_files",
    key(),
    words("kind"),  # book | ...
    words("name"),
    hashed("digest"),
    state_of(BULK),
    notes("totals"),
    words("made_by"),
    # Whoever loaded it, or stood behind what a system loaded; he does not release it.
    ref("maker_id", "users", optional=True),
    ref("key_id", "api_keys", optional=True),
    moment("made_at"),
    words("released_by", optional=True),
    moment("released_at", optional=True),
    moment("ended_at", optional=True),
    Index("uq_bulk_files_once", "lender_id", "digest", unique=True,
          postgresql_where=text("state <> 'dropped'")),
)  # fmt: skip

bulk_rows = tenant_table(
    "bulk_rows",
    ref("file_id", "bulk_files"),
    count("number"),
    words("sheet", default=""),
    # Rows of one person share a number within the file, and are carried out together; 0: nobody's.
    count("person"),
    words("verdict"),
    words("message", default=""),
    sealed("row_enc"),
    notes("made"),
    moment("done_at", optional=True),
    PrimaryKeyConstraint("file_id", "sheet", "number"),
    one_of("verdict", RowVerdict),
    Index("ix_bulk_rows_waiting", "file_id", "person", postgresql_where=text(
        "verdict = 'will_do'")),
)  # fmt: skip

# A person's own reminder about a case: at a moment, or when something happens.
agent_reminders = tenant_table(
    "agent_reminders",
    key(),
    ref("user_id", "users"),
    ref("case_id", "cases"),
    ref("borrower_id", "borrowers"),
    moment("due_at", optional=True),
    words("condition", default=""),  # money_seen | paid | promise_broken | message_undelivered
    small("every_days", 0),
    words("note", default=""),
    moment("created_at"),
    moment("ended_at", optional=True),
    flag("raised"),
    Index("ix_agent_reminders_due", "due_at", postgresql_where=text(
        "ended_at IS NULL AND due_at IS NOT NULL")),
    Index(None, "case_id"),
)  # fmt: skip
