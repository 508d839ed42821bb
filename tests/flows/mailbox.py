"""An e-mail waiting in the queue beside the text about the same money."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import insert, update

from app.store.borrowers import email_hash
from app.store.keys import new_id
from app.store.links import make_link
from app.store.tables import borrowers, messages
from tests.flows.street import PUBLIC, Neighbour, Street

ADDRESS = "ana@correo.example"
BODY = "Hola, Ana."


async def give_address(street: Street, who: Neighbour, address: str = ADDRESS) -> None:
    """From now on he has an e-mail address."""
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(
            update(borrowers)
            .where(borrowers.c.id == who.id)
            .values(
                email_enc=unit.seal("borrowers.email_enc", who.id, address),
                email_hash=email_hash(unit.vault, address),
            )
        )


async def queue_email(street: Street, who: Neighbour, signal_id: UUID) -> tuple[UUID, str]:
    """Queue one about the money that was seen; its id and the token of its link."""
    message_id = new_id()
    async with street.store.unit(street.lender_id) as unit:
        link = await make_link(
            unit, street.now, lender_id=street.lender_id, borrower_id=who.id,
            signal_id=signal_id, expires_at=street.now + timedelta(hours=24),
        )  # fmt: skip
        text = f"{BODY} {PUBLIC}/p/{link.token}"
        await unit.conn.execute(
            insert(messages).values(
                id=message_id, lender_id=street.lender_id, borrower_id=who.id, key=new_id(),
                channel="email", wording="click_and_pay/1", language="es", signal_id=signal_id,
                link_id=link.id, case_ids=who.cases,
                to_enc=unit.seal("messages.to_enc", message_id, "old@correo.example"),
                subject_enc=unit.seal("messages.subject_enc", message_id, "Un mensaje de Sol"),
                body_enc=unit.seal("messages.body_enc", message_id, text),
                marker_enc=unit.seal("messages.marker_enc", message_id, link.token),
                created_at=street.now, next_look_at=street.now,
            )
        )  # fmt: skip
    return message_id, link.token
