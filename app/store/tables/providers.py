"""Providers that lenders have set up for themselves."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, text

from app.domain.provider_setup import SETUP, Slot
from app.store.columns import (
    count,
    key,
    moment,
    notes,
    one_of,
    sealed,
    state_of,
    tenant_table,
    words,
)

# A row is written once: other access data is another row, under the same name where it is of the
# same contract. What a row held is erased when it is closed; that it was there stays.
provider_setups = tenant_table(
    "provider_setups",
    key(),
    words("slot"),
    words("connector"),
    words("name"),  # what consents, payments and messages call it
    count("number", 1),  # of this name
    state_of(SETUP),
    sealed("settings_enc", optional=True),  # values and files
    notes("shown"),  # what the page may show of it: never a secret
    words("made_by"),
    moment("made_at"),
    moment("tested_at"),
    moment("in_force_at", optional=True),
    words("ended_by", default=""),
    moment("ended_at", optional=True),
    one_of("slot", Slot),
    CheckConstraint("(settings_enc IS NULL) = (state = 'closed')", name="erased"),
    Index("uq_provider_setups_in_force", "lender_id", "slot", unique=True,
          postgresql_where=text("state = 'in_force'")),
    Index("uq_provider_setups_proposed", "lender_id", "slot", unique=True,
          postgresql_where=text("state = 'proposed'")),
    # Names are never given twice, to whomever: each leads to one set of access data.
    Index("uq_provider_setups_name", "name", unique=True,
          postgresql_where=text("state IN ('in_force', 'retired')")),
    Index(None, "lender_id", "made_at"),
)  # fmt: skip
