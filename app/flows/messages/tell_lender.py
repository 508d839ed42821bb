"""Queue a signed webhook to the lender's system, in the transaction of its cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.store.outbox import OutboxKind, Outgoing, queue
from app.store.tables import lenders
from app.store.unit import Unit


class LenderEvent(StrEnum):
    """Everything a lender's system can be told. Part of the public API: words never change."""

    CASE_OPENED = "case.opened"
    CASE_CLOSED = "case.closed"
    CONSENT_ACTIVE = "consent.active"
    CONSENT_ENDED = "consent.ended"
    CONSENT_REFUSED = "consent.refused"
    SIGNAL_RAISED = "signal.raised"
    PAYMENT_AUTHORISED = "payment.authorised"
    PAYMENT_SETTLED = "payment.settled"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_RETURNED = "payment.returned"
    TASK_OPENED = "task.opened"
    BALANCE_REQUESTED = "loan.balance_requested"
    OPTED_OUT = "borrower.opted_out"
    DISPUTES = "borrower.disputes"
    CONTACT_ENTERED = "borrower.contact_entered"
    CONTACT_CONFIRMED = "borrower.contact_confirmed"
    HOLD_SET = "hold.set"
    HOLD_CHANGED = "hold.changed"
    APPROVAL_DECIDED = "approval.decided"
    WRITTEN_OFF = "loan.written_off"
    REINSTATED = "loan.reinstated"
    PROMISE_MADE = "promise.made"
    PROMISE_CHANGED = "promise.changed"
    PUSH_REQUESTED = "message.push_requested"
    CASE_PLACED = "case.placed"
    CASE_RECALLED = "case.recalled"
    PLACEMENT_ENDED = "placement.ended"


@dataclass(frozen=True, slots=True)
class Told:
    """One event for one lender. `ordinal` tells repeats of the same event of a subject apart."""

    event: str
    subject_id: UUID
    payload: Mapping[str, Any]
    ordinal: int = 0
    lender_id: UUID | None = None


async def tell_lender(
    unit: Unit,
    now: datetime,
    *,
    event: str,
    subject_id: UUID,
    payload: Mapping[str, Any],
    ordinal: int = 0,
    lender_id: UUID | None = None,
) -> None:
    """Queue one event; nothing happens for a lender without a webhook address.

    The payload is plain JSON: ids as strings, times ISO 8601, amounts `{"minor", "currency"}`;
    never a balance figure. The same subject, event and ordinal are queued once, whatever calls
    twice. An engine unit names the lender.
    """
    await tell_lenders(unit, now, [Told(event, subject_id, payload, ordinal, lender_id)])


async def tell_lenders(unit: Unit, now: datetime, told: Sequence[Told]) -> int:
    """The same for a batch, in two statements. Returns how many were newly queued."""
    if not told:
        return 0
    wanted = {one.lender_id or unit.lender_id for one in told}
    rows = await unit.conn.execute(
        select(lenders.c.id).where(lenders.c.id.in_(wanted), lenders.c.webhook_url != "")
    )
    listening = {row.id for row in rows}
    return await queue(
        unit,
        now,
        [
            Outgoing(
                kind=OutboxKind.LENDER_WEBHOOK,
                lender_id=one.lender_id or unit.lender_id,
                subject_id=one.subject_id,
                event=LenderEvent(one.event).value,
                payload=one.payload,
                ordinal=one.ordinal,
            )
            for one in told
            if (one.lender_id or unit.lender_id) in listening
        ],
    )
