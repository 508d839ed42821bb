"""The stop switch: one act halts everything outgoing of a lender and channel, within a tick.

It is looked at in the moment before anything leaves, so nothing has to be told or cancelled. What
is queued waits, and leaves only if its reasons still stand when the switch is off again.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.domain.errors import Invalid, NotAllowed
from app.domain.ids import LenderId
from app.domain.roles import Act
from app.flows.house import House
from app.flows.lenders.note_refusal import refusals_noted
from app.store import audit
from app.store.brakes import Brake
from app.store.tables import stop_switches

_LONGEST_REASON = 500


async def set_switch(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    brake: Brake,
    halted: bool,
    reason: str,
    actor: str,
    by_key: bool = False,
) -> bool:
    """Throw or release one switch; False when it stood so already. Both stand in the audit.

    `by_key`: an API key asks. It releases what it threw itself, and nothing that somebody else
    stopped. Raises `Invalid` without a reason: whoever lets things go on again must know what
    stopped them; and `NotAllowed`, which stands in the audit too.
    """
    noted = refusals_noted(
        house,
        now,
        lender_id=lender_id,
        actor=actor,
        wanted=Act.LET_GO_ON.value,
        subject=brake.value,
    )
    async with noted:
        return await _set(house, now, lender_id, brake, halted, reason, actor, by_key=by_key)


async def _set(
    house: House,
    now: datetime,
    lender_id: LenderId,
    brake: Brake,
    halted: bool,
    reason: str,
    actor: str,
    *,
    by_key: bool,
) -> bool:
    why = reason.strip()
    if not 0 < len(why) <= _LONGEST_REASON:
        raise Invalid("reason", f"has 1 to {_LONGEST_REASON} characters.")
    async with house.store.unit(lender_id) as unit:
        row = (
            await unit.conn.execute(
                select(stop_switches)
                .where(
                    stop_switches.c.lender_id == lender_id,
                    stop_switches.c.channel == brake.value,
                )
                .with_for_update()
            )
        ).one_or_none()
        before = row is not None and row.halted
        if before == halted:
            return False
        if by_key and not halted and (row is None or row.set_by != actor):
            raise NotAllowed(
                "Somebody else stopped this. A person lets it go on, at the desk under Controls.",
                code="SwitchKept",
            )
        values = {"halted": halted, "reason": why, "set_by": actor, "set_at": now}
        await unit.conn.execute(
            insert(stop_switches)
            .values(lender_id=lender_id, channel=brake.value, **values)
            .on_conflict_do_update(index_elements=["lender_id", "channel"], set_=values)
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="halt" if halted else "let_go_on",
            subject=brake.value,
            before={"halted": before},
            after={"halted": halted},
            reason=why,
        )
    return True
