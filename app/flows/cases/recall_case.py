"""Take a placed case back from its agency: one person is enough, it only gives back control."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.errors import Invalid, NotAllowed
from app.domain.ids import LenderId, UserId
from app.domain.placement import PlacementState
from app.domain.roles import Act, may
from app.flows.cases.end_placement import end_placement
from app.flows.house import House
from app.flows.lenders.note_refusal import refusals_noted
from app.store import audit
from app.store.approvals import hand_of
from app.store.placements import lock_placement
from app.store.unit import Unit

_LONGEST_REASON: Final = 500


async def recall_case(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    placement_id: UUID,
    reason: str,
    user_id: UserId | None,
    actor: str,
) -> None:
    """End a placement by hand. Nothing leaves because of it: the strategy looks at the case anew.

    `user_id` None: the lender's own system. Raises `NotFound`, `NotAllowed` (recorded), `Invalid`
    without a reason, and `IllegalTransition` when it is over already.
    """
    why = reason.strip()
    if not 0 < len(why) <= _LONGEST_REASON:
        raise Invalid("reason", f"has 1 to {_LONGEST_REASON} characters.", mend="Say why.")
    noted = refusals_noted(
        house,
        now,
        lender_id=lender_id,
        actor=actor,
        wanted=Act.RECALL_CASE.value,
        subject=placement_id,
    )
    async with noted, house.store.unit(lender_id) as unit:
        await _recall(unit, now, placement_id, why, user_id, actor)


async def _recall(
    unit: Unit, now: datetime, placement_id: UUID, why: str, user_id: UserId | None, actor: str
) -> None:
    row = await lock_placement(unit, placement_id)
    if user_id is not None and not may((await hand_of(unit, user_id)).role, Act.RECALL_CASE):
        raise NotAllowed("Your role does not include this.", code="RoleMissing")
    await end_placement(unit, now, row, event="recall", why=why, by=actor)
    await audit.record(
        unit,
        now,
        actor=actor,
        act="recall_placement",
        subject=str(row.loan_id),
        before={"state": row.state},
        after={
            "placement_id": str(row.id),
            "agency": row.agency,
            "state": PlacementState.RECALLED.value,
        },
        reason=why,
    )
