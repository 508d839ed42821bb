"""Leave a payment open where nobody can take it back, so that another one may be made.

A provider without a call for that keeps its page: whoever still has it could pay. So nobody is sent
there any more, the borrower gets the time to finish what he may just be doing, and only then is the
way free. The one that was left is watched: money that comes all the same is booked, and what is too
much of it is a person's task.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, update

from app.domain.ids import LenderId
from app.domain.payment import PAYMENT, PaymentState
from app.flows.actors import ROBOT
from app.flows.house import House
from app.flows.payments.record_payment import apply_event
from app.side_ports import Stay, StayingPort
from app.store.payments import lock_payment
from app.store.tables import payments


def stay_of(house: House, payment: Row[Any]) -> Stay | None:
    """How an open payment stays at its provider; None where it can be taken back."""
    port = house.payments.get(payment.connector)
    return port.stay() if isinstance(port, StayingPort) else None


def free_at(payment: Row[Any], stay: Stay) -> datetime:
    """From when on an open payment stands in nobody's way, if he is not sent to it again."""
    sent_at: datetime = payment.sent_at or payment.created_at
    return sent_at + stay.free_after


def page_is_over(payment: Row[Any], stay: Stay | None, now: datetime) -> bool:
    """Has its page ended by itself?"""
    lasts = None if stay is None else stay.page_lasts
    return lasts is not None and now >= payment.created_at + lasts


def is_under_way(payment: Row[Any], stay: Stay | None) -> bool:
    """Is he confirming it at his bank, as far as the last look has shown?"""
    return stay is not None and payment.raw_status in stay.under_way


async def leave_open(
    house: House, now: datetime, lender_id: LenderId, payment_id: UUID, *, actor: str = ROBOT
) -> bool:
    """Leave it, if nobody has authorised it and his time to finish is over.

    True when it is in nobody's way any more. Whoever calls has just asked the bank for its status.
    Before its time it is looked at again when that comes.
    """
    async with house.store.unit(lender_id) as unit:
        payment = await lock_payment(unit, payment_id)
        if payment.state != PaymentState.OPEN.value:
            return _out_of_the_way(PaymentState(payment.state))
        stay = stay_of(house, payment)
        if stay is None:
            return False
        at = free_at(payment, stay)
        if is_under_way(payment, stay):
            return False
        if now < at:
            await unit.conn.execute(
                update(payments)
                .where(payments.c.id == payment_id, payments.c.next_look_at > at)
                .values(next_look_at=at)
            )
            return False
        await apply_event(unit, now, payment, "leave", actor=actor, raw_status=payment.raw_status)
    return True


def _out_of_the_way(state: PaymentState) -> bool:
    return state is PaymentState.LEFT_OPEN or PAYMENT.is_final(state)
