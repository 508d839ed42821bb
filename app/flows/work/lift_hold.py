"""End a hold: at once, or thirty days after a crisis. Steps of their callers' units."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, select, update

from app.domain.errors import Conflict, Invalid, NotAllowed
from app.domain.hold import HoldKind, crisis_ends, lifters, may_lift
from app.domain.roles import Role
from app.domain.task import TaskReason
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.work.cancel_tasks import cancel_tasks
from app.flows.work.set_hold import end_hold, lock_hold, look_again
from app.store import timeline
from app.store.tables import borrowers, holds, lenders
from app.store.timeline import Kind, Line
from app.store.unit import Unit

LONGEST_REASON: Final = 500


async def lift_hold(
    unit: Unit, now: datetime, *, hold_id: UUID, lifted_by: str, role: Role, reason: str = ""
) -> None:
    """End a hold early; it stays in the book as what it was until now.

    Nothing is sent because of it: the next signal or step decides anew. Raises `NotFound`;
    `NotAllowed` for a kind that this role may not end (app/domain/hold.py); `Conflict` when it is
    over already; `Invalid` for a person without a `reason`: whoever lets pressure go on again says
    what has ended.
    """
    row = await lock_hold(unit, hold_id)
    _may_end(row, role)
    check_counts(row, now)
    why = reason.strip()
    if len(why) > LONGEST_REASON or not (why or role is Role.INTEGRATION):
        raise Invalid(
            "reason", f"has 1 to {LONGEST_REASON} characters.", mend="Say what ended the hold."
        )
    await cancel_tasks(
        unit,
        now,
        borrower_id=row.borrower_id,
        reasons=(TaskReason.LIFT_ASKED,),
        why="lifted",
        hold_id=hold_id,
    )
    await end_hold(unit, now, row, by=lifted_by)
    await _write_line(unit, now, row, lifted_by, {"reason": why} if why else {})


async def end_crisis(
    unit: Unit, now: datetime, *, hold_id: UUID, treatment_ended_on: date, by: str, role: Role
) -> datetime:
    """The crisis treatment ended on a day: the hold ends 30 days after it. Returns when.

    A day that turns out wrong may be corrected while the hold lasts. Raises `NotFound`,
    `NotAllowed` for anybody but compliance, `Invalid` for another kind of hold or a day that lies
    before its start or in the future, `Conflict` when it is over already.
    """
    row = await lock_hold(unit, hold_id)
    _may_end(row, role)
    if row.kind != HoldKind.CRISIS.value:
        raise Invalid(
            "hold_id",
            "is no hold for a mental-health crisis.",
            mend="Leave treatment_ended_on out.",
        )
    check_counts(row, now)
    zone = ZoneInfo(
        (
            await unit.conn.execute(
                select(lenders.c.time_zone).where(lenders.c.id == row.lender_id)
            )
        ).scalar_one()
    )
    if treatment_ended_on > now.astimezone(zone).date():
        raise Invalid(
            "treatment_ended_on", "is in the future.", mend="Give the day on which it ended."
        )
    if treatment_ended_on < row.starts_at.astimezone(zone).date():
        raise Invalid("treatment_ended_on", "lies before the hold began.", mend="Give a later day.")
    ends_at = crisis_ends(treatment_ended_on, zone)
    await unit.conn.execute(update(holds).where(holds.c.id == hold_id).values(ends_at=ends_at))
    more = {
        "treatment_ended_on": treatment_ended_on.isoformat(),
        "ends_at": ends_at.isoformat(),
    }
    await _write_line(unit, now, row, by, more, Kind.HOLD_CHANGED)
    await look_again(unit, now, row.borrower_id)
    return ends_at


def check_counts(row: Row[Any], now: datetime) -> None:
    """Raises `Conflict` when the hold is over already."""
    if row.lifted_at is not None:
        raise Conflict("This hold was lifted already.")
    if row.ends_at is not None and row.ends_at <= now:
        raise Conflict("This hold has ended by itself.")


def _may_end(row: Row[Any], role: Role) -> None:
    if may_lift(role, row.kind):
        return
    if row.kind == HoldKind.PLACED.value:
        raise NotAllowed("This ends when the case is recalled from its agency.", code="HoldKept")
    raise NotAllowed(f"A hold of this kind is ended by: {lifters(row.kind)}.", code="HoldKept")


async def _write_line(
    unit: Unit,
    now: datetime,
    row: Row[Any],
    actor: str,
    more: dict[str, str],
    kind: Kind = Kind.HOLD_LIFTED,
) -> None:
    """The line of the timeline, and the word to the lender's system."""
    details = {"hold_id": str(row.id), "kind": row.kind, **more}
    line = Line(row.borrower_id, kind, actor, details, row.case_id, row.lender_id)
    await timeline.write(unit, now, [line])
    lifted = kind is Kind.HOLD_LIFTED
    ref = await unit.conn.scalar(
        select(borrowers.c.external_ref).where(borrowers.c.id == row.borrower_id)
    )
    await tell_lender(
        unit,
        now,
        event=LenderEvent.HOLD_CHANGED,
        subject_id=row.id,
        payload={
            "hold_id": str(row.id),
            "borrower_id": str(row.borrower_id),
            "external_ref": ref,
            "case_id": str(row.case_id) if row.case_id else None,
            "kind": row.kind,
            "ends_at": now.isoformat() if lifted else more["ends_at"],
            "lifted": lifted,
            "at": now.isoformat(),
        },
        # The end of a crisis may be corrected; each word is news of its own.
        ordinal=int(now.timestamp()),
        lender_id=row.lender_id,
    )
