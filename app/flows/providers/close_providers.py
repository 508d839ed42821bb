"""Erase the access data of providers that were taken away, once nothing is open with them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from app.domain.ids import LenderId
from app.domain.provider_setup import SetupState
from app.flows.actors import ROBOT
from app.flows.house import House
from app.store import audit
from app.store.provider_setups import close, lock_setup, open_work
from app.store.tables import provider_setups

# Business time. Whoever had begun something a moment before it was taken away has long written it
# down by then.
KEPT_FOR: Final = timedelta(days=1)


async def close_providers(house: House, now: datetime) -> int:
    """Close what nobody needs any more; returns how many there were."""
    async with house.store.engine_unit() as unit:
        over = await unit.conn.execute(
            select(provider_setups.c.id, provider_setups.c.lender_id).where(
                provider_setups.c.state == SetupState.RETIRED.value,
                provider_setups.c.ended_at <= now - KEPT_FOR,
            )
        )
        found = over.all()
    closed = 0
    for setup_id, lender_id in found:
        async with house.store.unit(LenderId(lender_id)) as unit:
            row = await lock_setup(unit, setup_id)
            if row.state != SetupState.RETIRED.value or await open_work(unit, row.name):
                continue
            await close(unit, now, setup_id, "close", ROBOT)
            await audit.record(unit, now, actor=ROBOT, act="erase_provider", subject=row.name)
            closed += 1
    return closed
