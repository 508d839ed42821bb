"""Where the house stands, in ten counts. Each is one SELECT that anybody can check by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, exists, func, select

from app.domain.payment import PaymentState
from app.domain.task import TaskReason, TaskState
from app.store.dues import last_due_day
from app.store.tables import (
    cases,
    funds_signals,
    instalments,
    lenders,
    loans,
    messages,
    payment_cases,
    payments,
    read_attempts,
    tasks,
)
from app.store.unit import Unit

# What a read attempt notes when a bank refused it because its allowance was spent.
REFUSED: Final = "limited"
_WAITING: Final = (TaskState.OPEN.value, TaskState.TAKEN.value)


@dataclass(frozen=True, slots=True)
class Counts:
    """All but the invariants. What the unit may see is what is counted: one lender, or all."""

    loans_open: int
    loans_recovered: int
    signals: int
    messages_sent: int
    payments_settled: int
    tasks_open: int
    owed_unconfirmed: int
    reads: int
    reads_refused: int


async def status_of(unit: Unit, now: datetime) -> Counts:
    """The counts at `now` (business time)."""
    values = [int(await unit.conn.scalar(query) or 0) for query in _queries(now)]
    return Counts(*values)


async def stages_of(unit: Unit) -> dict[str, int]:
    """How many open cases stand in each stage of their strategies, by the stage's name.

    "" is before the first stage, or without a strategy.
    """
    rows = await unit.conn.execute(
        select(cases.c.stage, func.count().label("cases"))
        .where(cases.c.state != "closed")
        .group_by(cases.c.stage)
        .order_by(func.count().desc(), cases.c.stage)
    )
    return {row.stage: int(row.cases) for row in rows}


def _queries(now: datetime) -> tuple[Select[Any], ...]:
    count = func.count()
    return (
        select(count).select_from(cases).where(cases.c.state != "closed"),
        select(count).select_from(loans).where(_paid_by_saldo(), ~_something_due(now)),
        select(count).select_from(funds_signals),
        select(count).select_from(messages).where(messages.c.sent_at.is_not(None)),
        select(count).select_from(payments).where(payments.c.state == PaymentState.SETTLED.value),
        select(count).select_from(tasks).where(tasks.c.state.in_(_WAITING)),
        select(count)
        .select_from(tasks)
        .where(tasks.c.state.in_(_WAITING), tasks.c.reason == TaskReason.OWED_AMOUNT_STALE.value),
        select(count).select_from(read_attempts),
        select(count).select_from(read_attempts).where(read_attempts.c.outcome == REFUSED),
    )


def _paid_by_saldo() -> Any:
    """At least one Saldo payment of this loan is settled, and was not returned."""
    return exists(
        select(payment_cases.c.payment_id)
        .join(payments, payments.c.id == payment_cases.c.payment_id)
        .where(
            payment_cases.c.loan_id == loans.c.id,
            payments.c.state == PaymentState.SETTLED.value,
        )
    )


def _something_due(now: datetime) -> Any:
    """An instalment is due and not paid in full."""
    return exists(
        select(instalments.c.id)
        .join(lenders, lenders.c.id == instalments.c.lender_id)
        .where(
            instalments.c.loan_id == loans.c.id,
            instalments.c.paid_minor < instalments.c.amount_minor,
            instalments.c.due_on <= last_due_day(now),
            loans.c.state == "active",
        )
    )
