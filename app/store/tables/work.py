"""People's work, the brakes, and what happened."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)

from app.domain.task import TASK, TaskOutcome, TaskReason
from app.domain.undone import Ordered
from app.store.columns import (
    currency,
    flag,
    key,
    minor,
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
    # What the rules of assignment ask about, as it was when the task came in.
    words("about_language", default=""),
    words("about_product", default=""),
    minor("about_minor", optional=True),
    currency("about_currency", optional=True),
    # Set while it is with `given_to` by the lender's rules: since when, and why him.
    moment("assigned_at", optional=True),
    notes("assigned_because", optional=True),
    # Business time before which the rules leave it on the board; NULL: looked at at once.
    moment("assign_after", optional=True),
    moment("ended_at", optional=True),
    words("outcome", optional=True),
    words("note", default=""),
    words("cancel_reason", optional=True),
    UniqueConstraint("lender_id", "key"),
    one_of("reason", TaskReason),
    one_of("outcome", TaskOutcome),
    CheckConstraint("assigned_at IS NULL OR given_to IS NOT NULL", name="assigned"),
    Index(None, "lender_id", "id"),
    Index(None, "case_id"),
    Index(None, "borrower_id"),
    Index("ix_tasks_taken", "borrower_id", "taken_by",
          postgresql_where=text("state = 'taken'")),
    Index("ix_tasks_in_hand", "lender_id", "taken_by",
          postgresql_where=text("state = 'taken'")),
    Index("ix_tasks_given", "lender_id", "given_to",
          postgresql_where=text("state = 'open' AND given_to IS NOT NULL")),
    Index("ix_tasks_board", "lender_id", "priority", "created_at", postgresql_where=text(
        "state IN ('open', 'taken')")),
)  # fmt: skip

# Which work needs a skill, and whether tasks are given to people by themselves. One row a lender.
assignment_rules = tenant_table(
    "assignment_rules",
    flag("active"),
    names("languages"),
    names("products"),
    names("kinds"),
    notes("large_from"),  # minor units by currency
    moment("changed_at"),
    words("changed_by"),
    PrimaryKeyConstraint("lender_id"),
)

# What somebody who works tasks can do, when he works, and how much at most.
desk_profiles = tenant_table(
    "desk_profiles",
    ref("user_id", "users"),
    names("languages"),
    names("products"),
    names("kinds"),
    flag("large"),
    words("time_zone"),
    names("hours"),  # Monday to Sunday, each like "09:00-13:00, 15:00-18:00"
    small("cap", 30),
    moment("changed_at"),
    PrimaryKeyConstraint("user_id"),
    CheckConstraint("cap > 0", name="cap"),
    CheckConstraint("cardinality(hours) = 7", name="hours"),
)

# Days on which somebody does not work. Why is nobody's business here.
absences = tenant_table(
    "absences",
    key(),
    ref("user_id", "users"),
    Column("starts_on", Date, nullable=False),
    Column("until_on", Date, nullable=False),  # the last day, in the lender's zone
    words("entered_by"),
    moment("entered_at"),
    moment("called_off_at", optional=True),
    CheckConstraint("until_on >= starts_on", name="days"),
    Index(None, "user_id", "until_on"),
)

# What a strategy ordered and nobody did, told to whoever has the case on the next working day.
undone_acts = tenant_table(
    "undone_acts",
    uid("step_id"),  # told once
    Column("told_on", Date, nullable=False),
    ref("user_id", "users", optional=True),  # NULL: nobody has the case
    ref("borrower_id", "borrowers"),
    ref("case_id", "cases"),
    words("act"),  # Ordered of app/domain/undone.py
    words("why"),
    PrimaryKeyConstraint("lender_id", "step_id"),
    one_of("act", Ordered),
    Index(None, "lender_id", "told_on", "user_id"),
)

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
