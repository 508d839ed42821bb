"""Take the pressure off a person: what is queued does not leave, what was seen is forgotten.

Called by everything that ends the reason for a contact: money came, is on its way, is not owed,
must not be asked for. A message already handed to the provider cannot be called back; whatever
looks it up later goes through the last look again before anything more is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Select, and_, exists, or_, select, update

from app.domain.case import CaseState
from app.domain.message import CancelReason, MessageState
from app.domain.payment import LINK, LinkState, PaymentState
from app.domain.task import TASK, TaskReason, TaskState
from app.flows.actors import ROBOT
from app.flows.messages.cancel_messages import cancel_messages
from app.store import timeline
from app.store.accounts import rearm
from app.store.locks import lock_borrower
from app.store.moves import move_all
from app.store.tables import (
    cases,
    funds_signals,
    messages,
    payment_links,
    payments,
    signal_cases,
    tasks,
)
from app.store.timeline import Kind, Line
from app.store.unit import Unit

# The word a signal ends with, by what ended it.
_SIGNAL_END: Final = {
    CancelReason.PAID: "paid",
    CancelReason.PAYMENT_IN_FLIGHT: "paid",
    CancelReason.NOTHING_DUE: "closed",
    CancelReason.HOLD: "hold",
    CancelReason.CONSENT_ENDED: "consent_ended",
    CancelReason.MONEY_GONE: "money_gone",
    CancelReason.PROMISED: "promised",
}

# Money that is still there when the hold is over or the payment came to nothing counts as new.
_MAY_COME_BACK: Final = (
    CancelReason.HOLD,
    CancelReason.PAYMENT_IN_FLIGHT,
    CancelReason.REPLACED,
)
# These need an answer though nothing is owed any more.
_OUTLIVES_THE_DEBT: Final = (
    TaskReason.OVERPAID.value,
    TaskReason.PAYMENT_UNCLEAR.value,
    TaskReason.BORROWER_DISPUTES.value,
)


@dataclass(frozen=True, slots=True)
class Eased:
    """What was stopped."""

    messages: int
    signals: int
    tasks: int
    links: int


async def stop_pressure(
    unit: Unit,
    now: datetime,
    *,
    borrower_id: UUID,
    case_ids: Sequence[UUID] | None,
    why: CancelReason,
    end_signals: bool = True,
    cancel_tasks: bool = False,
    withdraw_links: bool = False,
) -> Eased:
    """Cancel what is queued for the borrower; `case_ids=None` means all his cases.

    What also concerns another open case of his stays: a message speaks for all of them, and the
    last look before sending takes it from there. Tasks about money in the wrong place outlive the
    debt. Withdrawing links also hurries the look at a payment that is begun and not authorised,
    which follow_payments then cancels at the bank.
    """
    person = await lock_borrower(unit, borrower_id)
    stopped = None if case_ids is None else list(case_ids)
    details = {"why": why.value}
    lines: list[Line] = []

    cancelled = await _cancel_messages(unit, now, borrower_id, stopped, why)
    ended = await _end_signals(unit, now, borrower_id, stopped, why) if end_signals else []
    lines += [
        Line(
            borrower_id,
            Kind.SIGNAL_ENDED,
            ROBOT,
            {**details, "signal_id": str(signal_id)},
            lender_id=person.lender_id,
        )
        for signal_id in ended
    ]
    dropped = await _cancel_tasks(unit, now, borrower_id, stopped, why) if cancel_tasks else []
    lines += [
        Line(
            borrower_id,
            Kind.TASK_CHANGED,
            ROBOT,
            {**details, "task_id": str(task_id), "state": TaskState.CANCELLED.value},
            case_id,
            person.lender_id,
        )
        for task_id, case_id in dropped
    ]
    links = await _withdraw_links(unit, now, borrower_id, stopped) if withdraw_links else []
    await timeline.write(unit, now, lines)
    return Eased(len(cancelled), len(ended), len(dropped), len(links))


async def _cancel_messages(
    unit: Unit, now: datetime, borrower_id: UUID, stopped: list[UUID] | None, why: CancelReason
) -> list[UUID]:
    query = select(messages.c.id).where(
        messages.c.borrower_id == borrower_id, messages.c.state == MessageState.QUEUED.value
    )
    if stopped is not None:
        query = query.where(messages.c.case_ids.contained_by(stopped))
    return await cancel_messages(unit, now, list(await unit.conn.scalars(query)), why)


async def _end_signals(
    unit: Unit, now: datetime, borrower_id: UUID, stopped: list[UUID] | None, why: CancelReason
) -> list[UUID]:
    query = (
        update(funds_signals)
        .where(funds_signals.c.borrower_id == borrower_id, funds_signals.c.ended_at.is_(None))
        .values(ended_at=now, ended_why=_SIGNAL_END.get(why, "closed"))
        .returning(funds_signals.c.id)
    )
    if stopped is not None:
        query = query.where(~exists(_other_case_of_the_signal(stopped)))
    ended = list(await unit.conn.scalars(query))
    if ended and why in _MAY_COME_BACK:
        await rearm(unit, (borrower_id,))
    return ended


def _other_case_of_the_signal(stopped: list[UUID]) -> Select[tuple[UUID]]:
    """A case outside `stopped` that the signal was raised for and that is still open."""
    return (
        select(signal_cases.c.case_id)
        .join(cases, cases.c.id == signal_cases.c.case_id)
        .where(
            signal_cases.c.signal_id == funds_signals.c.id,
            signal_cases.c.case_id.not_in(stopped),
            cases.c.state == CaseState.OPEN.value,
        )
        .correlate(funds_signals)
    )


async def _cancel_tasks(
    unit: Unit, now: datetime, borrower_id: UUID, stopped: list[UUID] | None, why: CancelReason
) -> list[tuple[UUID, UUID | None]]:
    query = select(tasks.c.id, tasks.c.case_id).where(
        tasks.c.borrower_id == borrower_id,
        tasks.c.state.in_((TaskState.OPEN.value, TaskState.TAKEN.value)),
        tasks.c.reason.not_in(_OUTLIVES_THE_DEBT),
    )
    if stopped is not None:
        alone = ~exists(_other_open_case(borrower_id, stopped))
        query = query.where(
            or_(tasks.c.case_id.in_(stopped), and_(tasks.c.case_id.is_(None), alone))
        )
    case_of = {row.id: row.case_id for row in await unit.conn.execute(query.with_for_update())}
    moved = await move_all(
        unit,
        tasks,
        list(case_of),
        TASK,
        "cancel",
        cancel_reason=why.value,
        ended_at=now,
        leased_until=None,
    )
    return [(task_id, case_of[task_id]) for task_id in moved]


async def _withdraw_links(
    unit: Unit, now: datetime, borrower_id: UUID, stopped: list[UUID] | None
) -> list[UUID]:
    query = select(payment_links.c.id).where(
        payment_links.c.borrower_id == borrower_id, payment_links.c.state == LinkState.LIVE.value
    )
    if stopped is not None:
        # A link is for the person: it lives on while another of his cases is open.
        query = query.where(~exists(_other_open_case(borrower_id, stopped)))
    found = list(await unit.conn.scalars(query.with_for_update()))
    moved = await move_all(unit, payment_links, found, LINK, "withdraw", ended_at=now)
    # A payment begun and not yet authorised may be for what is no longer due: look at once.
    await unit.conn.execute(
        update(payments)
        .where(
            payments.c.borrower_id == borrower_id,
            payments.c.state.in_((PaymentState.REQUESTED.value, PaymentState.OPEN.value)),
        )
        .values(next_look_at=now)
    )
    return moved


def _other_open_case(borrower_id: UUID, stopped: list[UUID]) -> Select[tuple[UUID]]:
    return select(cases.c.id).where(
        cases.c.borrower_id == borrower_id,
        cases.c.state != CaseState.CLOSED.value,
        cases.c.id.not_in(stopped),
    )
