"""Holds: a reason, an interval and what stops meanwhile. Steps of their callers' units."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, insert, select, update

from app.domain.case import CaseState
from app.domain.errors import Invalid, NotFound
from app.domain.hold import (
    PRESSURE,
    HoldBlock,
    HoldKind,
    chosen_blocks,
    chosen_end,
    read_kind,
)
from app.domain.intervals import Span
from app.domain.message import CancelReason
from app.domain.task import PRESSING
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.work.cancel_tasks import cancel_tasks
from app.flows.work.stop_pressure import stop_pressure
from app.store import timeline
from app.store.keys import new_id
from app.store.locks import lock_borrower
from app.store.tables import cases, holds
from app.store.timeline import Kind, Line
from app.store.unit import Unit

_LONGEST_REASON: Final = 500
# What began longer ago is a slip of the pen. Business time.
FURTHEST_BACK: Final = timedelta(days=5 * 366)


async def set_hold(
    unit: Unit,
    now: datetime,
    *,
    borrower_id: UUID,
    case_id: UUID | None,
    kind: HoldKind | str,
    reason: str,
    ends_at: datetime | None,
    set_by: str,
    starts_at: datetime | None = None,
    blocks: Iterable[str] | None = None,
) -> UUID:
    """Set a hold that is known since `now` and holds since `starts_at` (None: now).

    It may have begun in the past, and even have ended there: people learn late. `ends_at` None
    is the kind's own end, or none (app/domain/hold.py); `blocks` None what the kind usually stops.
    Where it stops pressure now, queued messages and tasks that press are cancelled in the same
    transaction. Live payment links stay: a person who wants to pay may always pay. Raises `Invalid`
    for an unknown kind or block, an empty reason, or an interval nobody can mean, and `NotFound`
    for a case that is not the borrower's.
    """
    chosen = read_kind(str(kind))
    stopped = chosen_blocks(chosen, blocks)
    if not reason.strip():
        raise Invalid("reason", "is empty.", mend="Say why, for whoever reads it next.")
    begins = _begin(now, starts_at)
    ends = chosen_end(chosen, begins, ends_at)
    person = await lock_borrower(unit, borrower_id)
    if case_id is not None and not await _is_his(unit, borrower_id, case_id):
        raise NotFound("There is no such case.")
    hold_id = await begin_hold(
        unit,
        now,
        lender_id=person.lender_id,
        borrower_id=borrower_id,
        case_id=case_id,
        kind=chosen,
        reason=reason,
        set_by=set_by,
        lasts=Span(begins, ends),
        blocks=stopped,
    )
    details = {
        "hold_id": str(hold_id),
        "kind": chosen.value,
        "starts_at": begins.isoformat(),
        "ends_at": ends.isoformat() if ends else None,
        "blocks": sorted(stopped),
    }
    await timeline.write(
        unit, now, [Line(borrower_id, Kind.HOLD_SET, set_by, details, case_id, person.lender_id)]
    )
    await tell_lender(
        unit,
        now,
        event=LenderEvent.HOLD_SET,
        subject_id=hold_id,
        payload={
            **details,
            "borrower_id": str(borrower_id),
            "external_ref": person.external_ref,
            "case_id": str(case_id) if case_id else None,
            "at": now.isoformat(),
        },
        lender_id=person.lender_id,
    )
    return hold_id


async def begin_hold(
    unit: Unit,
    now: datetime,
    *,
    lender_id: UUID,
    borrower_id: UUID,
    case_id: UUID | None,
    kind: HoldKind,
    reason: str,
    set_by: str,
    lasts: Span,
    blocks: frozenset[HoldBlock],
) -> UUID:
    """Write the hold down and stop what it stops now; whoever calls says so and holds the lock."""
    hold_id = new_id()
    await unit.conn.execute(
        insert(holds).values(
            id=hold_id,
            lender_id=lender_id,
            borrower_id=borrower_id,
            case_id=case_id,
            kind=kind.value,
            reason=reason.strip()[:_LONGEST_REASON],
            starts_at=lasts.start,
            recorded_at=now,
            ends_at=lasts.end,
            blocks=sorted(blocks),
            set_by=set_by,
        )
    )
    if now in lasts and not blocks.isdisjoint(PRESSURE):
        await _leave_in_peace(unit, now, borrower_id, case_id)
    await look_again(unit, now, borrower_id)
    return hold_id


async def end_hold(unit: Unit, now: datetime, row: Row[Any], *, by: str) -> None:
    """End the hold of this row now; it stays in the book as what it was."""
    await unit.conn.execute(
        update(holds).where(holds.c.id == row.id).values(lifted_at=now, lifted_by=by)
    )
    await look_again(unit, now, row.borrower_id)


async def _leave_in_peace(
    unit: Unit, now: datetime, borrower_id: UUID, case_id: UUID | None
) -> None:
    await stop_pressure(
        unit,
        now,
        borrower_id=borrower_id,
        case_ids=None if case_id is None else [case_id],
        why=CancelReason.HOLD,
    )
    await cancel_tasks(
        unit,
        now,
        borrower_id=borrower_id,
        reasons=PRESSING,
        why=CancelReason.HOLD.value,
        case_id=case_id,
    )


async def look_again(unit: Unit, now: datetime, borrower_id: UUID) -> None:
    """Have the strategies of his open cases look at them anew: what they may do has changed."""
    await unit.conn.execute(
        update(cases)
        .where(
            cases.c.borrower_id == borrower_id,
            cases.c.state == CaseState.OPEN.value,
            cases.c.strategy_version_id.is_not(None),
        )
        .values(next_step_at=now)
    )


async def lock_hold(unit: Unit, hold_id: UUID) -> Row[Any]:
    """Lock the hold's borrower and return the hold. Raises `NotFound`."""
    owner = await unit.conn.scalar(select(holds.c.borrower_id).where(holds.c.id == hold_id))
    if owner is None:
        raise NotFound("There is no such hold.")
    await lock_borrower(unit, owner)
    return (await unit.conn.execute(select(holds).where(holds.c.id == hold_id))).one()


def _begin(now: datetime, starts_at: datetime | None) -> datetime:
    if starts_at is None:
        return now
    if starts_at > now:
        raise Invalid("starts_at", "is in the future.", mend="Leave it empty: from now on.")
    if starts_at < now - FURTHEST_BACK:
        raise Invalid("starts_at", "is more than five years ago.", mend="Give a later moment.")
    return starts_at


async def _is_his(unit: Unit, borrower_id: UUID, case_id: UUID) -> bool:
    found = await unit.conn.scalar(
        select(cases.c.id).where(cases.c.id == case_id, cases.c.borrower_id == borrower_id)
    )
    return found is not None
