"""People's work, the brakes, and what happened."""

from __future__ import annotations

from sqlalchemy import (
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)

from app.domain.task import TASK, TaskOutcome, TaskReason
from app.store.columns import (
    flag,
    key,
    moment,
    names,
    notes,
    one_of,
    place,
    ref,
    small,
    state_of,
    tenant_table,
    uid,
    words,
)

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
    moment("leased_until", optional=True),  # real time
    # Business time before which it does not stand on the board; NULL: at once.
    moment("not_before", optional=True),
    ref("given_to", "users", optional=True),  # handed over or meant for one person
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
    Index("ix_tasks_taken", "borrower_id", "taken_by",
          postgresql_where=text("state = 'taken'")),
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
    moment("starts_at"),  # may lie before `recorded_at`: staff learn late
    moment("ends_at", optional=True),
    names("blocks"),  # HoldBlocks; {} means everything but his own payment
    moment("recorded_at"),
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
    place(),
    Index(None, "borrower_id", "at"),
    UniqueConstraint("lender_id", "place"),
    # How a case stood on a past day (app/reports/flag_results.py).
    Index("ix_timeline_case_ends", "case_id", "at",
          postgresql_where=text("kind IN ('case_closed', 'case_reopened')")),
)  # fmt: skip

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
    place(),
    Index(None, "lender_id", "at"),
    UniqueConstraint("lender_id", "place"),
)
