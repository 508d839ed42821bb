"""What Saldo did for a lender: signals, messages, payments, and the tasks it left to people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, select

from app.domain.message import MessageState
from app.domain.payment import PaymentState
from app.domain.task import TaskReason, TaskState
from app.reports.slices import Key, grouped, narrowed, one, with_borrower
from app.store.tables import (
    funds_signals,
    loans,
    messages,
    payment_cases,
    payments,
    signal_cases,
    tasks,
)
from app.store.unit import Unit

SIGNALS_BY: Final[Key] = (funds_signals.c.raised_at, funds_signals.c.id)
PAYMENTS_BY: Final[Key] = (payments.c.id,)
MESSAGES_BY: Final[Key] = (messages.c.id,)
TASKS_BY: Final[Key] = (tasks.c.id,)


def signals_query(*, borrower: str | None = None, live: bool = False) -> Select[Any]:
    """Funds signals: that there is money, how far it reaches, never how much."""
    query = with_borrower(
        funds_signals,
        funds_signals.c.id,
        funds_signals.c.raised_at,
        funds_signals.c.covers,
        funds_signals.c.ended_at,
        funds_signals.c.ended_why,
        funds_signals.c.decided_at,
    )
    if live:
        query = query.where(funds_signals.c.ended_at.is_(None))
    return narrowed(query, funds_signals, borrower)


async def cases_of_signals(unit: Unit, signal_ids: Iterable[UUID]) -> Mapping[UUID, list[Row[Any]]]:
    """How far each signal reaches over the borrower's cases."""
    query = select(signal_cases).where(signal_cases.c.signal_id.in_(list(signal_ids)))
    return grouped(await unit.conn.execute(query), "signal_id")


def messages_query(
    *, borrower: str | None = None, state: MessageState | None = None
) -> Select[Any]:
    """Messages without their text: it holds the link."""
    query = with_borrower(
        messages,
        messages.c.id,
        messages.c.channel,
        messages.c.wording,
        messages.c.language,
        messages.c.state,
        messages.c.signal_id,
        messages.c.case_ids,
        messages.c.created_at,
        messages.c.sent_at,
        messages.c.ended_at,
        messages.c.cancel_reason,
        messages.c.error_code,
        messages.c.verdict,
    )
    return narrowed(query, messages, borrower, state)


async def message_of(unit: Unit, message_id: UUID) -> Row[Any]:
    """One message. Raises `NotFound`."""
    return await one(unit, messages_query().where(messages.c.id == message_id), "message")


def payments_query(
    *, borrower: str | None = None, state: PaymentState | None = None
) -> Select[Any]:
    """Payments, without what identifies the payer."""
    query = with_borrower(
        payments,
        payments.c.id,
        payments.c.amount_minor,
        payments.c.currency,
        payments.c.state,
        payments.c.end_to_end_ref,
        payments.c.connector,
        payments.c.bank_id,
        payments.c.instant,
        payments.c.created_at,
        payments.c.authorised_at,
        payments.c.settled_at,
        payments.c.ended_at,
    )
    return narrowed(query, payments, borrower, state)


async def payment_of(unit: Unit, payment_id: UUID) -> Row[Any]:
    """One payment. Raises `NotFound`."""
    return await one(unit, payments_query().where(payments.c.id == payment_id), "payment")


async def loans_of_payments(
    unit: Unit, payment_ids: Iterable[UUID]
) -> Mapping[UUID, list[Row[Any]]]:
    """Which loans each payment serves, and with how much (minor units)."""
    query = (
        select(
            payment_cases.c.payment_id,
            payment_cases.c.case_id,
            payment_cases.c.amount_minor,
            loans.c.external_ref.label("loan_ref"),
        )
        .join(loans, loans.c.id == payment_cases.c.loan_id)
        .where(payment_cases.c.payment_id.in_(list(payment_ids)))
        .order_by(loans.c.external_ref)
    )
    return grouped(await unit.conn.execute(query), "payment_id")


def tasks_query(
    *,
    borrower: str | None = None,
    state: TaskState | None = None,
    reason: TaskReason | None = None,
) -> Select[Any]:
    """Tasks for people."""
    query = with_borrower(
        tasks,
        tasks.c.id,
        tasks.c.case_id,
        tasks.c.reason,
        tasks.c.state,
        tasks.c.priority,
        tasks.c.situation,
        tasks.c.created_at,
        tasks.c.not_before,
        tasks.c.ended_at,
        tasks.c.outcome,
        tasks.c.note,
        tasks.c.cancel_reason,
    )
    if reason is not None:
        query = query.where(tasks.c.reason == reason.value)
    return narrowed(query, tasks, borrower, state)


async def task_of(unit: Unit, task_id: UUID) -> Row[Any]:
    """One task. Raises `NotFound`."""
    return await one(unit, tasks_query().where(tasks.c.id == task_id), "task")
