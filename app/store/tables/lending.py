"""Loans, what was paid on them, and the cases about them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    UniqueConstraint,
    text,
)

from app.domain.case import CASE, CaseClose
from app.store.columns import (
    count,
    currency,
    each,
    flag,
    key,
    minor,
    moment,
    one_of,
    ref,
    state_of,
    tenant_table,
    uid,
    words,
)

loans = tenant_table(
    "loans",
    key(),
    ref("borrower_id", "borrowers"),
    words("external_ref"),
    words("product"),
    currency(),
    words("state", default="active"),  # active | closed | written_off
    moment("owed_as_of"),
    moment("created_at"),
    # Kept by the store whenever instalments change: the earliest unpaid due date.
    Column("next_due_on", Date, nullable=True),
    uid("case_id", optional=True),  # the open case, if any
    # Collection is over though money is owed (failed, written off): no case opens by itself.
    moment("collection_ended_at", optional=True),
    # The next day on which a strategy looks at it before anything is due; long ago: at once.
    Column("remind_on", Date, nullable=False, server_default="2000-01-01"),
    UniqueConstraint("lender_id", "external_ref"),
    Index(None, "borrower_id"),
    Index("ix_loans_reminding", "lender_id",
        "remind_on", postgresql_where=text(
        "case_id IS NULL AND state = 'active' AND next_due_on IS NOT NULL "
        "AND collection_ended_at IS NULL")),
    Index("ix_loans_falling_due", "lender_id",
        "next_due_on", postgresql_where=text(
        "case_id IS NULL AND state = 'active' AND next_due_on IS NOT NULL "
        "AND collection_ended_at IS NULL")),
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
    words("source"),  # lender | saldo | forgiven (no money came)
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

# What the lender's ledger said: sums over all instalments. Of a run of equal words the first and
# the last are kept. `paid_before_minor` stands on instalments that the word before did not list.
owed_words = tenant_table(
    "owed_words",
    key(),
    ref("loan_id", "loans"),
    moment("as_of"),
    moment("recorded_at"),
    minor("amount_minor"),
    minor("paid_minor"),
    minor("paid_before_minor", default=0),
    Index(None, "loan_id", "as_of"),
)

# A schedule that the lender's ledger replaced, as it stood when the newer one was written: what was
# due on a day before `until`. The columns are lists, an entry an instalment. At most one a day.
past_schedules = tenant_table(
    "past_schedules",
    key(),
    ref("loan_id", "loans"),
    moment("until"),
    # The money in it is what was booked until then.
    moment("recorded_at"),
    each("numbers", Integer),
    each("due_on", Date),
    each("amount_minor", BigInteger),
    each("paid_minor", BigInteger),
    Index(None, "loan_id", "until"),
    Index(None, "lender_id", "until"),
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
    # What was due when it opened, and for how many days: what entered collections, whatever the
    # loan's schedule becomes. NULL: nobody wrote it down.
    minor("entered_minor", optional=True),
    Column("entered_days", Integer, nullable=True),
    ref("strategy_version_id", "strategy_versions", optional=True),
    words("stage", default=""),
    # When the strategy has to look at this case again; NULL: not before something changes.
    moment("next_step_at", optional=True),
    # When the segments were last asked about it; NULL: not since it opened.
    moment("segmented_at", optional=True),
    Index("uq_cases_one_open", "loan_id", unique=True, postgresql_where=text("state <> 'closed'")),
    Index(None, "loan_id"),
    Index(None, "borrower_id"),
    Index(None, "lender_id", "opened_at"),
    one_of("close_reason", CaseClose),
    Index(
        "ix_cases_stepping",
        "next_step_at",
        postgresql_where=text("state = 'open' AND next_step_at IS NOT NULL"),
    ),
    Index(
        "ix_cases_segmenting",
        text("segmented_at NULLS FIRST"),
        postgresql_where=text("state <> 'closed'"),
    ),
)
