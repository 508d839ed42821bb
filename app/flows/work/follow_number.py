"""What a call says about the number: it is his, it is somebody else's, or it is not sure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row

from app.domain.contact_detail import Detail
from app.flows.work.say_detail import confirm_number, say_detail
from app.store.contact_details import (
    address_of,
    change_borrower,
    change_detail,
    kept_number,
    put_detail,
    replaced_number,
    waiting_number,
)
from app.store.timeline import Kind
from app.store.unit import Unit


async def he_answered(
    unit: Unit, now: datetime, person: Row[Any], actor: str, *, new_number: bool
) -> None:
    """He was spoken with: a doubt about his number is over.

    One that the desk entered is confirmed by a call to it alone (`new_number`): he may have
    answered on the one before, or have called in.
    """
    if person.phone_doubted_at is None:
        return
    waiting = await waiting_number(unit, person)
    if waiting is None:
        await change_borrower(unit, person.id, phone_doubted_at=None)
    elif new_number:
        await confirm_number(unit, now, person, waiting, actor)


async def somebody_else_answered(
    unit: Unit, now: datetime, person: Row[Any], *, new_number: bool
) -> None:
    """On the number before, nothing more is to be doubted: the new one is not sure anyhow."""
    if new_number or await waiting_number(unit, person) is None:
        await change_borrower(unit, person.id, phone_doubted_at=now)


async def give_up_number(
    unit: Unit, now: datetime, person: Row[Any], actor: str, *, new_number: bool
) -> bool:
    """Whoever answers there must not be written to again. Is another number left?

    Where the new one waits to be confirmed and the call was not to it, the one before was wrong.
    Where the new one was wrong, a good one before it is his again.
    """
    waiting = await waiting_number(unit, person)
    before = None if waiting is None or new_number else await replaced_number(unit, person.id)
    if before is not None:
        await change_detail(unit, before.id, given_up_at=now, address_enc=None)
        return True
    kept = None if waiting is None else await kept_number(unit, person.id)
    if kept is None:
        await change_borrower(unit, person.id, phone_enc=None, phone_doubted_at=None)
        return False
    await put_detail(unit, person, Detail.PHONE, person.phone_hash, given_up_at=now)
    await _take_back(unit, now, person, kept, actor)
    return True


async def _take_back(
    unit: Unit, now: datetime, person: Row[Any], kept: Row[Any], actor: str
) -> None:
    number = address_of(unit, kept)
    await change_borrower(
        unit,
        person.id,
        phone_enc=unit.seal("borrowers.phone_enc", person.id, number, person.lender_id),
        phone_hash=kept.address_hash,
        phone_doubted_at=None,
    )
    await change_detail(unit, kept.id, address_enc=None, replaced_at=None)
    await say_detail(
        unit, now, person, Kind.DETAIL_CHANGED, Detail.PHONE, number, actor, tell=False,
        why="new_one_wrong",
    )  # fmt: skip
