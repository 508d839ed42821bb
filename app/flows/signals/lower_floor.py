"""Set how much stays protected on every account of a lender's borrowers. Compliance alone may."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from app.domain.errors import Invalid
from app.domain.ids import LenderId, UserId
from app.domain.money import Money
from app.domain.roles import Act, check_right
from app.flows.house import House
from app.store import audit
from app.store.approvals import hand_of
from app.store.tables import lenders

_LONGEST_REASON = 500


async def lower_floor(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    floor: Money | None,
    reason: str,
    user_id: UserId,
    actor: str,
) -> None:
    """Replace the jurisdiction's protected floor; None goes back to it.

    Raises `NotAllowed` without the compliance role, or before it is confirmed, `Invalid` without a
    reason or for a negative amount. The change stands in the audit, before and after, and counts
    from the next reading on.
    """
    why = reason.strip()
    if not 0 < len(why) <= _LONGEST_REASON:
        raise Invalid("reason", f"has 1 to {_LONGEST_REASON} characters.")
    if floor is not None and floor.minor < 0:
        raise Invalid("floor", "cannot be below zero.", mend="Give 0 or more.")
    async with house.store.unit(lender_id) as unit:
        hand = await hand_of(unit, user_id)
        check_right(hand.role, Act.LOWER_FLOOR, confirmed=hand.confirmed)
        before = (
            await unit.conn.execute(
                select(lenders.c.floor_minor, lenders.c.floor_currency)
                .where(lenders.c.id == lender_id)
                .with_for_update(key_share=True)
            )
        ).one()
        after = {
            "floor_minor": floor.minor if floor is not None else None,
            "floor_currency": floor.currency if floor is not None else None,
        }
        await unit.conn.execute(
            update(lenders)
            .where(lenders.c.id == lender_id)
            .values(**after, floor_reason=why if floor is not None else None)
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="lower_floor",
            subject=str(lender_id),
            before={
                "floor_minor": before.floor_minor,
                "floor_currency": before.floor_currency,
            },
            after=after,
            reason=why,
        )
