"""A person found out what became of a payment whose end the bank would not tell."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.errors import Conflict, Invalid
from app.domain.ids import LenderId
from app.domain.payment import PaymentState
from app.domain.task import TaskReason
from app.flows.house import House
from app.flows.payments.record_payment import apply_event
from app.flows.work.cancel_tasks import cancel_tasks
from app.store import audit
from app.store.payments import lock_payment

LONGEST_REASON: Final = 500
"""Characters."""


async def settle_unclear(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    payment_id: UUID,
    paid: bool,
    reason: str,
    actor: str,
) -> None:
    """End an `unclear` payment: the money arrived, or it never will. Stands in the audit.

    Raises `NotFound`, `Invalid` without a reason, `Conflict` for a payment that is not unclear.
    """
    why = reason.strip()
    if not 0 < len(why) <= LONGEST_REASON:
        raise Invalid("reason", f"has 1 to {LONGEST_REASON} characters.")
    async with house.store.unit(lender_id) as unit:
        payment = await lock_payment(unit, payment_id)
        if payment.state != PaymentState.UNCLEAR.value:
            raise Conflict("What became of this payment is known.", code="NotUnclear")
        after = await apply_event(
            unit, now, payment, "settle" if paid else "cancel", actor=actor, raw_status=""
        )
        await cancel_tasks(
            unit,
            now,
            borrower_id=payment.borrower_id,
            reasons=(TaskReason.PAYMENT_UNCLEAR,),
            why="found_out",
            payment_id=payment_id,
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="settle_unclear",
            subject=str(payment_id),
            before={"state": payment.state},
            after={"state": after.after.value},
            reason=why,
        )
