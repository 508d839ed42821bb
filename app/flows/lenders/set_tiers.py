"""State from which amount on more people have to agree: compliance alone, with a reason."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Final

from sqlalchemy import select, update

from app.domain.errors import Invalid
from app.domain.four_eyes import Bounds, read_bounds
from app.domain.ids import LenderId, UserId
from app.domain.roles import Act, check_right
from app.flows.house import House
from app.flows.lenders.note_refusal import refusals_noted
from app.store import audit
from app.store.approvals import hand_of
from app.store.tables import lenders
from app.store.unit import Unit

_LONGEST_REASON: Final = 500


async def set_tiers(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    user_id: UserId,
    actor: str,
    currency: str,
    bounds: Bounds | None,
    reason: str,
) -> None:
    """Replace the lender's bounds of one currency; None goes back to Saldo's own.

    They count from the next decision on, for what waits already too. Raises `NotAllowed` without
    the compliance role, or before it is confirmed (recorded), and `Invalid` naming what is wrong.
    """
    noted = refusals_noted(
        house, now, lender_id=lender_id, actor=actor, wanted=Act.SET_TIERS.value, subject=currency
    )
    async with noted, house.store.unit(lender_id) as unit:
        await _set(unit, now, lender_id, user_id, actor, currency, bounds, reason.strip())


async def _set(
    unit: Unit,
    now: datetime,
    lender_id: LenderId,
    user_id: UserId,
    actor: str,
    currency: str,
    bounds: Bounds | None,
    why: str,
) -> None:
    hand = await hand_of(unit, user_id)
    check_right(hand.role, Act.SET_TIERS, confirmed=hand.confirmed)
    if not 0 < len(why) <= _LONGEST_REASON:
        raise Invalid("reason", f"has 1 to {_LONGEST_REASON} characters.")
    stated = await unit.conn.scalar(
        select(lenders.c.approval_tiers)
        .where(lenders.c.id == lender_id)
        .with_for_update(key_share=True)
    )
    before = dict(stated or {})
    after = {name: value for name, value in before.items() if name != currency}
    if bounds is not None:
        after[currency] = asdict(bounds)
        read_bounds({currency: after[currency]})
    await unit.conn.execute(
        update(lenders).where(lenders.c.id == lender_id).values(approval_tiers=after)
    )
    await audit.record(
        unit,
        now,
        actor=actor,
        act="set_tiers",
        subject=currency,
        before={currency: before.get(currency)},
        after={currency: after.get(currency)},
        reason=why,
    )
