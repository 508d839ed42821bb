"""A settled payment came back: the dues return, the case opens again, a person looks.

No message goes out by itself: while the task is open, no machine asks for money
(`app.domain.strategy.PERSON_FIRST`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from app.domain.errors import Invalid
from app.domain.ids import LenderId
from app.domain.message import CancelReason
from app.domain.payment import PAYMENT, PaymentState
from app.domain.task import TaskReason
from app.flows.house import House
from app.flows.messages.tell_lender import LenderEvent
from app.flows.money.take_back_repayment import take_back_repayment
from app.flows.payments.payment_news import ask_a_person, tell, write_line
from app.flows.work.stop_pressure import stop_pressure
from app.store.moves import move
from app.store.payments import lock_payment
from app.store.tables import payments
from app.store.unit import Unit

_LONGEST_REASON = 140


async def return_payment(
    house: House, now: datetime, *, lender_id: LenderId, payment_id: UUID, reason: str, actor: str
) -> bool:
    """The lender saw the money go back on his account; False when that was known already.

    Raises `NotFound`, `Invalid` for an empty reason, `IllegalTransition` for a payment that never
    settled.
    """
    if not 0 < len(reason.strip()) <= _LONGEST_REASON:
        raise Invalid("reason", f"has 1 to {_LONGEST_REASON} characters.")
    async with house.store.unit(lender_id) as unit:
        payment = await lock_payment(unit, payment_id)
        return await record_return(unit, now, payment, reason=reason.strip(), actor=actor)


async def record_return(
    unit: Unit, now: datetime, payment: Row[Any], *, reason: str, actor: str
) -> bool:
    """The same for a payment that the caller has locked (borrower first)."""
    after = PAYMENT.step(PaymentState(payment.state), "return")
    if payment.state == after.value:
        return False
    await move(unit, payments, payment.id, PAYMENT, "return", ended_at=now, next_look_at=None)
    await write_line(unit, now, payment, after, actor=actor, raw_status=reason)
    await take_back_repayment(unit, now, payment.id)
    await stop_pressure(
        unit, now, borrower_id=payment.borrower_id, case_ids=None, why=CancelReason.REPLACED
    )
    await ask_a_person(unit, now, payment, TaskReason.PAYMENT_RETURNED, bank_said=reason)
    await tell(unit, now, payment, LenderEvent.PAYMENT_RETURNED)
    return True
