"""Numbers and addresses that people at the desk entered, and the numbers that stood before them.

A number that is in use stands in the borrower's row, as ever: a row here says that it was entered
at the desk. An e-mail address that was entered stands here alone until it is confirmed.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update

from app.domain.contact_detail import Detail, Standing
from app.store.keys import new_id
from app.store.tables import borrowers, contact_details
from app.store.unit import Unit

_PLACE = "contact_details.address_enc"


async def known_detail(
    unit: Unit, borrower_id: UUID, detail: Detail, address_hash: bytes
) -> Row[Any] | None:
    """What is kept of this number or address of his; None: nothing."""
    return (
        await unit.conn.execute(
            select(contact_details).where(
                contact_details.c.borrower_id == borrower_id,
                contact_details.c.detail == detail.value,
                contact_details.c.address_hash == address_hash,
            )
        )
    ).one_or_none()


def standing_of(
    person: Row[Any], detail: Detail, address_hash: bytes, known: Row[Any] | None
) -> Standing:
    """How it stands with the borrower whose row, with both columns of the detail, this is."""
    current = getattr(person, f"{detail.value}_hash") == address_hash
    reached = getattr(person, f"{detail.value}_enc") is not None
    if known is None:
        return Standing(current, reached)
    entered = known.entered_at is not None and known.confirmed_at is None
    # A number waits in the row itself, an address beside it.
    waits = entered and (current if detail is Detail.PHONE else known.address_enc is not None)
    return Standing(
        current,
        reached,
        waits=waits,
        replaced=known.replaced_at is not None,
        given_up=known.given_up_at is not None,
    )


async def waiting_number(unit: Unit, person: Row[Any]) -> Row[Any] | None:
    """What is kept of the number in his row, if the desk entered it and nobody has confirmed it."""
    if person.phone_enc is None or person.phone_doubted_at is None:
        return None
    known = await known_detail(unit, person.id, Detail.PHONE, person.phone_hash)
    standing = standing_of(person, Detail.PHONE, person.phone_hash, known)
    return known if standing.waits else None


async def waiting_address(unit: Unit, borrower_id: UUID) -> Row[Any] | None:
    """The e-mail address that was entered last and waits to be confirmed."""
    return (
        await unit.conn.execute(
            select(contact_details)
            .where(
                contact_details.c.borrower_id == borrower_id,
                contact_details.c.detail == Detail.EMAIL.value,
                contact_details.c.confirmed_at.is_(None),
                contact_details.c.address_enc.is_not(None),
            )
            .order_by(contact_details.c.entered_at.desc())
            .limit(1)
        )
    ).one_or_none()


async def replaced_number(unit: Unit, borrower_id: UUID) -> Row[Any] | None:
    """The number that the desk put another in the place of, last of all; none given up."""
    return (
        await unit.conn.execute(
            select(contact_details)
            .where(
                contact_details.c.borrower_id == borrower_id,
                contact_details.c.detail == Detail.PHONE.value,
                contact_details.c.replaced_at.is_not(None),
                contact_details.c.given_up_at.is_(None),
            )
            .order_by(contact_details.c.replaced_at.desc())
            .limit(1)
        )
    ).one_or_none()


async def kept_number(unit: Unit, borrower_id: UUID) -> Row[Any] | None:
    """The good number that comes back if the one that the desk entered is wrong."""
    return (
        await unit.conn.execute(
            select(contact_details).where(
                contact_details.c.borrower_id == borrower_id,
                contact_details.c.detail == Detail.PHONE.value,
                contact_details.c.address_enc.is_not(None),
            )
        )
    ).one_or_none()


async def put_detail(
    unit: Unit,
    person: Row[Any],
    detail: Detail,
    address_hash: bytes,
    *,
    address: str | None = None,
    **moments: Any,
) -> None:
    """Write it down, or write over what is kept; the caller holds the borrower's lock.

    `address` is sealed; without it none is kept. `moments` are columns of the table.
    """
    known = await known_detail(unit, person.id, detail, address_hash)
    row_id = new_id() if known is None else known.id
    sealed = None if address is None else unit.seal(_PLACE, row_id, address, person.lender_id)
    if known is not None:
        await change_detail(unit, row_id, address_enc=sealed, **moments)
        return
    await unit.conn.execute(
        insert(contact_details).values(
            id=row_id,
            lender_id=person.lender_id,
            borrower_id=person.id,
            detail=detail.value,
            address_hash=address_hash,
            address_enc=sealed,
            **moments,
        )
    )


async def change_detail(unit: Unit, row_id: UUID, **columns: Any) -> None:
    """Change one row."""
    await unit.conn.execute(
        update(contact_details).where(contact_details.c.id == row_id).values(**columns)
    )


async def forget_others(
    unit: Unit, borrower_id: UUID, detail: Detail, kept: bytes, *, stated: bool = False
) -> None:
    """Nothing but `kept` waits any more, and no other is kept to come back.

    `stated`: the lender said `kept`, so one that he had before is news again when he says it.
    What is given up stays so.
    """
    columns = {"address_enc": None, "replaced_at": None} if stated else {"address_enc": None}
    await unit.conn.execute(
        update(contact_details)
        .where(
            contact_details.c.borrower_id == borrower_id,
            contact_details.c.detail == detail.value,
            contact_details.c.address_hash != kept,
        )
        .values(columns)
    )


def address_of(unit: Unit, known: Row[Any]) -> str:
    """The number or address that is kept sealed."""
    return unit.open(_PLACE, known.id, known.address_enc)


async def change_borrower(unit: Unit, borrower_id: UUID, **columns: Any) -> None:
    """Change the borrower's row."""
    await unit.conn.execute(
        update(borrowers).where(borrowers.c.id == borrower_id).values(**columns)
    )
