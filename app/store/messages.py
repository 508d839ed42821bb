"""Messages as rows, and how they travel to a provider."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.errors import NotFound
from app.domain.ids import EmailAddress, Phone
from app.ports import OutgoingEmail, OutgoingSms
from app.store.arrays import among
from app.store.locks import lock_borrower
from app.store.tables import messages
from app.store.unit import Unit


async def lenders_of(unit: Unit, message_ids: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """(message, lender) of each message that exists; for jobs, which carry ids alone."""
    rows = await unit.conn.execute(
        select(messages.c.id, messages.c.lender_id).where(among(messages.c.id, message_ids))
    )
    return [(row.id, row.lender_id) for row in rows]


async def lock_message(unit: Unit, message_id: UUID) -> Row[Any]:
    """Lock the message's borrower, then the message, and return it. Raises `NotFound`."""
    owner = await unit.conn.scalar(
        select(messages.c.borrower_id).where(messages.c.id == message_id)
    )
    if owner is None:
        raise NotFound("There is no such message.")
    await lock_borrower(unit, owner)
    return (
        await unit.conn.execute(
            select(messages).where(messages.c.id == message_id).with_for_update(key_share=True)
        )
    ).one()


async def find_by_ref(unit: Unit, connector: str, provider_ref: str) -> tuple[UUID, UUID] | None:
    """(message, lender) of what the provider calls so."""
    row = (
        await unit.conn.execute(
            select(messages.c.id, messages.c.lender_id)
            .where(messages.c.connector == connector, messages.c.provider_ref == provider_ref)
            .limit(1)
        )
    ).one_or_none()
    return None if row is None else (row.id, row.lender_id)


def outgoing(
    unit: Unit,
    message: Row[Any],
    *,
    valid_seconds: int,
    status_url: str,
    sent_after: datetime | None,
) -> OutgoingSms:
    """What goes to the provider, opened from the row."""
    return OutgoingSms(
        key=message.key,
        to=Phone(unit.open("messages.to_enc", message.id, message.to_enc)),
        body=unit.open("messages.body_enc", message.id, message.body_enc),
        marker=unit.open("messages.marker_enc", message.id, message.marker_enc),
        valid_seconds=valid_seconds,
        status_url=status_url,
        sent_after=sent_after,
    )


def outgoing_email(
    unit: Unit, message: Row[Any], *, to: EmailAddress, sender_name: str, stop_url: str
) -> OutgoingEmail:
    """The same for an e-mail, to the address he has now."""
    subject = ""
    if message.subject_enc is not None:
        subject = unit.open("messages.subject_enc", message.id, message.subject_enc)
    return OutgoingEmail(
        key=message.key,
        to=to,
        subject=subject,
        body=unit.open("messages.body_enc", message.id, message.body_enc),
        language=message.language,
        sender_name=sender_name,
        stop_url=stop_url,
    )
