"""Agencies, and the cases that they work for a while."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text

from app.domain.placement import LARGEST_COMMISSION, PLACEMENT
from app.store.columns import (
    currency,
    flag,
    key,
    minor,
    moment,
    ref,
    small,
    state_of,
    tenant_table,
    words,
)

agencies = tenant_table(
    "agencies",
    key(),
    words("name"),
    words("contact"),  # whom the lender writes or calls there
    small("commission_basis_points", 0),  # its share of what comes in
    flag("active", default=True),  # False: it gets no new cases
    words("made_by"),
    moment("made_at"),
    UniqueConstraint("lender_id", "name"),
    CheckConstraint(
        f"commission_basis_points BETWEEN 0 AND {LARGEST_COMMISSION}", name="commission"
    ),
)

# A row is never taken away: a recall or an end is written to it, and to the timeline as a line of
# its own; the case placed again is another row.
placements = tenant_table(
    "placements",
    key(),
    ref("agency_id", "agencies"),
    ref("borrower_id", "borrowers"),
    ref("loan_id", "loans"),
    ref("case_id", "cases"),
    ref("approval_id", "approvals"),
    ref("hold_id", "holds"),
    state_of(PLACEMENT),
    minor("amount_minor"),  # all that was unpaid when it was placed
    currency(),
    small("commission_basis_points", 0),  # as agreed on that day
    words("placed_by"),
    moment("placed_at"),
    words("ended_by", optional=True),
    moment("ended_at", optional=True),
    words("ended_why", default=""),
    UniqueConstraint("lender_id", "approval_id"),
    Index("uq_placements_placed", "case_id", unique=True,
          postgresql_where=text("state = 'placed'")),
    Index(None, "agency_id"),
    Index(None, "loan_id"),
    Index(None, "lender_id", "placed_at"),
)  # fmt: skip
