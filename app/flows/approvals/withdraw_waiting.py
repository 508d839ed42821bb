"""Take proposals about a loan back whose reason has gone by itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from app.domain.approval import APPROVAL, ApprovalKind, ApprovalState
from app.flows.actors import ROBOT
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.store import audit, timeline
from app.store.approvals import waiting_of_loan
from app.store.loans import lock_loan
from app.store.moves import move
from app.store.tables import approvals
from app.store.timeline import Kind, Line
from app.store.unit import Unit

_GONE: Final = (
    ApprovalKind.WRITE_OFF.value,
    ApprovalKind.FORGIVENESS.value,
    ApprovalKind.PLACEMENT.value,
)


async def withdraw_waiting(unit: Unit, now: datetime, loan_id: UUID, *, why: str) -> int:
    """Withdraw what would give up, or place, a debt that is not asked for any more.

    Returns how many.

    `why` is a word for the timeline. A reversal goes on waiting: it is about the past.
    """
    gone = [row for row in await waiting_of_loan(unit, loan_id) if row.kind in _GONE]
    for row in gone:
        await move(
            unit,
            approvals,
            row.id,
            APPROVAL,
            "withdraw",
            decided_by=ROBOT,
            decided_at=now,
            decision_note=why,
        )
        await write_end(unit, now, row, ApprovalState.WITHDRAWN, actor=ROBOT, note=why)
    return len(gone)


async def write_end(
    unit: Unit, now: datetime, row: Row[Any], state: ApprovalState, *, actor: str, note: str
) -> None:
    """What every end of a proposal leaves behind: audit, timeline, and the word to the lender."""
    shown = {
        "approval_id": str(row.id),
        "kind": row.kind,
        "state": state.value,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "note": note,
    }
    await audit.record(
        unit,
        now,
        actor=actor,
        act=f"{state.value}_{row.kind}",
        subject=str(row.subject_id),
        before={"state": ApprovalState.PROPOSED.value},
        after={
            "state": state.value,
            "approval_id": str(row.id),
            "proposed_by": row.proposed_by,
            "amount": None
            if row.amount_minor is None
            else {"minor": row.amount_minor, "currency": row.currency},
        },
        reason=note,
        lender_id=row.lender_id,
    )
    payload: dict[str, Any] = {
        "approval_id": str(row.id),
        "kind": row.kind,
        "state": state.value,
        "at": now.isoformat(),
    }
    if row.loan_id is not None and row.borrower_id is not None:
        line = Line(row.borrower_id, Kind.APPROVAL_ENDED, actor, shown, row.case_id, row.lender_id)
        await timeline.write(unit, now, [line])
        payload["loan"] = (await lock_loan(unit, row.loan_id)).external_ref
        payload["amount"] = {"minor": row.amount_minor, "currency": row.currency}
    await tell_lender(
        unit,
        now,
        event=LenderEvent.APPROVAL_DECIDED,
        subject_id=row.id,
        payload=payload,
        lender_id=row.lender_id,
    )
