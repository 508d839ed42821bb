"""What the desk entered about how a borrower is reached, and nobody has confirmed yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.ids import EmailAddress
from app.store.contact_details import address_of, waiting_address, waiting_number
from app.store.tables import borrowers, users
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class EnteredBy:
    """Who entered it, and when (business time)."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NewContacts:
    """None: nothing waits. The number is the one in use; the address is in no use yet."""

    number: EnteredBy | None = None
    email: EmailAddress | None = None
    email_by: EnteredBy | None = None


async def new_contacts(unit: Unit, borrower_id: UUID) -> NewContacts:
    """Read it for one borrower. Changes nothing."""
    person = (await unit.conn.execute(select(borrowers).where(borrowers.c.id == borrower_id))).one()
    number = await waiting_number(unit, person)
    address = await waiting_address(unit, borrower_id)
    return NewContacts(
        number=None if number is None else await _by(unit, number),
        email=None if address is None else EmailAddress(address_of(unit, address)),
        email_by=None if address is None else await _by(unit, address),
    )


async def _by(unit: Unit, known: Row[Any]) -> EnteredBy:
    name = await unit.conn.scalar(select(users.c.name).where(users.c.id == known.entered_by))
    return EnteredBy(str(name or ""), known.entered_at)
