"""Let signals end that nobody can vouch for any more: the account was not read for long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from app.domain.message import CancelReason
from app.flows.house import House
from app.flows.signals.end_signals import end_signals
from app.store.arrays import among
from app.store.locks import lock_borrowers
from app.store.tables import accounts, funds_signals

# Business time since the last good read. Four reads a day make this eight that failed in a row.
OLDEST: Final = timedelta(hours=48)
_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class SignalsExpired:
    """How many."""

    expired: int


async def expire_signals(house: House, now: datetime) -> SignalsExpired:
    """End live signals of accounts whose last reading is older than two days.

    "Funds available" is said of the present. While reads fail, or the account may not be read,
    nobody knows; the alert goes, and with it what was queued because of it.
    """
    async with house.store.engine_unit() as unit:
        rows = await unit.conn.execute(
            select(funds_signals.c.borrower_id, funds_signals.c.account_id)
            .join(accounts, accounts.c.id == funds_signals.c.account_id)
            .where(funds_signals.c.ended_at.is_(None), accounts.c.last_read_at < now - OLDEST)
            .limit(_MOST)
        )
        stale = rows.all()
        if not stale:
            return SignalsExpired(0)
        await lock_borrowers(unit, {row.borrower_id for row in stale})
        # Read again behind the lock: one of them may just have been confirmed.
        still = await unit.conn.scalars(
            select(accounts.c.id).where(
                among(accounts.c.id, {row.account_id for row in stale}),
                accounts.c.last_read_at < now - OLDEST,
            )
        )
        ended = await end_signals(
            unit, now, account_ids=list(still), why=CancelReason.MONEY_GONE, word="expired"
        )
        return SignalsExpired(ended)
