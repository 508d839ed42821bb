"""The lender's ledger has the whole money of a payment: it has arrived, whatever its bank says.

At many banks the last word is that the order was taken, which proves nothing. There the ledger is
the proof; until then the payment is on its way, and all pressure rests.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select

from app.domain.payment import PAYMENT, PaymentState
from app.domain.task import TaskReason
from app.flows.actors import LENDER
from app.flows.payments.record_payment import apply_event
from app.flows.work.cancel_tasks import cancel_tasks
from app.store.payments import lock_payment, watch
from app.store.tables import repayments
from app.store.unit import Unit

_KNOWN: Final = (PaymentState.SETTLED, PaymentState.RETURNED)


async def settle_reported(unit: Unit, now: datetime, payment_id: UUID) -> None:
    """Settle the payment if the lender's reports cover it. Locks the borrower."""
    payment = await lock_payment(unit, payment_id)
    state = PaymentState(payment.state)
    if state in _KNOWN or state not in PAYMENT.sources("settle"):
        return
    reported = await unit.conn.scalar(
        select(func.sum(repayments.c.amount_minor)).where(
            repayments.c.payment_id == payment_id,
            repayments.c.source == "lender",
            repayments.c.counted,
            repayments.c.reversed_at.is_(None),
        )
    )
    if (reported or 0) < payment.amount_minor:
        return
    await apply_event(unit, now, payment, "settle", actor=LENDER)
    await cancel_tasks(
        unit,
        now,
        borrower_id=payment.borrower_id,
        reasons=(TaskReason.PAYMENT_UNCLEAR,),
        why="found_out",
        payment_id=payment_id,
    )
    # The bank is asked once more: where a page can be paid again, it is watched from then on.
    await watch(unit, payment_id, now)
