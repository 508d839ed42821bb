"""Draw the conclusions from what a bank said about a payment. One step, whoever asked the bank.

The truth about money is the bank's word, read by us; webhooks and returning browsers are hints to
read it sooner. Every word is applied under the borrower's lock and guarded by the lifecycle, so
that two who ask at once, or an answer that comes late, change things once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import Row, select, update

from app.domain.case import CASE, CaseClose
from app.domain.message import CancelReason
from app.domain.money import Money
from app.domain.payment import IN_FLIGHT_STATES, LINK, PAYMENT, LinkState, PaymentState
from app.domain.task import TaskReason
from app.flows.actors import BANK
from app.flows.cases.refresh_loan import refresh_loan
from app.flows.messages.tell_lender import LenderEvent
from app.flows.money.book_repayment import book_repayment
from app.flows.payments.payment_news import ask_a_person, tell, write_line
from app.flows.payments.return_payment import record_return
from app.flows.work.stop_pressure import stop_pressure
from app.pay_ports import PaymentNow, PayStatus
from app.store.brakes import in_peace
from app.store.dues import dues_of
from app.store.moves import move, move_all
from app.store.payments import CasePart, let_cases_go, lock_payment, parts_of
from app.store.tables import cases, payment_cases, payment_links, payments
from app.store.unit import Unit

log = structlog.get_logger("payments")

# What each word of a bank does to a payment; `open` does nothing.
_EVENT: Final = {
    PayStatus.AUTHORISED: "authorise",
    PayStatus.SETTLED: "settle",
    PayStatus.REJECTED: "reject",
    PayStatus.CANCELLED: "cancel",
    PayStatus.RETURNED: "return",
}
_MOVING: Final = (PayStatus.AUTHORISED, PayStatus.SETTLED)
_FAILED: Final = (PayStatus.REJECTED, PayStatus.CANCELLED)
_AT_THE_BANK: Final = (
    PaymentState.OPEN.value,
    PaymentState.AUTHORISED.value,
    PaymentState.UNCLEAR.value,
    PaymentState.LEFT_OPEN.value,
)
_ACCEPTED: Final = [*(state.value for state in IN_FLIGHT_STATES), PaymentState.SETTLED.value]
# Nobody has authorised it yet.
_UNANSWERED: Final = (PaymentState.OPEN, PaymentState.LEFT_OPEN)
_ENDED: Final = (
    PaymentState.REJECTED.value,
    PaymentState.CANCELLED.value,
    PaymentState.ABANDONED.value,
)

# How often the bank is asked, by how long ago the borrower tapped (business time). He stands
# before our page for the first minutes; later nobody waits.
_RHYTHM: Final = (
    (timedelta(minutes=10), timedelta(seconds=10)),
    (timedelta(hours=1), timedelta(minutes=1)),
    (timedelta(days=1), timedelta(minutes=15)),
)
_SELDOM: Final = timedelta(hours=1)
# One that nobody is to pay any more: how often, and for how long after the tap.
_WATCHED_EVERY: Final = timedelta(days=1)
WATCHED_FOR: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The payment's state before and after; equal when there was nothing new.

    `doubtful`: the bank's word contradicts what we hold. It may be an old word that was overtaken
    by a newer one on its way; whoever asked asks again and then says that he is sure.
    """

    before: PaymentState
    after: PaymentState
    doubtful: bool = False

    @property
    def changed(self) -> bool:
        """True when the state is another one now."""
        return self.before is not self.after


def next_look(created_at: datetime, now: datetime) -> datetime:
    """When to ask the bank again about a payment that was begun at `created_at`."""
    for age, every in _RHYTHM:
        if now - created_at < age:
            return now + every
    return now + _SELDOM


def watch_look(created_at: datetime, now: datetime) -> datetime | None:
    """When to ask about one again that nobody is to pay any more; None: no more."""
    if now - created_at >= WATCHED_FOR:
        return None
    return now + (_SELDOM if now - created_at < _WATCHED_EVERY else _WATCHED_EVERY)


async def record_payment(
    unit: Unit, now: datetime, payment_id: UUID, seen: PaymentNow, *, sure: bool = False
) -> Recorded:
    """Apply the bank's word. Locks the borrower, then the payment. Raises `NotFound`.

    A word that our lifecycle does not allow changes nothing. When it says that money moves on a
    payment that we hold for ended, or that one failed which we hold for paid, and the asker is
    `sure` (he asked after that end), it becomes a task: such a thing is looked at by a person.
    A no on a page that can be paid again ends nothing that nobody has said yes to.
    """
    payment = await lock_payment(unit, payment_id)
    state = PaymentState(payment.state)
    event = _EVENT.get(seen.status)
    if event is None or (seen.repeats and seen.status in _FAILED and state in _UNANSWERED):
        await _look_again(unit, now, payment, seen.raw_status)
        return Recorded(state, state)
    if state not in PAYMENT.sources(event):
        moves = seen.status in _MOVING and state.value in _ENDED
        doubtful = moves or (seen.status in _FAILED and state is PaymentState.SETTLED)
        if doubtful and sure:
            await _contradiction(unit, now, payment, seen)
        return Recorded(state, state, doubtful=doubtful)
    return await apply_event(unit, now, payment, event, raw_status=seen.raw_status, actor=BANK)


async def apply_event(
    unit: Unit,
    now: datetime,
    payment: Row[Any],
    event: str,
    *,
    actor: str,
    raw_status: str = "",
) -> Recorded:
    """Move a locked payment by one event of its lifecycle and carry out all that follows.

    `actor` and `raw_status` (the bank's own word) stand on the timeline.
    """
    before = PaymentState(payment.state)
    after = PAYMENT.step(before, event)
    if before is after:
        await _look_again(unit, now, payment, raw_status)
        return Recorded(before, after)
    if after is PaymentState.RETURNED:
        await record_return(unit, now, payment, reason=raw_status, actor=actor)
        return Recorded(before, after)
    await move(
        unit,
        payments,
        payment.id,
        PAYMENT,
        event,
        raw_status=raw_status or payment.raw_status,
        looks=payments.c.looks + 1,
        **_times(payment, after, now),
    )
    await write_line(unit, now, payment, after, actor=actor, raw_status=raw_status)
    if before is PaymentState.LEFT_OPEN and after.value in _ACCEPTED:
        log.warning("payment_left_open_moves", payment_id=str(payment.id), state=after.value)
    if after is PaymentState.AUTHORISED:
        await _accept(unit, now, payment)
        await tell(unit, now, payment, LenderEvent.PAYMENT_AUTHORISED)
    elif after is PaymentState.SETTLED:
        await _settled(unit, now, payment)
    elif after is PaymentState.UNCLEAR:
        await ask_a_person(unit, now, payment, TaskReason.PAYMENT_UNCLEAR, raw_status=raw_status)
    elif after is PaymentState.LEFT_OPEN:
        await let_cases_go(unit, payment.id)
    elif after.value in _ENDED:
        await _came_to_nothing(unit, now, payment, after, raw_status)
    return Recorded(before, after)


def _times(payment: Row[Any], after: PaymentState, now: datetime) -> dict[str, Any]:
    """The columns of time that go with a new state."""
    if after is PaymentState.AUTHORISED:
        return {"authorised_at": now, "next_look_at": next_look(payment.created_at, now)}
    if after is PaymentState.SETTLED:
        accepted = payment.authorised_at or now
        return {
            "authorised_at": accepted,
            "settled_at": now,
            "ended_at": now,
            "next_look_at": None,
        }
    if after.value in _ENDED:
        return {"ended_at": now, "next_look_at": None}
    if after is PaymentState.LEFT_OPEN:
        return {"left_at": now, "next_look_at": watch_look(payment.created_at, now)}
    return {"next_look_at": next_look(payment.created_at, now)}


async def _look_again(unit: Unit, now: datetime, payment: Row[Any], raw_status: str) -> None:
    """Nothing new, or a word that the connector does not know: ask again later."""
    if payment.state in _AT_THE_BANK:
        left = payment.state == PaymentState.LEFT_OPEN.value
        look = watch_look if left else next_look
        await unit.conn.execute(
            update(payments)
            .where(payments.c.id == payment.id)
            .values(
                raw_status=raw_status or payment.raw_status,
                looks=payments.c.looks + 1,
                next_look_at=look(payment.created_at, now),
            )
        )


async def _contradiction(unit: Unit, now: datetime, payment: Row[Any], seen: PaymentNow) -> None:
    log.warning(
        "payment_contradiction",
        payment_id=str(payment.id),
        ours=payment.state,
        theirs=seen.status.value,
    )
    await ask_a_person(unit, now, payment, TaskReason.PAYMENT_UNCLEAR, raw_status=seen.raw_status)


async def _accept(unit: Unit, now: datetime, payment: Row[Any]) -> None:
    """The borrower said yes at his bank: the link is spent, all pressure on him stops.

    A collector's task stays when the payment leaves a part of the case unpaid.
    """
    if payment.link_id is not None:
        await move_all(unit, payment_links, [payment.link_id], LINK, "spend", ended_at=now)
    parts = await parts_of(unit, payment.id)
    await move_all(unit, cases, [part.case_id for part in parts], CASE, "payment_authorised")
    await stop_pressure(
        unit,
        now,
        borrower_id=payment.borrower_id,
        case_ids=None,
        why=CancelReason.PAYMENT_IN_FLIGHT,
    )
    whole = await _paid_whole(unit, now, payment.borrower_id, parts)
    if whole:
        await stop_pressure(
            unit,
            now,
            borrower_id=payment.borrower_id,
            case_ids=whole,
            why=CancelReason.PAYMENT_IN_FLIGHT,
            end_signals=False,
            cancel_tasks=True,
        )


async def _paid_whole(
    unit: Unit, now: datetime, borrower_id: UUID, parts: tuple[CasePart, ...]
) -> list[UUID]:
    """The cases of which the payment covers all that is due."""
    found = (await dues_of(unit, (borrower_id,), now)).get(borrower_id, ())
    due = {one.loan_id: one.amount for one in found}
    return [
        part.case_id
        for part in parts
        if part.loan_id not in due or part.amount >= due[part.loan_id]
    ]


async def _settled(unit: Unit, now: datetime, payment: Row[Any]) -> None:
    """The money has moved: book it on the loans, let the cases go, give back what is too much."""
    if payment.state != PaymentState.AUTHORISED.value:
        await _accept(unit, now, payment)
    await let_cases_go(unit, payment.id)
    parts = await parts_of(unit, payment.id)
    await _end_flight(unit, payment, parts)
    overpaid = Money.zero(payment.currency)
    for part in parts:
        booked = await book_repayment(
            unit,
            now,
            loan_id=part.loan_id,
            amount=part.amount,
            external_ref=payment.end_to_end_ref,
            source="saldo",
            paid_at=now,
            payment_id=payment.id,
        )
        overpaid += booked.overpaid
    for part in parts:
        await refresh_loan(unit, now, part.loan_id, because=CaseClose.PAID_THROUGH_SALDO)
    if overpaid:
        await ask_a_person(unit, now, payment, TaskReason.OVERPAID, overpaid_minor=overpaid.minor)
    await tell(unit, now, payment, LenderEvent.PAYMENT_SETTLED)


async def _came_to_nothing(
    unit: Unit, now: datetime, payment: Row[Any], after: PaymentState, raw_status: str
) -> None:
    """Refused, cancelled or abandoned: the cases may be paid by another payment.

    The link works again until its end. A person is asked only where the borrower cannot simply
    try once more: the bank would not make the payment at all, took back its yes, or the link is
    over. Nobody is asked while a hold leaves him in peace: he may pay, and is not called about it.
    """
    await let_cases_go(unit, payment.id)
    parts = await parts_of(unit, payment.id)
    await _end_flight(unit, payment, parts)
    works = await _revive_link(unit, now, payment)
    tries_again = works and payment.state == PaymentState.OPEN.value
    taken_back = payment.state == PaymentState.AUTHORISED.value
    held = payment.state == PaymentState.LEFT_OPEN.value or await in_peace(
        unit, now, payment.borrower_id, parts[0].case_id
    )
    if not held and (taken_back or (after is PaymentState.REJECTED and not tries_again)):
        await ask_a_person(unit, now, payment, TaskReason.PAYMENT_REJECTED, raw_status=raw_status)
    if after is PaymentState.REJECTED or payment.state in _AT_THE_BANK:
        await tell(unit, now, payment, LenderEvent.PAYMENT_FAILED)


async def _end_flight(unit: Unit, payment: Row[Any], parts: tuple[CasePart, ...]) -> None:
    """Nothing of this payment is on its way any more; of another one of the case something may be:
    one that was left open is authorised all the same at times.
    """
    busy = await unit.conn.scalars(
        select(payment_cases.c.case_id)
        .join(payments, payments.c.id == payment_cases.c.payment_id)
        .where(
            payments.c.borrower_id == payment.borrower_id,
            payments.c.id != payment.id,
            payments.c.state.in_([state.value for state in IN_FLIGHT_STATES]),
        )
    )
    still = set(busy)
    over = [part.case_id for part in parts if part.case_id not in still]
    await move_all(unit, cases, over, CASE, "payment_ended")


async def _revive_link(unit: Unit, now: datetime, payment: Row[Any]) -> bool:
    """Let the link that led here work again; False when its time is over."""
    if payment.link_id is None:
        return False
    link = (
        await unit.conn.execute(select(payment_links).where(payment_links.c.id == payment.link_id))
    ).one()
    if now >= link.expires_at:
        return False
    if link.state == LinkState.SPENT.value:
        if await _paid_otherwise(unit, payment):
            return False
        await move(unit, payment_links, link.id, LINK, "revive", ended_at=None)
        return True
    return bool(link.state == LinkState.LIVE.value)


async def _paid_otherwise(unit: Unit, payment: Row[Any]) -> bool:
    """Has another payment been accepted for the same link?"""
    found = await unit.conn.scalar(
        select(payments.c.id)
        .where(
            payments.c.link_id == payment.link_id,
            payments.c.id != payment.id,
            payments.c.state.in_(_ACCEPTED),
        )
        .limit(1)
    )
    return found is not None
