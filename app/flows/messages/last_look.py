"""The last look, in the moment before a text leaves: is every reason for it still there?

It runs under the borrower's lock, in the transaction that takes the message for sending. What was
true when the message was queued counts for nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import Row, and_, select, update

from app.domain.breaker import BreakerState, Service
from app.domain.case import CaseState
from app.domain.consent import ConsentState
from app.domain.contact_policy import ContactPurpose
from app.domain.message import CancelReason, Channel
from app.domain.payee import unpayable_words
from app.domain.strategy import PERSON_FIRST
from app.domain.task import TaskReason
from app.domain.template import Cause
from app.flows.cases.look_at_person import Person, look_at_person
from app.flows.house import House
from app.flows.messages.ask_gate import Asked, ask_gate, verdict_notes
from app.flows.messages.still_said import say_anew, still_said
from app.flows.money.ask_owed import ask_owed, stale
from app.flows.payments.ways_to_pay import moved_by, unpayable
from app.store.brakes import silenced
from app.store.dues import Due
from app.store.links import load_link, works
from app.store.tables import accounts, consents, funds_signals, messages, provider_health
from app.store.unit import Unit

# Business times. A text that could not be delivered before its window closes waits for the next.
_SHORTEST_VALIDITY: Final = timedelta(minutes=2)
# What was read longer ago is no reason to write to somebody today.
_READING_LASTS: Final = timedelta(hours=24)
_READ_AGAIN: Final = timedelta(hours=1)
_BANK_AGAIN: Final = timedelta(minutes=15)
_PAYING_NOW: Final = timedelta(minutes=10)
# How long the lender's system has to say what is owed, and how often we look for its answer.
_OWED_PATIENCE: Final = timedelta(hours=4)
_OWED_AGAIN: Final = timedelta(minutes=15)
_OWED_ASKED: Final = "owed_asked_at"


@dataclass(frozen=True, slots=True)
class Leave:
    """It may leave now. It speaks of `case_ids` and is worth delivering until `valid_until`."""

    case_ids: tuple[UUID, ...]
    valid_until: datetime
    asked: Asked


@dataclass(frozen=True, slots=True)
class Later:
    """Not now; look again at `at` (business time).

    `by_the_clock`: the borrower's hours, his holidays or a cap put it off, and then it may leave.
    All other waiting ends with the link's own time.
    """

    at: datetime
    why: str
    by_the_clock: bool = False


@dataclass(frozen=True, slots=True)
class Never:
    """Its reason is gone. `task` is set where a person must go on.

    `unsure` are the debts whose amount nobody confirmed: people have to find out. `asked` is set
    where it was the gate that refused.
    """

    why: CancelReason
    task: TaskReason | None = None
    because: str = ""
    unsure: tuple[Due, ...] = ()
    asked: Asked | None = None


@dataclass(frozen=True, slots=True)
class Withhold:
    """The lender went into observe-only mode: it would have left."""


Look: TypeAlias = Leave | Later | Never | Withhold


async def last_look(unit: Unit, house: House, now: datetime, message: Row[Any]) -> Look:
    """Judge one queued message. The caller has locked it (borrower first)."""
    person = await look_at_person(unit, now, message.borrower_id)
    about_funds = message.cause == Cause.FUNDS.value
    look = await (_look_at_ask if about_funds else _look_at_notice)(
        unit, house, now, person, message
    )
    if isinstance(look, Never) and not about_funds:
        # The strategy goes on by itself; nobody has to stand in for a notice.
        return Never(look.why, unsure=look.unsure, asked=look.asked)
    return look


async def _look_at_notice(
    unit: Unit, house: House, now: datetime, person: Person, message: Row[Any]
) -> Look:
    """A notice needs no money in sight, but everything else; and it speaks of today's amounts."""
    before = await _before_all(unit, now, person, message)
    if before is not None:
        return before
    standing = await still_said(unit, now, person, message)
    if standing.gone is not None:
        return Never(standing.gone)
    if person.payment is not None:
        return Later(now + _PAYING_NOW, "He is paying this moment.")
    closed = await _closed(unit, house, person, standing.dues)
    if closed is not None:
        return closed
    unsure = await _owed_fresh(unit, house, now, message, standing.dues)
    if unsure is not None:
        return unsure
    look = await _gate(unit, house, now, person, message, standing.dues)
    if isinstance(look, Leave) and not await say_anew(
        unit, house, now, person, message, standing.dues
    ):
        return Never(CancelReason.REPLACED)
    return look


async def _before_all(
    unit: Unit, now: datetime, person: Person, message: Row[Any]
) -> Never | Withhold | None:
    """What stops any message, whatever it is about."""
    link = await load_link(unit, message.link_id)
    if not works(link, now):
        return Never(
            CancelReason.LINK_EXPIRED, TaskReason.SMS_BLOCKED, "It could not leave in time."
        )
    if person.lender.observe_only:
        return Withhold()
    channel = Channel(message.channel)
    no_address = _no_address(person, channel)
    if no_address is not None:
        return no_address
    demanded = message.purpose == ContactPurpose.REQUIRED_NOTICE.value
    if not demanded and await silenced(unit, (person.id,), channel):
        return Never(CancelReason.OPTED_OUT)
    return None


async def _look_at_ask(
    unit: Unit, house: House, now: datetime, person: Person, message: Row[Any]
) -> Look:
    """Click & Pay: the money that it is about has to be in sight still."""
    before = await _before_all(unit, now, person, message)
    if before is not None:
        return before
    dues = _about(person, message)
    gone = _reason_gone(person, message, dues)
    if gone is not None:
        return gone
    if person.payment is not None:
        return Later(now + _PAYING_NOW, "He is paying this moment.")
    closed = await _closed(unit, house, person, dues)
    if closed is not None:
        return closed
    seen = await _money_seen(unit, now, message)
    if seen is not None:
        return seen
    unsure = await _owed_fresh(unit, house, now, message, dues)
    if unsure is not None:
        return unsure
    return await _gate(unit, house, now, person, message, dues)


async def _closed(unit: Unit, house: House, person: Person, dues: tuple[Due, ...]) -> Never | None:
    """Behind its link nothing of it could be paid: account or provider are others by now."""
    currencies = [due.currency for due in dues]
    closed = await unpayable(unit, person.lender, currencies, moved_by(house))
    if not closed or not closed.keys() >= set(currencies):
        return None
    because = unpayable_words(closed[currencies[0]], currencies[0])
    return Never(CancelReason.UNPAYABLE, TaskReason.COLLECTOR_ACTS, because)


def _no_address(person: Person, channel: Channel) -> Never | None:
    """Without an e-mail address the other ways go on; without a number a person has to act."""
    if channel is Channel.EMAIL:
        missing = person.row.email_enc is None
        return Never(CancelReason.ADDRESS_MISSING) if missing else None
    if channel is Channel.PUSH:
        return None
    if person.row.phone_enc is None:
        return Never(CancelReason.PHONE_MISSING, TaskReason.SMS_BLOCKED, "No telephone number.")
    if person.row.phone_doubted_at is not None and channel is Channel.SMS:
        because = "It is not sure that this number is his."
        return Never(CancelReason.PHONE_MISSING, TaskReason.SMS_BLOCKED, because)
    return None


def _about(person: Person, message: Row[Any]) -> tuple[Due, ...]:
    """What the message was queued for and is still due, not on hold, promised or being paid."""
    return tuple(
        due
        for due in person.dues
        if due.case_id is not None
        and due.case_id in message.case_ids
        and due.case_state is CaseState.OPEN
        and not person.holds_on(due.case_id)
        and due.case_id not in person.promises
    )


def _reason_gone(person: Person, message: Row[Any], dues: tuple[Due, ...]) -> Never | None:
    if person.in_flight:
        return Never(CancelReason.PAYMENT_IN_FLIGHT)
    if not dues:
        due = any(one.case_id in message.case_ids for one in person.dues)
        if due and not person.promises.keys().isdisjoint(message.case_ids):
            return Never(CancelReason.PROMISED)
        return Never(CancelReason.HOLD if due else CancelReason.NOTHING_DUE)
    if any(
        not PERSON_FIRST.isdisjoint(person.tasks_on(due.case_id))
        for due in dues
        if due.case_id is not None
    ):
        return Never(CancelReason.HOLD)
    return None


async def _money_seen(unit: Unit, now: datetime, message: Row[Any]) -> Never | Later | None:
    """Is money still in sight, under a consent that still carries, and lately enough?"""
    rows = await unit.conn.execute(
        select(
            accounts.c.last_read_at,
            consents.c.state,
            consents.c.ends_at,
            (provider_health.c.state != BreakerState.CLOSED.value).label("down"),
        )
        .join(accounts, accounts.c.id == funds_signals.c.account_id)
        .join(consents, consents.c.id == accounts.c.consent_id)
        .outerjoin(
            provider_health,
            and_(
                provider_health.c.connector == accounts.c.connector,
                provider_health.c.bank_id == accounts.c.bank_id,
                provider_health.c.service == Service.BALANCES.value,
            ),
        )
        .where(
            funds_signals.c.borrower_id == message.borrower_id,
            funds_signals.c.ended_at.is_(None),
        )
    )
    live = rows.all()
    if not live:
        ended = await unit.conn.scalar(
            select(funds_signals.c.ended_why).where(funds_signals.c.id == message.signal_id)
        )
        by_consent = ended == "consent_ended"
        return Never(CancelReason.CONSENT_ENDED if by_consent else CancelReason.MONEY_GONE)
    allowed = [
        row
        for row in live
        if row.state == ConsentState.ACTIVE.value and (row.ends_at is None or now < row.ends_at)
    ]
    if not allowed:
        return Never(CancelReason.CONSENT_ENDED)
    if all(row.down for row in allowed):
        # Nobody can see whether it is still there, and he could hardly pay from it now.
        return Later(now + _BANK_AGAIN, "The bank does not answer at the moment.")
    last = max((row.last_read_at for row in allowed if row.last_read_at), default=None)
    if last is None or now - last > _READING_LASTS:
        return Later(now + _READ_AGAIN, "The account has not been read for a day.")
    return None


async def _owed_fresh(
    unit: Unit, house: House, now: datetime, message: Row[Any], dues: tuple[Due, ...]
) -> Never | Later | None:
    """An amount the lender has not confirmed lately is asked for, for a while, and then refused."""
    unsure = stale(dues, now, house.settings.owed_max_age)
    if not unsure:
        return None
    refused = Never(CancelReason.OWED_AMOUNT_STALE, unsure=unsure)
    verdict = dict(message.verdict or {})
    asked_at = verdict.get(_OWED_ASKED)
    if asked_at is not None and now - datetime.fromisoformat(asked_at) > _OWED_PATIENCE:
        return refused
    if not await ask_owed(unit, now, message.lender_id, unsure):
        return refused
    if asked_at is None:
        verdict[_OWED_ASKED] = now.isoformat()
        await unit.conn.execute(
            update(messages).where(messages.c.id == message.id).values(verdict=verdict)
        )
    return Later(now + _OWED_AGAIN, "The lender is asked what is owed.")


async def _gate(
    unit: Unit,
    house: House,
    now: datetime,
    person: Person,
    message: Row[Any],
    dues: tuple[Due, ...],
) -> Look:
    case_ids = tuple(due.case_id for due in dues if due.case_id is not None)
    asked = await ask_gate(
        unit,
        house.packs,
        now,
        person.row,
        case_ids=case_ids,
        channel=Channel(message.channel),
        purpose=ContactPurpose(message.purpose),
    )
    verdict = asked.verdict
    if verdict.allowed and verdict.valid_until is not None:
        if verdict.valid_until - now < _SHORTEST_VALIDITY:
            return Later(
                verdict.valid_until, "The hours of contact are nearly over.", by_the_clock=True
            )
        return Leave(case_ids, verdict.valid_until, asked)
    if asked.look_again_at is None:
        by_mail = message.channel == Channel.EMAIL.value
        task = None if by_mail else TaskReason.SMS_BLOCKED
        return Never(CancelReason.GATE_REFUSED, task, verdict.because, asked=asked)
    by_the_clock = asked.look_again_at == verdict.earliest_at
    return Later(asked.look_again_at, verdict.because, by_the_clock=by_the_clock)


def leaving_notes(leave: Leave) -> dict[str, Any]:
    """The verdict that it leaves with, kept on the message."""
    return verdict_notes(leave.asked)
