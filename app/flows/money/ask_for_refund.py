"""Put money that no instalment took before a person: it may be owed back."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row

from app.domain.money import Money
from app.domain.task import TaskReason
from app.flows.work.open_task import open_task
from app.store.unit import Unit


async def ask_for_refund(
    unit: Unit,
    now: datetime,
    loan: Row[Any],
    *,
    paid: Money,
    overpaid: Money,
    external_ref: str,
    told_by: Literal["api", "import"],
) -> None:
    """Open one task for what was too much of the repayment `external_ref`; none for nothing.

    He has no debt left on this loan that the money could serve: it is to go back to him.
    """
    if not overpaid:
        return
    await open_task(
        unit,
        now,
        borrower_id=loan.borrower_id,
        case_id=loan.case_id,
        reason=TaskReason.OVERPAID,
        cause=f"{loan.id}|{external_ref}",
        situation={
            "overpaid_minor": overpaid.minor,
            "paid_minor": paid.minor,
            "currency": paid.currency,
            "loan": loan.external_ref,
            "source": told_by,
        },
    )
