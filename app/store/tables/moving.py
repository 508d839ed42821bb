"""Moves of running cases between strategies, kept so that they can be taken back."""

from __future__ import annotations

from sqlalchemy import Index, PrimaryKeyConstraint

from app.store.columns import key, moment, ref, tenant_table, words

# One decision of one person: which cases went to this version, and why.
case_moves = tenant_table(
    "case_moves",
    key(),
    ref("version_id", "strategy_versions"),
    words("reason"),
    words("made_by"),
    moment("made_at"),
    Index(None, "version_id", "made_at"),
)

# Each case of a move, with what it followed before.
moved_cases = tenant_table(
    "moved_cases",
    ref("move_id", "case_moves"),
    ref("case_id", "cases"),
    ref("before_id", "strategy_versions", optional=True),  # NULL: it followed none
    moment("moved_at"),
    moment("back_at", optional=True),
    words("stayed", default=""),  # why it was not moved back when that was asked for
    PrimaryKeyConstraint("move_id", "case_id"),
    Index(None, "case_id"),
)
