"""Say what happened to a payment: on the timeline, to the lender, and to a person if need be."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from app.domain.payment import PaymentState
from app.domain.task import TaskReason
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.work.open_task import open_task
from app.store import timeline
from app.store.payments import parts_of
from app.store.timeline import Kind, Line
from app.store.unit import Unit


async def write_line(
    unit: Unit,
    now: datetime,
    payment: Row[Any],
    after: PaymentState,
    *,
    actor: str,
    raw_status: str = "",
) -> None:
    """One line on each of the payment's cases. `payment` is the row as it was before."""
    details = {
        "payment_id": str(payment.id),
        "before": payment.state,
        "state": after.value,
        "raw_status": raw_status,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
    }
    parts = await parts_of(unit, payment.id)
    await timeline.write(
        unit,
        now,
        [
            Line(
                payment.borrower_id,
                Kind.PAYMENT_CHANGED,
                actor,
                details,
                part.case_id,
                payment.lender_id,
            )
            for part in parts
        ],
    )


async def tell(unit: Unit, now: datetime, payment: Row[Any], event: LenderEvent) -> None:
    """Tell the lender's system, with the reference that its bank statement will show."""
    parts = await parts_of(unit, payment.id)
    await tell_lender(
        unit,
        now,
        event=event,
        subject_id=payment.id,
        payload={
            "payment_id": str(payment.id),
            "end_to_end_ref": payment.end_to_end_ref,
            "amount": {"minor": payment.amount_minor, "currency": payment.currency},
            "parts": [
                {
                    "case_id": str(part.case_id),
                    "loan_id": str(part.loan_id),
                    "amount": {"minor": part.amount.minor, "currency": part.amount.currency},
                }
                for part in parts
            ],
            "at": now.isoformat(),
        },
        lender_id=payment.lender_id,
    )


async def ask_a_person(
    unit: Unit, now: datetime, payment: Row[Any], reason: TaskReason, **situation: Any
) -> UUID | None:
    """A task about this payment, on its first case."""
    parts = await parts_of(unit, payment.id)
    return await open_task(
        unit,
        now,
        borrower_id=payment.borrower_id,
        case_id=parts[0].case_id if parts else None,
        reason=reason,
        cause=payment.id,
        situation={
            "payment_id": str(payment.id),
            "end_to_end_ref": payment.end_to_end_ref,
            "bank_id": payment.bank_id,
            "paid_minor": payment.amount_minor,
            "currency": payment.currency,
            **situation,
        },
        lender_id=payment.lender_id,
    )
