"""Take an initiation back at the bank before another one may be made, or because it is not wanted.

Only the bank's own word makes a payment cancelled: as long as it says anything else, the payment
is live and the borrower gets no second one. Where the provider takes nothing back, it is left open
once he has had time to finish (`leave_open`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from app.domain.errors import Conflict, NotAllowed, ProviderError
from app.domain.ids import LenderId
from app.domain.payment import PAYMENT, LinkState, PaymentState
from app.flows.actors import BORROWER, ROBOT
from app.flows.house import House
from app.flows.payments.ask_bank import ask_bank
from app.flows.payments.leave_open import leave_open, page_is_over, stay_of
from app.flows.payments.record_payment import apply_event
from app.pay_ports import CancelResult
from app.store.dues import dues_of
from app.store.links import find_link, load_link, session_holds, works
from app.store.locks import lock_borrower
from app.store.payments import (
    in_flight,
    live_payment,
    load_payment,
    lock_payment,
    open_handle,
    parts_of,
)
from app.store.unit import Unit

# Business time at his bank for somebody who tapped just before the link's end.
_TIME_TO_FINISH: Final = timedelta(minutes=30)
# Before the borrower has said yes. Afterwards the money is on its way and is left alone.
_MAY_BE_CANCELLED: Final = (PaymentState.OPEN.value, PaymentState.ABANDONED.value)


async def give_up_payment(house: House, now: datetime, token: str, *, session: str | None) -> bool:
    """The borrower wants to pay another amount, or from another bank: free the way for it.

    True when a new payment may be begun. False when the bank would not say so, or can take nothing
    back and he may still be at it: then he is to finish, or wait for, the one he began. Raises
    `NotFound`; `NotAllowed` without the check; `Conflict` while the bank is being asked, or when he
    has already authorised it; the `ProviderError` of a bank that does not answer.
    """
    found = await find_link(house.store, token)
    async with house.store.unit(found.lender_id) as unit:
        await lock_borrower(unit, found.borrower_id)
        if not await session_holds(unit, house.real_now(), found.link_id, session):
            raise NotAllowed("Please prove first that it is you.", code="CheckFirst")
        live = await live_payment(unit, found.borrower_id)
        if live is None:
            return True
        if live.state == PaymentState.REQUESTED.value:
            await apply_event(unit, now, live, "cancel", actor=BORROWER)
            return True
        if live.state == PaymentState.CREATING.value:
            raise Conflict("The payment is being prepared.", code="Preparing")
        if live.state != PaymentState.OPEN.value:
            raise Conflict("The payment is on its way.", code="OnItsWay")
    return await cancel_at_bank(house, now, found.lender_id, live.id, actor=BORROWER)


async def cancel_at_bank(
    house: House, now: datetime, lender_id: LenderId, payment_id: UUID, *, actor: str = ROBOT
) -> bool:
    """Cancel a payment that nobody has authorised; True when it is in nobody's way any more.

    A bank that wants the payer for it, says that it is too late, or takes nothing back, is asked
    for the status, and that is recorded. Raises the `ProviderError` of a call that brought no
    answer.
    """
    house = await house.of(lender_id)
    async with house.store.unit(lender_id) as unit:
        payment = await load_payment(unit, payment_id)
        handle = open_handle(unit, payment)
        if payment.state not in _MAY_BE_CANCELLED or handle is None:
            return PAYMENT.is_final(PaymentState(payment.state))
    port = house.payment(payment.connector)
    result = await port.cancel_payment(handle)
    if result is CancelResult.CANCELLED:
        async with house.store.unit(lender_id) as unit:
            current = await lock_payment(unit, payment_id)
            if PaymentState(current.state) in PAYMENT.sources("cancel"):
                await apply_event(unit, now, current, "cancel", actor=actor)
        return True
    recorded = await ask_bank(house, now, lender_id, payment_id, payment.connector, handle)
    if result is CancelResult.IMPOSSIBLE and recorded.after is PaymentState.OPEN:
        return await leave_open(house, now, lender_id, payment_id, actor=actor)
    return PAYMENT.is_final(recorded.after)


async def try_to_cancel(house: House, now: datetime, lender_id: LenderId, payment_id: UUID) -> bool:
    """The same for a sweep: no answer means "not yet"."""
    try:
        return await cancel_at_bank(house, now, lender_id, payment_id)
    except ProviderError:
        return False


async def still_wanted(unit: Unit, house: House, now: datetime, payment: Row[Any]) -> bool:
    """Is an initiation that nobody has authorised still good to be authorised?

    Not when its link was withdrawn, or is over and he had time to finish; not when less is due
    than it would pay: the lender may have reported the money while he was on his bank's page; not
    when its page is over, or another payment of his, which was left open, is on its way.
    """
    if page_is_over(payment, stay_of(house, payment), now):
        return False
    if await in_flight(unit, payment.borrower_id):
        return False
    link = None if payment.link_id is None else await load_link(unit, payment.link_id)
    if link is None or link.state == LinkState.WITHDRAWN.value:
        return False
    if not works(link, now) and now - payment.created_at > _TIME_TO_FINISH:
        return False
    found = (await dues_of(unit, (payment.borrower_id,), now)).get(payment.borrower_id, ())
    due = {one.loan_id: one.amount for one in found}
    parts = await parts_of(unit, payment.id)
    return all(part.loan_id in due and part.amount <= due[part.loan_id] for part in parts)
