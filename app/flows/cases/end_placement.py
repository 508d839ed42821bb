"""End a placement: a person takes the case back, or the case was closed. Steps of other flows."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.placement import PLACEMENT
from app.flows.actors import ROBOT
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.work.set_hold import end_hold
from app.store import timeline
from app.store.moves import move
from app.store.placements import placed_now
from app.store.tables import holds, loans, placements
from app.store.timeline import Kind, Line
from app.store.unit import Unit


async def end_with_case(unit: Unit, now: datetime, case_id: UUID, *, why: str) -> None:
    """The case was closed: nobody asks for the debt any more, the agency neither."""
    row = (await placed_now(unit, (case_id,))).get(case_id)
    if row is not None:
        await end_placement(unit, now, row, event="end", why=why, by=ROBOT)


async def end_placement(
    unit: Unit, now: datetime, row: Row[Any], *, event: str, why: str, by: str
) -> None:
    """Move a placement (its row with the agency's name) by `recall` or `end`, and end its hold.

    The row stays; what happened is a line of the timeline of its own. The caller holds the
    borrower's lock. Raises `IllegalTransition` when it is over already.
    """
    await move(unit, placements, row.id, PLACEMENT, event, ended_at=now, ended_by=by, ended_why=why)
    hold = (await unit.conn.execute(select(holds).where(holds.c.id == row.hold_id))).one()
    await end_hold(unit, now, hold, by=by)
    recalled = event == "recall"
    kind = Kind.CASE_RECALLED if recalled else Kind.PLACEMENT_ENDED
    details = {"placement_id": str(row.id), "agency": row.agency, "why": why}
    line = Line(row.borrower_id, kind, by, details, row.case_id, row.lender_id)
    await timeline.write(unit, now, [line])
    await tell_lender(
        unit,
        now,
        event=LenderEvent.CASE_RECALLED if recalled else LenderEvent.PLACEMENT_ENDED,
        subject_id=row.id,
        payload={
            "placement_id": str(row.id),
            "case_id": str(row.case_id),
            "loan": await unit.conn.scalar(
                select(loans.c.external_ref).where(loans.c.id == row.loan_id)
            ),
            "agency_id": str(row.agency_id),
            "agency": row.agency,
            "why": why,
            "at": now.isoformat(),
        },
        lender_id=row.lender_id,
    )
