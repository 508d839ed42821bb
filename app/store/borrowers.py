"""Borrowers as rows: how what identifies a person is kept."""

from __future__ import annotations

import re
from datetime import date
from uuid import UUID

from sqlalchemy import select

from app.domain.errors import Invalid, NotFound
from app.domain.ids import Phone
from app.store.tables import borrowers
from app.store.unit import Unit
from app.store.vault import Vault

# Purposes of the keyed hashes.
PHONE_HASH = "phone"
_EMAIL_HASH = "email"
_BIRTH_DATE_HASH = "birth_date"
_DOCUMENT_HASH = "document"


def phone_hash(vault: Vault, phone: Phone) -> bytes:
    """The same for every lender: an opt-out word comes with nothing but a number."""
    return vault.digest(PHONE_HASH, phone.reveal())


def email_hash(vault: Vault, address: str) -> bytes:
    """The same for every lender, like a number's; letters count alike, large or small."""
    return vault.digest(_EMAIL_HASH, address.casefold())


def birth_date_hash(vault: Vault, borrower_id: UUID, born_on: date) -> bytes:
    """Bound to the borrower: equal dates of two people do not show as equal hashes."""
    return vault.digest(_BIRTH_DATE_HASH, f"{borrower_id}|{born_on.isoformat()}")


def document_hash(vault: Vault, borrower_id: UUID, last_four: str) -> bytes:
    """Bound to the borrower; case and spaces do not count."""
    return vault.digest(_DOCUMENT_HASH, f"{borrower_id}|{document_tail(last_four)}")


def document_tail(typed: str) -> str:
    """The last four letters or digits of an identity document, in capitals. Raises `Invalid`."""
    bare = re.sub(r"[\s.-]", "", typed).upper()
    if not re.fullmatch(r"[0-9A-Z]{4}", bare, re.ASCII):
        raise Invalid(
            "document_last4", "must be four letters or digits.", mend='Write it like "678Z".'
        )
    return bare


async def find_borrower(unit: Unit, external_ref: str) -> UUID:
    """The borrower that the unit's lender calls so. Raises `NotFound`."""
    found = await unit.conn.scalar(
        select(borrowers.c.id).where(
            borrowers.c.lender_id == unit.lender_id, borrowers.c.external_ref == external_ref
        )
    )
    if found is None:
        raise NotFound("There is no such borrower.")
    return UUID(str(found))
