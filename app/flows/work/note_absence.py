"""Note days on which somebody does not work: what waits with him goes to others meanwhile."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import insert, select, update

from app.domain.desk_profile import check_leave
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import LenderId, UserId
from app.domain.roles import Act, may
from app.flows.house import House
from app.store import audit, users
from app.store.keys import new_id
from app.store.promises import zone_of_lender
from app.store.tables import absences


async def note_absence(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    user_id: UserId,
    starts_on: date | None,
    until_on: date | None,
    actor: str,
) -> UUID:
    """From the first to the last day (the lender's days) he gets no work.

    What is kept for him on its first day goes back to the board within a minute (give_back_tasks),
    and from there to whoever can and is there. Raises `NotFound`, and `Invalid` naming the field;
    `Conflict` when one of these days is noted already.
    """
    async with house.store.unit(lender_id) as unit:
        today = now.astimezone(await zone_of_lender(unit, lender_id)).date()
        first, last = check_leave(starts_on, until_on, today)
        person = (await users.by_id(unit, user_id)).person
        if person.disabled_at is not None or not may(person.role, Act.WORK_TASK):
            raise Invalid("person", "works no tasks.", mend="Choose somebody who does.")
        # One after another: two that overlap would both be the one that ends first.
        await users.lock(unit, user_id)
        if await unit.conn.scalar(
            select(absences.c.id)
            .where(
                absences.c.user_id == user_id,
                absences.c.called_off_at.is_(None),
                absences.c.starts_on <= last,
                absences.c.until_on >= first,
            )
            .limit(1)
        ):
            raise Conflict("Some of these days are noted already. Call the other leave off first.")
        absence_id = new_id()
        await unit.conn.execute(
            insert(absences).values(
                id=absence_id,
                lender_id=lender_id,
                user_id=user_id,
                starts_on=first,
                until_on=last,
                entered_by=actor,
                entered_at=now,
            )
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="note_absence",
            subject=str(user_id),
            after={"from": first.isoformat(), "until": last.isoformat()},
        )
    return absence_id


async def call_off_absence(
    house: House, now: datetime, *, lender_id: LenderId, absence_id: UUID, actor: str
) -> None:
    """He works after all, or is back early. Raises `NotFound` also for one that is called off."""
    async with house.store.unit(lender_id) as unit:
        row = (
            await unit.conn.execute(
                update(absences)
                .where(absences.c.id == absence_id, absences.c.called_off_at.is_(None))
                .values(called_off_at=now)
                .returning(absences.c.user_id, absences.c.starts_on, absences.c.until_on)
            )
        ).one_or_none()
        if row is None:
            raise NotFound("There is no such leave.")
        await audit.record(
            unit,
            now,
            actor=actor,
            act="call_off_absence",
            subject=str(row.user_id),
            before={"from": row.starts_on.isoformat(), "until": row.until_on.isoformat()},
        )
