"""Say of a borrower's number or address that it was entered, confirmed or changed: masked, always.

The lender's record is the master, so his system hears of what it did not say itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from app.domain.contact_detail import Detail
from app.domain.ids import EmailAddress, Phone
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.store import timeline
from app.store.contact_details import change_borrower, change_detail, forget_others
from app.store.keys import new_id
from app.store.strategies import wake_cases
from app.store.timeline import Kind, Line
from app.store.unit import Unit

_EVENTS: Final = {
    Kind.DETAIL_ENTERED: LenderEvent.CONTACT_ENTERED,
    Kind.DETAIL_CONFIRMED: LenderEvent.CONTACT_CONFIRMED,
}


async def confirm_number(
    unit: Unit, now: datetime, person: Row[Any], known: Row[Any], actor: str
) -> None:
    """He himself answered there: from now on he is written to at it. The caller has locked him."""
    await change_borrower(unit, person.id, phone_doubted_at=None)
    await change_detail(unit, known.id, confirmed_at=now)
    await forget_others(unit, person.id, Detail.PHONE, person.phone_hash)
    number = unit.open("borrowers.phone_enc", person.id, person.phone_enc)
    await say_detail(
        unit, now, person, Kind.DETAIL_CONFIRMED, Detail.PHONE, number, actor, by="call"
    )
    await wake_cases(unit, now, borrower_id=person.id)


async def say_detail(
    unit: Unit,
    now: datetime,
    person: Row[Any],
    kind: Kind,
    detail: Detail,
    address: str,
    actor: str,
    *,
    tell: bool = True,
    **more: str,
) -> None:
    """One line of the timeline, and one word to the lender's system where `tell` says so."""
    shown = masked(detail, address)
    about = {"detail": detail.value, "shown": shown, **more}
    await timeline.write(unit, now, [Line(person.id, kind, actor, about)])
    if tell:
        await _tell(unit, now, person, _EVENTS[kind], detail, shown)


async def _tell(
    unit: Unit, now: datetime, person: Row[Any], event: LenderEvent, detail: Detail, shown: str
) -> None:
    subject_id: UUID = new_id()  # the same number may be entered again: each time is an event
    await tell_lender(
        unit,
        now,
        event=event,
        subject_id=subject_id,
        payload={
            "borrower_id": str(person.id),
            "external_ref": person.external_ref,
            "detail": detail.value,
            "shown": shown,
            "at": now.isoformat(),
        },
        lender_id=person.lender_id,
    )


def masked(detail: Detail, address: str) -> str:
    """As it may stand in a timeline or a webhook."""
    kind = Phone if detail is Detail.PHONE else EmailAddress
    return kind(address).masked
