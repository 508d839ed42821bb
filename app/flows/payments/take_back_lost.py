"""Find the payment of an order whose answer was lost, learn its true state, and take it back.

We have given it up and nobody knows its page; but it may stand at the provider, which knows the
order again by its key or its reference.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import structlog

from app.domain.errors import Declined
from app.domain.ids import LenderId
from app.domain.payment import PaymentState
from app.flows.house import House
from app.flows.payments.cancel_payment import cancel_at_bank
from app.flows.payments.create_initiation import STALE_AFTER, order_of
from app.side_ports import FindingPort
from app.store.payments import keep_handle, load_payment, lock_payment

log = structlog.get_logger("payments")


async def take_back_lost(
    house: House, now: datetime, lender_id: LenderId, payment_id: UUID
) -> bool:
    """True when it can no longer become money; one that moves all the same is a person's task.

    Raises the `ProviderError` of a call that brought no answer.
    """
    house = await house.of(lender_id)
    async with house.store.unit(lender_id) as unit:
        payment = await load_payment(unit, payment_id)
        sought = payment.state == PaymentState.ABANDONED.value and payment.handle_enc is None
        order = await order_of(unit, house, payment) if sought else None
    port = house.payment(payment.connector)
    if order is not None and isinstance(port, FindingPort):
        try:
            handle = await port.find_payment(order)
        except Declined as no:
            # Where it is only looked for, it may still be on its way there.
            log.info("lost_payment_not_there", payment_id=str(payment_id), reason=no.reason)
            may_still_come: bool = house.real_now() - payment.claimed_at <= STALE_AFTER
            return not may_still_come
        async with house.store.unit(lender_id) as unit:
            await lock_payment(unit, payment_id)
            await keep_handle(unit, payment_id, payment.connector, handle)
    return await cancel_at_bank(house, now, lender_id, payment_id)
