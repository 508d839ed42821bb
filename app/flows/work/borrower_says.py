"""What a borrower tells us on the page behind his link. All of it takes pressure off, at once."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.errors import Invalid, NotAllowed
from app.domain.hold import HoldKind
from app.domain.message import CancelReason
from app.domain.open_hours import zone_of
from app.domain.task import TaskReason
from app.flows.actors import BORROWER
from app.flows.house import House
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.work.open_task import open_task
from app.flows.work.set_hold import set_hold
from app.flows.work.stop_pressure import stop_pressure
from app.store import timeline
from app.store.links import find_link, load_link, session_holds
from app.store.locks import lock_borrower
from app.store.tables import lenders
from app.store.timeline import Kind, Line
from app.store.unit import Unit

# Business time a person who cannot pay is left in peace, unless he names a day, and at most.
PAUSE: Final = timedelta(days=14)
LONGEST_PAUSE: Final = timedelta(days=60)


class Says(StrEnum):
    """wrong: this is not my debt, or not this much. cannot: I cannot pay now. paid: I have paid."""

    WRONG = "wrong"
    CANNOT = "cannot"
    PAID = "paid"


# The task that each of them becomes. While it waits, the page says that it was heard.
SAID_AS: Final = {
    Says.WRONG: TaskReason.BORROWER_DISPUTES,
    Says.CANNOT: TaskReason.BORROWER_CANNOT_PAY,
    Says.PAID: TaskReason.BORROWER_SAYS_PAID,
}


async def borrower_says(
    house: House,
    now: datetime,
    token: str,
    *,
    says: Says,
    session: str | None = None,
    until: date | None = None,
) -> None:
    """Write it down, stop what is queued, and put it before a person. Twice is harmless.

    `wrong` needs no check of the person: it may be said by somebody who is not him. `until` is
    the day on which one who cannot pay now expects to (at most 60 days ahead, in his own time).
    The link keeps working: whoever wants to pay may. Raises `NotFound`, `NotAllowed` without
    the check, `Invalid` for a day that is past or too far.
    """
    found = await find_link(house.store, token)
    async with house.store.unit(found.lender_id) as unit:
        person = await lock_borrower(unit, found.borrower_id)
        link = await load_link(unit, found.link_id)
        checked = await session_holds(unit, house.real_now(), link.id, session)
        if says is not Says.WRONG and not checked:
            raise NotAllowed("Please prove first that it is you.", code="CheckFirst")
        match says:
            case Says.WRONG:
                await _wrong(unit, now, person, link, checked=checked)
            case Says.CANNOT:
                ends_at = await _end(unit, now, person, until)
                await _cannot(unit, now, person, link, ends_at)
            case Says.PAID:
                await _paid(unit, now, person, link)


async def _wrong(
    unit: Unit, now: datetime, person: Row[Any], link: Row[Any], *, checked: bool
) -> None:
    """A dispute stops everything until it is looked into (12 CFR 1006.38; FCA CONC 7.14)."""
    situation = {"said": Says.WRONG.value, "checked": checked}
    if not await _said(unit, now, person, link, SAID_AS[Says.WRONG], situation):
        return
    await set_hold(
        unit,
        now,
        borrower_id=person.id,
        case_id=None,
        kind=HoldKind.DISPUTE,
        reason="The borrower says that this is wrong.",
        ends_at=None,
        set_by=BORROWER,
    )
    await tell_lender(
        unit,
        now,
        event=LenderEvent.DISPUTES,
        subject_id=link.id,
        ordinal=int(now.timestamp()),
        payload={
            "borrower_id": str(person.id),
            "external_ref": person.external_ref,
            "checked": checked,
            "at": now.isoformat(),
        },
    )


async def _cannot(
    unit: Unit, now: datetime, person: Row[Any], link: Row[Any], ends_at: datetime
) -> None:
    situation = {"said": Says.CANNOT.value, "pause_until": ends_at.isoformat()}
    if not await _said(unit, now, person, link, SAID_AS[Says.CANNOT], situation):
        return
    await set_hold(
        unit,
        now,
        borrower_id=person.id,
        case_id=None,
        kind=HoldKind.HARDSHIP,
        reason="The borrower says that he cannot pay now.",
        ends_at=ends_at,
        set_by=BORROWER,
    )


async def _paid(unit: Unit, now: datetime, person: Row[Any], link: Row[Any]) -> None:
    """Until somebody has looked, the open task keeps every machine quiet (PERSON_FIRST)."""
    situation = {"said": Says.PAID.value}
    if not await _said(unit, now, person, link, SAID_AS[Says.PAID], situation):
        return
    await stop_pressure(unit, now, borrower_id=person.id, case_ids=None, why=CancelReason.HOLD)


async def _said(
    unit: Unit,
    now: datetime,
    person: Row[Any],
    link: Row[Any],
    reason: TaskReason,
    situation: dict[str, Any],
) -> UUID | None:
    """The task and the line; None when he said the same before and it still waits."""
    task_id = await open_task(
        unit,
        now,
        borrower_id=person.id,
        reason=reason,
        # Said again after somebody has dealt with it, it is a new thing to deal with.
        cause=f"{link.id}|{now.isoformat()}",
        situation={**situation, "link_id": str(link.id)},
    )
    if task_id is not None:
        details = {**situation, "link_id": str(link.id)}
        await timeline.write(unit, now, [Line(person.id, Kind.BORROWER_SAID, BORROWER, details)])
    return task_id


async def _end(unit: Unit, now: datetime, person: Row[Any], until: date | None) -> datetime:
    """The end of the pause: noon of the day he named, by his own clock."""
    if until is None:
        return now + PAUSE
    lender_zone = await unit.conn.scalar(
        select(lenders.c.time_zone).where(lenders.c.id == person.lender_id)
    )
    zone = zone_of(person.time_zone or str(lender_zone))
    end = datetime.combine(until, time(12), zone)
    if until <= now.astimezone(zone).date() or end > now + LONGEST_PAUSE:
        raise Invalid("until", "must be a day from tomorrow on, at most 60 days ahead.")
    return end
