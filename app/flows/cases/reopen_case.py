"""Go on with a loan's last case, because something of it is due again after all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, update

from app.domain.case import CASE
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.store import timeline
from app.store.dues import due_of_loan
from app.store.loans import last_case
from app.store.moves import move
from app.store.tables import cases, loans
from app.store.timeline import Kind, Line
from app.store.unit import Unit


async def reopen_case(
    unit: Unit, now: datetime, loan: Row[Any], *, actor: str, because: Mapping[str, Any]
) -> UUID | None:
    """Reopen the loan's last case; returns its open case now, None when nothing of it is due.

    `because` stands in the timeline (`why` is a word of the page's catalogue). A loan that never
    had a case gets its first one from the next tick. The caller holds the lock on the loan.
    """
    if loan.case_id is not None:
        return UUID(str(loan.case_id))
    if await due_of_loan(unit, loan.id, now) is None:
        return None
    last = await last_case(unit, loan.id)
    if last is None:
        return None
    await move(unit, cases, last, CASE, "reopen", closed_at=None, close_reason=None)
    await unit.conn.execute(update(loans).where(loans.c.id == loan.id).values(case_id=last))
    details = {**because, "loan_id": str(loan.id)}
    line = Line(loan.borrower_id, Kind.CASE_REOPENED, actor, details, last, loan.lender_id)
    await timeline.write(unit, now, [line])
    await tell_lender(
        unit,
        now,
        event=LenderEvent.CASE_OPENED,
        subject_id=last,
        payload={
            "case_id": str(last),
            "loan": loan.external_ref,
            "reopened": True,
            "opened_at": now.isoformat(),
        },
        ordinal=int(now.timestamp()),
        lender_id=loan.lender_id,
    )
    return last
