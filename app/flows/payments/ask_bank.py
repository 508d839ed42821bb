"""Read a payment's status at its bank and record it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.ids import LenderId
from app.domain.payment import PaymentState
from app.flows.house import House
from app.flows.payments.record_payment import Recorded, record_payment, watch_look
from app.flows.payments.take_second import take_second
from app.pay_ports import PaymentHandle, PaymentNow, PayStatus
from app.store.payments import find_by_ref, lock_payment, name_ref, watch
from app.store.unit import Unit

_ENDED: Final = (PaymentState.SETTLED, PaymentState.REJECTED)


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
    house = await house.of(lender_id)
    port = house.payment(connector)
    seen = await port.payment_now(handle)
    async with house.store.unit(lender_id) as unit:
        if seen.ours is not None:
            seen = await _its_own(unit, payment_id, connector, seen)
        recorded = await record_payment(unit, now, payment_id, seen)
        if seen.hook_ref is not None:
            await name_ref(unit, payment_id, connector, seen.hook_ref)
        if seen.repeats or recorded.after in _ENDED:
            await _watch_page(unit, now, payment_id, seen)
    if not recorded.doubtful:
        return recorded
    seen = await port.payment_now(handle)
    async with house.store.unit(lender_id) as unit:
        return await record_payment(unit, now, payment_id, seen, sure=True)


async def _its_own(unit: Unit, payment_id: UUID, connector: str, seen: PaymentNow) -> PaymentNow:
    """Its word, unless that is about a second payment on its page, which is followed by itself."""
    found = None if seen.ours is None else await find_by_ref(unit, connector, seen.ours)
    if found is None or found[1] == payment_id:
        return seen
    return replace(seen, status=PayStatus.REJECTED, again=())


async def _watch_page(unit: Unit, now: datetime, payment_id: UUID, seen: PaymentNow) -> None:
    """Where its page can be paid again, take up what was, and look for more after its own end."""
    payment = await lock_payment(unit, payment_id)
    for handle in seen.again:
        await take_second(unit, now, payment, handle)
    if PaymentState(payment.state) in _ENDED:
        look = watch_look(payment.created_at, now) if seen.repeats else None
        await watch(unit, payment_id, look)
