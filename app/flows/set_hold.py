"""Holds: a reason and an end for leaving somebody in peace. Steps of their callers' units."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.hold import HoldKind
from app.domain.message import CancelReason
from app.flows.stop_pressure import stop_pressure
from app.store import timeline
from app.store.keys import new_id
from app.store.locks import lock_borrower
from app.store.tables import cases, holds
from app.store.timeline import Kind, Line
from app.store.unit import Unit

_LONGEST_REASON = 500


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
) -> UUID:
    """Set a hold from `now` until `ends_at` (business time; None: until somebody lifts it).

    What is queued is cancelled in the same transaction. Live payment links stay: a person who
    wants to pay may always pay. Raises `Invalid` for an unknown kind, an empty reason or an end
    that is not in the future, and `NotFound` for a case that is not the borrower's.
    """
    chosen = _kind(kind)
    if not reason.strip():
        raise Invalid("reason", "is empty.", mend="Say why, for whoever reads it next.")
    if ends_at is not None and ends_at <= now:
        raise Invalid("ends_at", "is not in the future.")
    person = await lock_borrower(unit, borrower_id)
    if case_id is not None and not await _is_his(unit, borrower_id, case_id):
        raise NotFound("There is no such case.")
    hold_id = new_id()
    await unit.conn.execute(
        insert(holds).values(
            id=hold_id,
            lender_id=person.lender_id,
            borrower_id=borrower_id,
            case_id=case_id,
            kind=chosen.value,
            reason=reason.strip()[:_LONGEST_REASON],
            starts_at=now,
            recorded_at=now,
            ends_at=ends_at,
            set_by=set_by,
        )
    )
    details = {
        "hold_id": str(hold_id),
        "kind": chosen.value,
        "ends_at": ends_at.isoformat() if ends_at else None,
    }
    await timeline.write(
        unit, now, [Line(borrower_id, Kind.HOLD_SET, set_by, details, case_id, person.lender_id)]
    )
    await stop_pressure(
        unit,
        now,
        borrower_id=borrower_id,
        case_ids=None if case_id is None else [case_id],
        why=CancelReason.HOLD,
    )
    return hold_id


async def lift_hold(unit: Unit, now: datetime, *, hold_id: UUID, lifted_by: str) -> None:
    """End a hold early. Raises `NotFound`, or `Conflict` when it is lifted already.

    Nothing is sent because of it: the next signal decides anew.
    """
    row = (await unit.conn.execute(select(holds).where(holds.c.id == hold_id))).one_or_none()
    if row is None:
        raise NotFound("There is no such hold.")
    await lock_borrower(unit, row.borrower_id)
    done = await unit.conn.execute(
        update(holds)
        .where(holds.c.id == hold_id, holds.c.lifted_at.is_(None))
        .values(lifted_at=now, lifted_by=lifted_by)
    )
    if done.rowcount != 1:
        raise Conflict("This hold was lifted already.")
    details = {"hold_id": str(hold_id), "kind": row.kind}
    await timeline.write(
        unit,
        now,
        [Line(row.borrower_id, Kind.HOLD_LIFTED, lifted_by, details, row.case_id, row.lender_id)],
    )


def _kind(kind: HoldKind | str) -> HoldKind:
    try:
        return HoldKind(kind)
    except ValueError:
        known = ", ".join(one.value for one in HoldKind)
        raise Invalid("kind", f"{kind!r} is not a kind of hold.", mend=f"Use: {known}.") from None


async def _is_his(unit: Unit, borrower_id: UUID, case_id: UUID) -> bool:
    found = await unit.conn.scalar(
        select(cases.c.id).where(cases.c.id == case_id, cases.c.borrower_id == borrower_id)
    )
    return found is not None
