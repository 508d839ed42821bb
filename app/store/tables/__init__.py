"""Every table. Times are business time unless the comment says real time (see app/clock.py).

Rows of one lender are fenced in by row-level security (app/store/security.py). Unique keys
that a lender could run into begin with `lender_id`.
"""

from __future__ import annotations

from app.store.tables.collections import (
    adjustments,
    agent_reminders,
    approvals,
    bulk_files,
    bulk_rows,
    case_arms,
    case_flags,
    experiments,
    pack_editions,
    promise_parts,
    promises,
    segments,
    strategies,
    strategy_choices,
    strategy_steps,
    strategy_versions,
    templates,
)
from app.store.tables.consent import (
    accounts,
    consent_choices,
    consent_requests,
    consents,
    funds_signals,
    read_attempts,
    readings,
    signal_cases,
)
from app.store.tables.contact import (
    contacts,
    link_sessions,
    messages,
    payment_cases,
    payment_links,
    payments,
)
from app.store.tables.engine import bank_health, inbox, outbox, slots
from app.store.tables.lending import cases, instalments, loans, owed_words, repayments
from app.store.tables.people import (
    api_keys,
    borrowers,
    data_keys,
    idempotency_keys,
    lenders,
    opt_outs,
    sessions,
    users,
)
from app.store.tables.placing import agencies, placements
from app.store.tables.work import audit, holds, stop_switches, tasks, timeline

__all__ = [
    "accounts",
    "adjustments",
    "agencies",
    "agent_reminders",
    "api_keys",
    "approvals",
    "audit",
    "bank_health",
    "borrowers",
    "bulk_files",
    "bulk_rows",
    "case_arms",
    "case_flags",
    "cases",
    "consent_choices",
    "consent_requests",
    "consents",
    "contacts",
    "data_keys",
    "experiments",
    "funds_signals",
    "holds",
    "idempotency_keys",
    "inbox",
    "instalments",
    "lenders",
    "link_sessions",
    "loans",
    "messages",
    "opt_outs",
    "outbox",
    "owed_words",
    "pack_editions",
    "payment_cases",
    "payment_links",
    "payments",
    "placements",
    "promise_parts",
    "promises",
    "read_attempts",
    "readings",
    "repayments",
    "segments",
    "sessions",
    "signal_cases",
    "slots",
    "stop_switches",
    "strategies",
    "strategy_choices",
    "strategy_steps",
    "strategy_versions",
    "tasks",
    "templates",
    "timeline",
    "users",
]
