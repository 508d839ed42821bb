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

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.ids import derive_key
from app.store.arrays import among
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


# ------------------------------------------------------------------ delivering


@dataclass(frozen=True, slots=True)
class Taken:
    """One row taken for one attempt. `attempts` counts this one."""

    id: UUID
    lender_id: UUID
    key: UUID
    kind: OutboxKind
    subject_id: UUID
    event: str
    payload: Mapping[str, Any]
    attempts: int
    created_at: datetime


async def lease(unit: Unit, real_now: datetime, until: datetime, most: int) -> list[UUID]:
    """Take what is due and lease it `until` then (real time), for a planner to queue as jobs."""
    taken = await unit.conn.scalars(
        select(outbox.c.id)
        # Written out, as the partial index has it.
        .where(text("state = 'due'"), outbox.c.next_try_at <= real_now)
        .order_by(outbox.c.next_try_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    ids = list(taken)
    if ids:
        await unit.conn.execute(
            update(outbox).where(among(outbox.c.id, ids)).values(next_try_at=until)
        )
    return ids


async def take(unit: Unit, row_id: UUID, next_try_at: datetime) -> Taken | None:
    """Take one row for an attempt, which is counted before it is made; None when it is done.

    `next_try_at` (real time) is when the next attempt comes if nothing is heard of this one.
    """
    row = (
        await unit.conn.execute(
            update(outbox)
            .where(outbox.c.id == row_id, outbox.c.state == OutboxState.DUE.value)
            .values(attempts=outbox.c.attempts + 1, next_try_at=next_try_at)
            .returning(outbox)
        )
    ).one_or_none()
    if row is None:
        return None
    return Taken(
        row.id,
        row.lender_id,
        row.key,
        OutboxKind(row.kind),
        row.subject_id,
        row.event,
        row.payload,
        row.attempts,
        row.created_at,
    )


async def finish(unit: Unit, now: datetime, row_id: UUID, state: OutboxState, error: str) -> None:
    """The row's end. `error` is a masked word, empty when all went well."""
    await unit.conn.execute(
        update(outbox)
        .where(outbox.c.id == row_id, outbox.c.state == OutboxState.DUE.value)
        .values(state=state.value, done_at=now, next_try_at=None, last_error=error)
    )


async def put_back(unit: Unit, row_id: UUID, next_try_at: datetime, error: str) -> None:
    """Not delivered: try again then (real time)."""
    await unit.conn.execute(
        update(outbox)
        .where(outbox.c.id == row_id, outbox.c.state == OutboxState.DUE.value)
        .values(next_try_at=next_try_at, last_error=error)
    )
