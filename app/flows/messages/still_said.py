"""Is a notice still to be said, about which debts, and in which words? Asked before it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update

from app.domain.case import CaseState
from app.domain.contact_policy import ContactPurpose
from app.domain.errors import Invalid, NotFound
from app.domain.message import CancelReason, Channel
from app.domain.strategy import PERSON_FIRST
from app.domain.template import Cause
from app.flows.cases.look_at_person import Person
from app.flows.house import House
from app.flows.messages.notice_words import Owed, Promised, Subject, notice_words
from app.store.dues import Due, coming_of
from app.store.tables import messages, strategy_steps
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class Standing:
    """What the message may still speak of; `gone` says why it may speak of nothing."""

    dues: tuple[Due, ...] = ()
    gone: CancelReason | None = None


async def still_said(unit: Unit, now: datetime, person: Person, message: Row[Any]) -> Standing:
    """Judge a notice or a reminder by what is true now. The caller has locked the borrower."""
    if person.in_flight:
        return Standing(gone=CancelReason.PAYMENT_IN_FLIGHT)
    anchors = await _anchors(unit, message)
    if message.cause == Cause.REMIND.value:
        return await _coming(unit, now, person, anchors)
    if message.cause == Cause.PROMISE.value:
        return _promised(person, message, anchors, person.clock.today(now))
    return _overdue(person, message, anchors)


def _overdue(person: Person, message: Row[Any], anchors: Mapping[UUID, date]) -> Standing:
    """Each reason takes cases away; the one that took the last is why it is not said."""
    left = [due for due in person.dues if due.case_id in message.case_ids]
    demanded = message.purpose == ContactPurpose.REQUIRED_NOTICE.value
    reasons: tuple[tuple[CancelReason, Callable[[Due], bool]], ...] = (
        (CancelReason.NOTHING_DUE, lambda due: due.case_state is CaseState.OPEN),
        (CancelReason.HOLD, lambda due: not _waits_for_people(person, due)),
        (CancelReason.PROMISED, lambda due: demanded or due.case_id not in person.promises),
        # The debt moved on (paid in part, or due on another day): this notice was about before.
        (CancelReason.STAGE_OVER, lambda due: anchors.get(due.loan_id) == due.oldest_due_on),
    )
    gone = CancelReason.NOTHING_DUE
    for why, stands in reasons:
        if left:
            gone = why
        left = [due for due in left if stands(due)]
    return Standing(tuple(left), None if left else gone)


def _promised(
    person: Person, message: Row[Any], anchors: Mapping[UUID, date], today: date
) -> Standing:
    """A promise that stands, and whose day is still ahead."""
    left = [due for due in person.dues if due.case_id in message.case_ids]
    if not left:
        return Standing(gone=CancelReason.NOTHING_DUE)
    if any(_waits_for_people(person, due) for due in left):
        return Standing(gone=CancelReason.HOLD)
    stands = tuple(
        due
        for due in left
        if due.case_id in person.promises and today < anchors.get(due.loan_id, today)
    )
    return Standing(stands, None if stands else CancelReason.STAGE_OVER)


def _promise_part(
    person: Person, message: Row[Any], dues: Iterable[Due], anchors: Mapping[UUID, date]
) -> Promised | None:
    """The part that a reminder is about: the one of its step's day."""
    if message.cause != Cause.PROMISE.value:
        return None
    for due in dues:
        promise = person.promises.get(due.case_id) if due.case_id is not None else None
        for part in promise.parts if promise is not None else ():
            if part.due_on == anchors.get(due.loan_id):
                return Promised(part.due_on, part.amount)
    return None


def _waits_for_people(person: Person, due: Due) -> bool:
    if due.case_id is None:
        return False
    tasks = person.tasks_on(due.case_id)
    return bool(person.holds_on(due.case_id)) or not PERSON_FIRST.isdisjoint(tasks)


async def _anchors(unit: Unit, message: Row[Any]) -> dict[UUID, date]:
    """The due date that the message was planned from, by loan."""
    rows = await unit.conn.execute(
        select(strategy_steps.c.loan_id, strategy_steps.c.due_on).where(
            strategy_steps.c.message_id == message.id
        )
    )
    return {row.loan_id: row.due_on for row in rows}


async def _coming(
    unit: Unit, now: datetime, person: Person, anchors: Mapping[UUID, date]
) -> Standing:
    """Instalments that are still to come on the day they were announced for."""
    if person.kept_quiet:
        return Standing(gone=CancelReason.HOLD)
    today = person.clock.today(now)
    dues = tuple(
        due
        for due in await coming_of(unit, person.id)
        if due.oldest_due_on == anchors.get(due.loan_id) and due.oldest_due_on > today
    )
    return Standing(dues, None if dues else CancelReason.NOTHING_DUE)


async def say_anew(
    unit: Unit, house: House, now: datetime, person: Person, message: Row[Any], dues: Iterable[Due]
) -> bool:
    """Fill the words once more with what is owed now; False when no text can be filled any more.

    An amount that was right when the message was queued may be wrong when it leaves.
    """
    about = tuple(dues)
    subject = Subject(
        Cause(message.cause),
        tuple(Owed(due.loan_id, due.external_ref, due.amount, due.oldest_due_on) for due in about),
        person.clock.today(now),
        _promise_part(person, message, about, await _anchors(unit, message)),
    )
    token = unit.open("messages.marker_enc", message.id, message.marker_enc)
    try:
        words = await notice_words(
            unit,
            house,
            person,
            subject,
            template=message.wording.partition("/")[0],
            channel=Channel(message.channel),
            token=token,
        )
    except (NotFound, Invalid):
        return False
    line = words.subject
    await unit.conn.execute(
        update(messages)
        .where(messages.c.id == message.id)
        .values(
            wording=words.wording,
            language=words.language,
            subject_enc=unit.seal("messages.subject_enc", message.id, line) if line else None,
            body_enc=unit.seal("messages.body_enc", message.id, words.body),
        )
    )
    return True
