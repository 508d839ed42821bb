"""Webhooks as they came in: stored once, acted on later. All times are real time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.ids import Phone, Secret
from app.ports import DeliveryState, InboundEvent, InboundKind, SendReceipt
from app.store.arrays import among
from app.store.keys import new_id
from app.store.tables import inbox
from app.store.unit import Unit

_PLACE: Final = "inbox.payload_enc"


@dataclass(frozen=True, slots=True)
class Waiting:
    """One stored webhook that nobody has acted on."""

    id: UUID
    source: str
    event: InboundEvent
    received_at: datetime


async def store(
    unit: Unit, real_now: datetime, source: str, event: InboundEvent, raw: bytes
) -> UUID | None:
    """Keep a verified webhook with its raw body; None when the same event is here already."""
    row_id = new_id()
    payload = json.dumps(
        {
            "message_ref": event.message_ref,
            "sender": event.sender.reveal() if event.sender else None,
            "text": event.text,
            "stop": event.stop,
            "receipt": _receipt_notes(event.receipt),
            "payment_ref": event.payment_ref.reveal() if event.payment_ref else None,
            "consent_key": str(event.consent_key) if event.consent_key else None,
            "raw": raw.decode("utf-8", "replace"),
        }
    )
    made = await unit.conn.execute(
        insert(inbox)
        .values(
            id=row_id,
            source=source,
            event_id=event.event_id,
            kind=event.kind.value,
            payload_enc=unit.vault.seal(None, _PLACE, row_id, payload),
            received_at=real_now,
        )
        .on_conflict_do_nothing(index_elements=["source", "event_id"])
        .returning(inbox.c.id)
    )
    return row_id if made.first() is not None else None


async def waiting(unit: Unit, ids: Sequence[UUID]) -> list[Waiting]:
    """Those of the events that nobody has acted on, oldest first."""
    rows = await unit.conn.execute(
        select(inbox)
        .where(among(inbox.c.id, ids), inbox.c.handled_at.is_(None))
        .order_by(inbox.c.received_at, inbox.c.id)
    )
    return [_opened(unit, row) for row in rows]


async def raw_of(unit: Unit, source: str, event_id: str) -> bytes | None:
    """The body that came with an event, whether anybody has acted on it or not."""
    found = await unit.conn.execute(
        select(inbox.c.id, inbox.c.payload_enc).where(
            inbox.c.source == source, inbox.c.event_id == event_id
        )
    )
    row = found.first()
    if row is None:
        return None
    payload = json.loads(unit.vault.open(_PLACE, row.id, row.payload_enc))
    return str(payload["raw"]).encode()


async def left_behind(unit: Unit, before: datetime, most: int) -> list[UUID]:
    """Events that came before then (real time) and wait still."""
    found = await unit.conn.scalars(
        select(inbox.c.id)
        .where(inbox.c.handled_at.is_(None), inbox.c.received_at <= before)
        .order_by(inbox.c.received_at)
        .limit(most)
    )
    return list(found)


async def mark_handled(unit: Unit, real_now: datetime, row_id: UUID, result: str) -> bool:
    """Note that the event was acted on; False when somebody else did so before."""
    done = await unit.conn.execute(
        update(inbox)
        .where(inbox.c.id == row_id, inbox.c.handled_at.is_(None))
        .values(handled_at=real_now, result=result)
    )
    return bool(done.rowcount)


def _opened(unit: Unit, row: Row[Any]) -> Waiting:
    payload = json.loads(unit.vault.open(_PLACE, row.id, row.payload_enc))
    sender = payload["sender"]
    payment_ref, consent_key = payload.get("payment_ref"), payload.get("consent_key")
    event = InboundEvent(
        event_id=row.event_id,
        kind=InboundKind(row.kind),
        message_ref=payload["message_ref"],
        sender=Phone(sender) if sender else None,
        text=payload["text"],
        stop=payload["stop"],
        receipt=_receipt(payload.get("receipt")),
        payment_ref=Secret(payment_ref) if payment_ref else None,
        consent_key=UUID(consent_key) if consent_key else None,
    )
    return Waiting(row.id, row.source, event, row.received_at)


def _receipt_notes(receipt: SendReceipt | None) -> dict[str, Any] | None:
    if receipt is None:
        return None
    return {
        "ref": receipt.ref,
        "state": receipt.state.value,
        "reason": receipt.reason,
        "permanent": receipt.permanent,
    }


def _receipt(notes: dict[str, Any] | None) -> SendReceipt | None:
    if notes is None:
        return None
    return SendReceipt(
        notes["ref"],
        DeliveryState(notes["state"]),
        reason=notes["reason"],
        permanent=notes["permanent"],
    )
