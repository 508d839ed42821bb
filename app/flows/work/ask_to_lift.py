"""The lender's own system says that a hold is over: it lifts its own, or a person is asked.

A step of its caller's unit. What protects a borrower ends by a person's word (app/domain/hold.py):
a key that could lift a dispute would be the one hand that lets pressure loose unseen.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.domain.hold import HoldKind, key_may_lift, lifters
from app.domain.roles import Role
from app.domain.task import TaskReason
from app.flows.work.lift_hold import check_counts, lift_hold
from app.flows.work.open_task import open_task
from app.flows.work.set_hold import lock_hold
from app.store.unit import Unit


async def lift_or_ask(unit: Unit, now: datetime, *, hold_id: UUID, actor: str) -> bool:
    """Lift the hold if this key may; else put it before a person, once per hold. True: lifted.

    Raises `NotFound`; `NotAllowed` for a placement, which ends by its recall alone; `Conflict` when
    the hold is over already.
    """
    row = await lock_hold(unit, hold_id)
    placed = row.kind == HoldKind.PLACED.value
    if placed or key_may_lift(row.kind, own=row.set_by == actor):
        await lift_hold(unit, now, hold_id=hold_id, lifted_by=actor, role=Role.INTEGRATION)
        return True
    check_counts(row, now)
    await open_task(
        unit,
        now,
        borrower_id=row.borrower_id,
        case_id=row.case_id,
        reason=TaskReason.LIFT_ASKED,
        cause=row.id,
        situation={
            "hold_id": str(row.id),
            "because": f"{actor} says that the hold is over: {row.kind.replace('_', ' ')}",
            "noted": row.reason,
            "ask": f"It may be lifted by: {lifters(row.kind)}.",
        },
        lender_id=row.lender_id,
    )
    return False
