"""Which banks do not answer just now, for the pages on which somebody chooses one.

He is told, and offered the others; he is never kept from trying.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.breaker import Service
from app.domain.maintenance import rests_until
from app.flows.house import House
from app.flows.providers.bank_book import rest_book
from app.store.health import banks_down
from app.store.unit import Unit

BOTH: Final = (Service.BALANCES, Service.PAYMENTS)


async def banks_away(
    unit: Unit,
    house: House,
    connector: str,
    lender_id: UUID,
    now: datetime,
    *,
    services: Collection[Service] = BOTH,
) -> Mapping[str, datetime | None]:
    """By bank id: the end of its announced maintenance, or None where nobody knows how long.

    A bank whose balances cannot be read is away for payments too: it is one door.
    """
    away: dict[str, datetime | None] = dict.fromkeys(
        await banks_down(unit, connector, services, house.real_now())
    )
    rests = await rest_book(unit, house, lender_id, now)
    for bank_id, spans in rests.through(connector):
        end = rests_until(spans, now)
        if end is not None:
            away[bank_id] = end
    return away
