"""Look after every payment that may still become money, until its end is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import Row, update

from app.domain.breaker import Service
from app.domain.errors import AllowanceSpent, ProviderError, SaldoError, TryLater
from app.domain.ids import LenderId
from app.domain.payment import LIVE_STATES, WATCHED_STATES, PaymentState
from app.flows.actors import ROBOT
from app.flows.house import House
from app.flows.payments.ask_bank import ask_bank
from app.flows.payments.cancel_payment import still_wanted, try_to_cancel
from app.flows.payments.create_initiation import (
    Claim,
    claim_initiation,
    create_initiation,
    give_up_if_stale,
)
from app.flows.payments.leave_open import leave_open, stay_of
from app.flows.payments.record_payment import apply_event, watch_look
from app.flows.payments.start_payment import REQUEST_LASTS
from app.flows.providers.hear_banks import Call, hear_calls
from app.flows.side_by_side import side_by_side
from app.pay_ports import PaymentHandle
from app.store import jobs
from app.store.batches import is_behind, lease_due
from app.store.links import load_link, works
from app.store.payments import lenders_of, lock_payment, open_handle, watch
from app.store.tables import payments
from app.store.unit import Unit

log = structlog.get_logger("payments")

BATCH: Final = 20
# Business time a planned look has before it is planned again.
LEASE: Final = timedelta(minutes=2)
# Business time without a final word after which a person looks. A SEPA credit transfer takes one
# business day; five days cover a weekend with holidays on both sides.
UNCLEAR_AFTER: Final = timedelta(days=5)


@dataclass(frozen=True, slots=True)
class PaymentsPlanned:
    """Payments handed to jobs."""

    planned: int


class Look(StrEnum):
    """What one look at one payment led to."""

    NOTHING_NEW = "nothing_new"
    CHANGED = "changed"
    GIVEN_UP = "given_up"
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class PaymentsFollowed:
    """How many looks led to what."""

    looked: int
    changed: int
    given_up: int
    no_answer: int


async def plan_payments(house: House, now: datetime) -> PaymentsPlanned:
    """Hand every payment whose look is due to a job, and lease it until the job has run."""
    async with house.store.engine_unit() as unit:
        if await is_behind(unit, jobs.FOLLOW_PAYMENTS):
            return PaymentsPlanned(0)
        states = (*LIVE_STATES, *WATCHED_STATES)
        due = await lease_due(unit, payments, states, now, until=now + LEASE)
        for batch in due.in_batches(BATCH):
            await unit.defer(jobs.FOLLOW_PAYMENTS, ids=batch)
    return PaymentsPlanned(len(due.ids))


async def follow_payments(house: House, now: datetime, ids: list[UUID]) -> PaymentsFollowed:
    """Look at each payment once: sweep what a dead process left, ask the banks, record."""
    async with house.store.engine_unit() as unit:
        found = await lenders_of(unit, ids)

    calls: list[Call] = []

    async def one(item: tuple[UUID, UUID]) -> Look:
        return await _follow(house, now, LenderId(item[1]), item[0], calls)

    looks = await side_by_side(found, one)
    await hear_calls(house, now, Service.PAYMENTS, calls)
    return PaymentsFollowed(
        looked=len(looks),
        changed=looks.count(Look.CHANGED),
        given_up=looks.count(Look.GIVEN_UP),
        no_answer=looks.count(Look.NO_ANSWER),
    )


@dataclass(frozen=True, slots=True)
class _Ask:
    """The payment stands at the bank: cancel it if it is not wanted, else ask for its status.

    `stays`: it cannot be cancelled, and is left open once the borrower has had time to finish.
    """

    connector: str
    handle: PaymentHandle
    wanted: bool
    stays: bool


async def _follow(
    house: House, now: datetime, lender_id: LenderId, payment_id: UUID, calls: list[Call]
) -> Look:
    """One look. `calls` takes up how the bank answered when it was asked for a status."""
    house = await house.of(lender_id)
    async with house.store.unit(lender_id) as unit:
        payment = await lock_payment(unit, payment_id)
        todo = await _look_at(unit, house, now, payment)
    if isinstance(todo, Claim):
        await create_initiation(house, now, todo)
        return Look.CHANGED
    if isinstance(todo, Look):
        return todo
    if not (todo.wanted or todo.stays) and await try_to_cancel(house, now, lender_id, payment_id):
        return Look.CHANGED
    error: SaldoError | None = None
    try:
        look = await _ask(house, now, lender_id, payment, todo)
    except ProviderError as no_answer:
        error = no_answer
        return await _no_answer(house, now, lender_id, payment, no_answer)
    finally:
        calls.append(((payment.connector, payment.bank_id), payment.borrower_id, error))
    if not todo.wanted and todo.stays and await leave_open(house, now, lender_id, payment_id):
        return Look.CHANGED
    return look


async def _look_at(
    unit: Unit, house: House, now: datetime, payment: Row[Any]
) -> Look | Claim | _Ask:
    """What the row alone says, under the borrower's lock."""
    match PaymentState(payment.state):
        case PaymentState.CREATING:
            stale = await give_up_if_stale(unit, house, now, payment)
            return Look.GIVEN_UP if stale else Look.NOTHING_NEW
        case PaymentState.REQUESTED:
            link = None if payment.link_id is None else await load_link(unit, payment.link_id)
            fresh = now - payment.created_at < REQUEST_LASTS
            if fresh and link is not None and works(link, now):
                return await claim_initiation(unit, house, now, payment)
            await apply_event(unit, now, payment, "cancel", actor=ROBOT)
            return Look.GIVEN_UP
        case PaymentState.OPEN:
            wanted = await still_wanted(unit, house, now, payment)
        case (
            PaymentState.AUTHORISED
            | PaymentState.UNCLEAR
            | PaymentState.LEFT_OPEN
            | PaymentState.SETTLED
            | PaymentState.REJECTED
        ):
            wanted = True
        case _:
            return Look.NOTHING_NEW
    handle = open_handle(unit, payment)
    if handle is None:
        return Look.NOTHING_NEW
    return _Ask(payment.connector, handle, wanted, stay_of(house, payment) is not None)


async def _ask(
    house: House, now: datetime, lender_id: LenderId, payment: Row[Any], todo: _Ask
) -> Look:
    """Read the status at the bank. No transaction is open while we wait."""
    recorded = await ask_bank(house, now, lender_id, payment.id, todo.connector, todo.handle)
    if not recorded.changed and recorded.after is PaymentState.AUTHORISED:
        async with house.store.unit(lender_id) as unit:
            return await _too_long(unit, now, payment.id)
    return Look.CHANGED if recorded.changed else Look.NOTHING_NEW


async def _no_answer(
    house: House, now: datetime, lender_id: LenderId, payment: Row[Any], error: ProviderError
) -> Look:
    """Wait; after days without a word, a person looks. Nothing is concluded from silence."""
    log.info("payment_not_seen", payment_id=str(payment.id), error=type(error).__name__)
    wait = None
    if isinstance(error, TryLater):
        wait = error.after
    elif isinstance(error, AllowanceSpent) and error.until is not None:
        wait = error.until - now
    if PaymentState(payment.state) in WATCHED_STATES:
        async with house.store.unit(lender_id) as unit:
            await watch(unit, payment.id, watch_look(payment.created_at, now))
        return Look.NO_ANSWER
    async with house.store.unit(lender_id) as unit:
        if await _too_long(unit, now, payment.id) is Look.CHANGED:
            return Look.CHANGED
        if wait is not None:
            await unit.conn.execute(
                update(payments)
                .where(payments.c.id == payment.id, payments.c.state == payment.state)
                .values(next_look_at=now + min(wait, timedelta(hours=1)))
            )
    return Look.NO_ANSWER


async def _too_long(unit: Unit, now: datetime, payment_id: UUID) -> Look:
    """Has the end been unknown for so long that a person must find out?"""
    payment = await lock_payment(unit, payment_id)
    since = payment.authorised_at or payment.created_at
    waiting = (PaymentState.OPEN.value, PaymentState.AUTHORISED.value)
    if payment.state not in waiting or now - since < UNCLEAR_AFTER:
        return Look.NOTHING_NEW
    await apply_event(unit, now, payment, "lose_sight", actor=ROBOT, raw_status=payment.raw_status)
    return Look.CHANGED
