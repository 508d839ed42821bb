"""Observe-only mode: read and decide, send nothing, report what would have been sent."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from app.domain.errors import Invalid
from app.domain.ids import LenderId
from app.flows.house import House
from app.store import audit
from app.store.tables import lenders

_LONGEST_REASON = 500


async def set_observe_only(
    house: House, now: datetime, *, lender_id: LenderId, on: bool, reason: str, actor: str
) -> bool:
    """Turn the mode on or off; False when it stood so already. Raises `Invalid` without a reason.

    Turned on, texts that are queued are withheld at their last look. Turned off, nothing that was
    withheld is sent afterwards: only what is seen from then on.
    """
    why = reason.strip()
    if not 0 < len(why) <= _LONGEST_REASON:
        raise Invalid("reason", f"has 1 to {_LONGEST_REASON} characters.")
    async with house.store.unit(lender_id) as unit:
        before = (
            await unit.conn.execute(
                select(lenders.c.observe_only)
                .where(lenders.c.id == lender_id)
                .with_for_update(key_share=True)
            )
        ).scalar_one()
        if before == on:
            return False
        await unit.conn.execute(
            update(lenders).where(lenders.c.id == lender_id).values(observe_only=on)
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="set_observe_only",
            subject=str(lender_id),
            before={"observe_only": before},
            after={"observe_only": on},
            reason=why,
        )
    return True
