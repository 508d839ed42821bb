"""What makes a change of history show."""

from __future__ import annotations

from sqlalchemy import PrimaryKeyConstraint

from app.domain.stamp import History
from app.store.columns import count, digest, moment, one_of, tenant_table, words

# One for each stretch of a lender's timeline or audit, chained to the one before (see
# app/domain/stamp.py). Written by the engine alone, never changed.
stamps = tenant_table(
    "stamps",
    words("history"),
    count("number"),
    count("last_place"),
    count("lines"),
    moment("stamped_at"),  # business time
    digest("marks"),
    digest("lines_hash"),
    digest("hash"),
    digest("mac"),  # HMAC over `hash`, under the installation's hash key
    PrimaryKeyConstraint("lender_id", "history", "number"),
    one_of("history", History),
)
