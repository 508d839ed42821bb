"""Queue one notice, reminder or word about a promise. A step of its callers' units.

The gate is asked now, to know when; it is asked again in the moment before the message leaves
(last_look.py), and the amounts in it are read again then. What cannot be sent is no
error: the caller records why, and the strategy goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import insert, select

from app.domain.contact_policy import ContactPurpose
from app.domain.errors import Invalid, NotFound
from app.domain.ids import derive_key
from app.domain.message import MESSAGE, Channel, MessageState
from app.domain.provider_setup import Slot
from app.domain.stage_plan import Skip
from app.domain.task import TaskReason
from app.domain.template import Rendered, TooLong
from app.flows.actors import ROBOT
from app.flows.cases.look_at_person import Person
from app.flows.house import House
from app.flows.messages.ask_gate import Asked, ask_gate, verdict_notes
from app.flows.messages.note_gate import note_gate
from app.flows.messages.notice_words import NO_TOKEN, Subject, notice_words
from app.flows.messages.push_messages import THE_APP, reachable_in_app
from app.flows.payments.ways_to_pay import moved_by, unpayable
from app.flows.work.open_task import open_task
from app.store import timeline
from app.store.blocked_contacts import Blocked, note_blocked
from app.store.brakes import silenced
from app.store.keys import new_id
from app.store.links import make_link
from app.store.moves import move
from app.store.provider_setups import has_own
from app.store.strategies import followed_by
from app.store.tables import messages
from app.store.timeline import Kind, Line
from app.store.unit import Unit

log = structlog.get_logger("notices")


@dataclass(frozen=True, slots=True)
class Notice:
    """One message that is wanted. `key` is derived from its cause: the same one is queued once.

    `case_ids` are the cases it speaks of; none before anything is due.
    """

    key: UUID
    channel: Channel
    template: str
    subject: Subject
    case_ids: tuple[UUID, ...] = ()
    purpose: ContactPurpose = ContactPurpose.COLLECTION


@dataclass(frozen=True, slots=True)
class NoticeQueued:
    """The message, new or known; or why nothing will leave. A withheld message has both."""

    message_id: UUID | None = None
    skip: Skip | None = None


@dataclass(frozen=True, slots=True)
class _Ready:
    """Everything that goes into the row."""

    asked: Asked
    planned_at: datetime
    address: str
    link_id: UUID | None
    token: str
    words: Rendered


async def queue_notice(
    unit: Unit, house: House, now: datetime, person: Person, wanted: Notice
) -> NoticeQueued:
    """Queue it for the first moment that the gate allows. The caller holds the borrower's lock.

    `house` knows the lender's own payment provider, if he has one.
    """
    known = await unit.conn.scalar(select(messages.c.id).where(messages.c.key == wanted.key))
    if known is not None:
        return NoticeQueued(known)
    if wanted.channel is Channel.PUSH and not await reachable_in_app(unit, person.row):
        wanted = replace(wanted, channel=Channel.SMS)
    address = await _address(unit, house, person, wanted)
    if isinstance(address, Skip):
        return await _blocked(unit, now, person, wanted, address)
    observing = person.lender.observe_only
    asked = await ask_gate(
        unit,
        house.packs,
        now,
        person.row,
        case_ids=wanted.case_ids,
        channel=wanted.channel,
        observing=observing,
        purpose=wanted.purpose,
    )
    planned_at = asked.look_again_at
    if planned_at is None:
        await note_gate(
            unit, now, person.id, asked,
            channel=wanted.channel, case_ids=wanted.case_ids, message_id=None,
        )  # fmt: skip
        return await _blocked(unit, now, person, wanted, Skip.GATE_REFUSED, asked)
    ready = await _prepare(unit, house, now, person, wanted, asked, planned_at, address)
    if isinstance(ready, Skip):
        return await _blocked(unit, now, person, wanted, ready, asked)
    message_id = await _insert(unit, now, person, wanted, ready)
    if observing:
        await move(
            unit, messages, message_id, MESSAGE, "withhold",
            ended_at=planned_at, next_look_at=None,
        )  # fmt: skip
    await _say(unit, now, person, wanted, ready, message_id)
    return NoticeQueued(message_id, Skip.WITHHELD if observing else None)


async def _blocked(
    unit: Unit,
    now: datetime,
    person: Person,
    wanted: Notice,
    why: Skip,
    asked: Asked | None = None,
) -> NoticeQueued:
    """It was wanted, and nothing will leave: kept with the rule, or with what was missing."""
    blocked = Blocked(
        wanted.key,
        person.id,
        wanted.channel,
        wanted.subject.cause.value,
        why,
        wanted.purpose,
        case_ids=wanted.case_ids,
        loan_ids=[one.loan_id for one in wanted.subject.owed],
        template=wanted.template,
        verdict=None if asked is None else verdict_notes(asked),
    )
    await note_blocked(unit, now, blocked)
    return NoticeQueued(skip=why)


async def _address(unit: Unit, house: House, person: Person, wanted: Notice) -> str | Skip:
    """Where it goes, or why it goes nowhere."""
    row, channel = person.row, wanted.channel
    if channel is Channel.EMAIL and not (
        house.carries_email() or await has_own(unit, row.lender_id, Slot.EMAILS)
    ):
        return Skip.NO_CHANNEL
    place = "email_enc" if channel is Channel.EMAIL else "phone_enc"
    sealed = getattr(row, place)
    if sealed is None and channel is not Channel.PUSH:
        return Skip.NO_ADDRESS
    if wanted.purpose is ContactPurpose.COLLECTION and await silenced(unit, (row.id,), channel):
        return Skip.OPTED_OUT
    if row.birth_date_hash is None and row.document_hash is None:
        # Behind the link nobody could prove who he is, and nothing may be shown to strangers.
        return Skip.NO_PAGE
    currencies = {owed.amount.currency for owed in wanted.subject.owed}
    closed = await unpayable(unit, person.lender, currencies, moved_by(house))
    if closed.keys() >= currencies:
        return Skip.NO_PAGE
    if channel is Channel.PUSH:
        return THE_APP
    return unit.open(f"borrowers.{place}", row.id, sealed)


async def _prepare(
    unit: Unit,
    house: House,
    now: datetime,
    person: Person,
    wanted: Notice,
    asked: Asked,
    planned_at: datetime,
    address: str,
) -> _Ready | Skip:
    """Its link and its words, or why there are none. One that is too long is left to people."""
    try:
        # First without a link: one that no message carries would stand as live.
        await _words(unit, house, person, wanted, NO_TOKEN)
    except (NotFound, Invalid) as fault:
        log.warning("notice_without_words", template=wanted.template, fault=fault.message)
        if not isinstance(fault, TooLong):
            return Skip.NO_WORDS
        await open_task(
            unit,
            now,
            borrower_id=person.id,
            case_id=next(iter(wanted.case_ids), None),
            reason=TaskReason.COLLECTOR_ACTS,
            cause=wanted.key,
            situation={"template": wanted.template, "because": fault.message},
        )
        return Skip.TOO_LONG
    if person.lender.observe_only:
        words = await _words(unit, house, person, wanted, NO_TOKEN)
        return _Ready(asked, planned_at, address, None, NO_TOKEN, words)
    link = await make_link(
        unit,
        now,
        lender_id=person.row.lender_id,
        borrower_id=person.id,
        signal_id=None,
        expires_at=planned_at + timedelta(hours=house.settings.link_hours),
    )
    words = await _words(unit, house, person, wanted, link.token)
    return _Ready(asked, planned_at, address, link.id, link.token, words)


async def _words(unit: Unit, house: House, person: Person, wanted: Notice, token: str) -> Rendered:
    return await notice_words(
        unit,
        house,
        person,
        wanted.subject,
        template=wanted.template,
        channel=wanted.channel,
        token=token,
    )


async def _insert(unit: Unit, now: datetime, person: Person, wanted: Notice, ready: _Ready) -> UUID:
    message_id = new_id()
    subject = ready.words.subject
    await unit.conn.execute(
        insert(messages).values(
            id=message_id,
            lender_id=person.row.lender_id,
            borrower_id=person.id,
            key=wanted.key,
            channel=wanted.channel.value,
            cause=wanted.subject.cause.value,
            purpose=wanted.purpose.value,
            wording=ready.words.wording,
            language=ready.words.language,
            link_id=ready.link_id,
            case_ids=list(wanted.case_ids),
            version_ids=followed_by(wanted.case_ids),
            to_enc=unit.seal("messages.to_enc", message_id, ready.address),
            subject_enc=unit.seal("messages.subject_enc", message_id, subject) if subject else None,
            body_enc=unit.seal("messages.body_enc", message_id, ready.words.body),
            marker_enc=unit.seal("messages.marker_enc", message_id, ready.token),
            created_at=now,
            next_look_at=ready.planned_at,
            verdict=verdict_notes(ready.asked),
        )
    )
    return message_id


async def _say(
    unit: Unit, now: datetime, person: Person, wanted: Notice, ready: _Ready, message_id: UUID
) -> None:
    await note_gate(
        unit, now, person.id, ready.asked,
        channel=wanted.channel, case_ids=wanted.case_ids, message_id=message_id,
    )  # fmt: skip
    withheld = person.lender.observe_only
    details = {
        "message_id": str(message_id),
        "channel": wanted.channel.value,
        "cause": wanted.subject.cause.value,
        "state": (MessageState.WITHHELD if withheld else MessageState.QUEUED).value,
        "wording": ready.words.wording,
        "planned_at": ready.planned_at.isoformat(),
        "cases": [str(case_id) for case_id in wanted.case_ids],
    }
    await timeline.write(unit, now, [Line(person.id, Kind.MESSAGE_QUEUED, ROBOT, details)])


def notice_key(cause: UUID | str, channel: Channel) -> UUID:
    """The key of the message that says one thing on one channel."""
    return derive_key(cause, f"notice:{channel.value}")
