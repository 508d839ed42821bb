"""What waits to leave the house: lender webhooks, revocations and cancellations at banks.

A row is written in the transaction of its cause, under a key derived from it, so the same cause
cannot be queued twice. `next_try_at` is real time: transport has nothing to do with business time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from app.domain.ids import derive_key
from app.store.keys import new_id
from app.store.tables import outbox
from app.store.unit import Unit

# A new row is due at the next tick, whatever clock the tick looks at.
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)


class OutboxKind(StrEnum):
    """What a row does when it is delivered."""

    LENDER_WEBHOOK = "lender_webhook"
    REVOKE_CONSENT = "revoke_consent"
    CANCEL_PAYMENT = "cancel_payment"


class OutboxState(StrEnum):
    """`dead`: given up after the last try; `saldo doctor` shows these."""

    DUE = "due"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One effect to be had outside, once, of one cause (`subject_id`, `event`, `ordinal`)."""

    kind: OutboxKind
    lender_id: UUID
    subject_id: UUID
    event: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    ordinal: int = 0

    @property
    def key(self) -> UUID:
        """The derived key; for a webhook also the id under which the lender may drop repeats."""
        return derive_key(self.subject_id, f"{self.kind}:{self.event}", self.ordinal)


async def queue(unit: Unit, now: datetime, outgoing: Sequence[Outgoing]) -> int:
    """Queue for the next tick. What was queued before under the same key stays as it is.

    Returns how many rows are new.
    """
    if not outgoing:
        return 0
    result = await unit.conn.execute(
        insert(outbox)
        .values(
            [
                {
                    "id": new_id(),
                    "lender_id": one.lender_id,
                    "key": one.key,
                    "kind": one.kind.value,
                    "subject_id": one.subject_id,
                    "event": one.event,
                    "payload": dict(one.payload),
                    "state": OutboxState.DUE.value,
                    "next_try_at": AT_ONCE,
                    "created_at": now,
                }
                for one in outgoing
            ]
        )
        .on_conflict_do_nothing(index_elements=["lender_id", "key"])
        .returning(outbox.c.id)
    )
    return len(result.all())
