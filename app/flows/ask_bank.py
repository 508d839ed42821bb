"""Read a payment's status at its bank and record it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.domain.ids import LenderId
from app.flows.house import House
from app.flows.record_payment import Recorded, record_payment
from app.ports import PaymentHandle
from app.store.payments import name_ref


async def ask_bank(
    house: House,
    now: datetime,
    lender_id: LenderId,
    payment_id: UUID,
    connector: str,
    handle: PaymentHandle,
) -> Recorded:
    """Ask with no transaction open, and record the answer. Raises the `ProviderError` of none.

    Two who ask at once may record in the other order: "on its way" after "refused". An answer
    that contradicts what we hold is therefore asked for again before anybody is alarmed.
    """
    port = house.payment(connector)
    seen = await port.payment_now(handle)
    async with house.store.unit(lender_id) as unit:
        recorded = await record_payment(unit, now, payment_id, seen)
        if seen.hook_ref is not None:
            await name_ref(unit, payment_id, connector, seen.hook_ref)
    if not recorded.doubtful:
        return recorded
    seen = await port.payment_now(handle)
    async with house.store.unit(lender_id) as unit:
        return await record_payment(unit, now, payment_id, seen, sure=True)
