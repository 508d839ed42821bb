"""Let queued messages leave: last look, claim, send, record.

The claim is committed before the provider is called, so a message is `sending` from before the
first byte leaves. Whatever dies after that leaves a row that is looked up
(app/flows/messages/follow_messages.py) and never one that is sent again blindly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, assert_never
from uuid import UUID

import structlog
from sqlalchemy import Row, select, update

from app.domain.breaker import Service
from app.domain.errors import (
    AllowanceSpent,
    ConsentGone,
    Declined,
    OutcomeUnknown,
    SaldoError,
    TryLater,
    Unreadable,
)
from app.domain.ids import EmailAddress, LenderId, Phone
from app.domain.message import MESSAGE, CancelReason, Channel, MessageState
from app.domain.routes import next_provider
from app.flows.house import House
from app.flows.messages.cancel_messages import cancel_messages
from app.flows.messages.last_look import Later, Leave, Never, Withhold, last_look, leaving_notes
from app.flows.messages.push_messages import go_by_text, push, reachable_in_app
from app.flows.messages.record_receipt import record_receipt, record_refusal, write_line
from app.flows.money.ask_owed import give_up_asking
from app.flows.providers.hear_banks import Call, hear_calls
from app.flows.side_by_side import side_by_side
from app.flows.work.open_task import open_task
from app.ports import DeliveryState, OutgoingEmail, OutgoingSms, SendReceipt
from app.store import jobs
from app.store.batches import is_behind, lease_due
from app.store.contacts import note_message
from app.store.locks import lock_borrower
from app.store.messages import lenders_of, lock_message, outgoing, outgoing_email
from app.store.moves import move
from app.store.tables import lenders, messages, payment_links
from app.store.unit import Unit

log = structlog.get_logger("messages")

BATCH: Final = 20
# Business time a planned message has before it is planned again.
LEASE: Final = timedelta(minutes=2)

# Real time. Sending may begin within SEND_WITHIN of the claim, and the boundary ends a call after
# 30 seconds: after STALE_AFTER nobody can still be about to send.
SEND_WITHIN: Final = timedelta(seconds=10)
STALE_AFTER: Final = timedelta(seconds=60)

_SHORTEST_WAIT: Final = timedelta(seconds=30)
_LONGEST_WAIT: Final = timedelta(hours=1)


class Left(StrEnum):
    """What became of one message in one job."""

    SENT = "sent"
    CANCELLED = "cancelled"
    LATER = "later"
    WITHHELD = "withheld"
    REFUSED = "refused"
    UNCLEAR = "unclear"
    NOT_OURS = "not_ours"


@dataclass(frozen=True, slots=True)
class MessagesPlanned:
    """Messages handed to jobs."""

    planned: int


@dataclass(frozen=True, slots=True)
class MessagesDelivered:
    """How many messages came to what. `unclear` ones are looked up later."""

    sent: int
    cancelled: int
    later: int
    withheld: int
    refused: int
    unclear: int


@dataclass(frozen=True, slots=True)
class _Claim:
    """The right to send one message once, from `claimed_at` (real time) on."""

    lender_id: LenderId
    borrower_id: UUID
    message_id: UUID
    claimed_at: datetime
    connector: str
    only_one: bool
    """No attempt before this one may have left: when this one did not either, none has."""
    outgoing: OutgoingSms | OutgoingEmail


async def plan_messages(house: House, now: datetime) -> MessagesPlanned:
    """Hand every queued message whose moment has come to a job."""
    async with house.store.engine_unit() as unit:
        if await is_behind(unit, jobs.DELIVER_MESSAGES):
            return MessagesPlanned(0)
        due = await lease_due(unit, messages, (MessageState.QUEUED,), now, until=now + LEASE)
        for batch in due.in_batches(BATCH):
            await unit.defer(jobs.DELIVER_MESSAGES, ids=batch)
    return MessagesPlanned(len(due.ids))


async def deliver_messages(house: House, now: datetime, ids: list[UUID]) -> MessagesDelivered:
    """Look at each message for the last time and send those whose reason still stands."""
    async with house.store.engine_unit() as unit:
        found = await lenders_of(unit, ids)

    calls: dict[Service, list[Call]] = {Service.TEXTS: [], Service.EMAILS: []}

    async def one(item: tuple[UUID, UUID]) -> Left:
        return await _deliver(house, now, LenderId(item[1]), item[0], calls)

    came = Counter(await side_by_side(found, one))
    for service, heard in calls.items():
        await hear_calls(house, now, service, heard)
    return MessagesDelivered(
        sent=came[Left.SENT],
        cancelled=came[Left.CANCELLED],
        later=came[Left.LATER],
        withheld=came[Left.WITHHELD],
        refused=came[Left.REFUSED],
        unclear=came[Left.UNCLEAR],
    )


async def _deliver(
    house: House,
    now: datetime,
    lender_id: LenderId,
    message_id: UUID,
    calls: Mapping[Service, list[Call]],
) -> Left:
    house = await house.of(lender_id)
    async with house.store.unit(lender_id) as unit:
        taken = await _take(unit, house, now, message_id)
    if isinstance(taken, Left):
        return taken
    return await _send(house, now, taken, calls)


async def _take(unit: Unit, house: House, now: datetime, message_id: UUID) -> Left | _Claim:
    """The last look and what follows from it, in one transaction under the borrower's lock."""
    message = await lock_message(unit, message_id)
    if message.state != MessageState.QUEUED.value:
        return Left.NOT_OURS
    if message.channel == Channel.EMAIL.value and not house.carries_email():
        await _cancel(unit, now, message, Never(CancelReason.CHANNEL_MISSING))
        return Left.CANCELLED
    by_app = message.channel == Channel.PUSH.value
    if by_app and not await reachable_in_app(unit, await lock_borrower(unit, message.borrower_id)):
        await go_by_text(unit, now, message)
        return Left.LATER
    look = await last_look(unit, house, now, message)
    match look:
        case Leave() if by_app:
            notes = leaving_notes(look)
            await push(unit, house, now, message, case_ids=look.case_ids, verdict=notes)
            await _keep_link(unit, house, message, now)
            return Left.SENT
        case Leave():
            return await _claim(unit, house, now, message, look)
        case Later(at):
            await unit.conn.execute(
                update(messages).where(messages.c.id == message_id).values(next_look_at=at)
            )
            if look.by_the_clock:
                await _keep_link(unit, house, message, at)
            return Left.LATER
        case Withhold():
            await move(
                unit, messages, message_id, MESSAGE, "withhold", ended_at=now, next_look_at=None
            )
            await write_line(unit, now, message, MessageState.WITHHELD)
            return Left.WITHHELD
        case Never():
            await _cancel(unit, now, message, look)
            return Left.CANCELLED
        case _ as never:
            assert_never(never)


async def _cancel(unit: Unit, now: datetime, message: Row[Any], look: Never) -> None:
    await cancel_messages(unit, now, [message.id], look.why, refused=look.asked)
    await give_up_asking(
        unit, now, borrower_id=message.borrower_id, dues=look.unsure, message_id=message.id
    )
    if look.task is not None:
        await open_task(
            unit,
            now,
            borrower_id=message.borrower_id,
            reason=look.task,
            cause=message.id,
            situation={"message_id": str(message.id), "because": look.because},
        )


async def _claim(
    unit: Unit, house: House, now: datetime, message: Row[Any], leave: Leave
) -> _Claim:
    """Take it: from here on it counts as a contact, and its link is good from now on.

    It goes to the number he has now; the one he had when it was queued may be a stranger's.
    """
    claimed_at = house.real_now()
    channel = Channel(message.channel)
    # The last look may have filled its words anew.
    message = await lock_message(unit, message.id)
    person = await lock_borrower(unit, message.borrower_id)
    address = _address_now(unit, person, channel)
    connector = _connector(house, message, address)
    await move(
        unit,
        messages,
        message.id,
        MESSAGE,
        "claim",
        claimed_at=claimed_at,
        connector=connector,
        bound=True,
        to_enc=unit.seal("messages.to_enc", message.id, address),
        attempts=messages.c.attempts + 1,
        case_ids=list(leave.case_ids),
        verdict=leaving_notes(leave),
        next_look_at=now + STALE_AFTER,
    )
    await _keep_link(unit, house, message, now)
    await note_message(
        unit,
        now,
        lender_id=message.lender_id,
        borrower_id=message.borrower_id,
        channel=channel,
        case_ids=leave.case_ids,
        message_id=message.id,
    )
    ready: OutgoingSms | OutgoingEmail
    if channel is Channel.EMAIL:
        ready = await _email(unit, house, message, address)
        # A bounce names it so, also where the answer to sending it is lost.
        ref = house.email(connector).ref_of(ready)
        await unit.conn.execute(
            update(messages).where(messages.c.id == message.id).values(provider_ref=ref)
        )
    else:
        sms = outgoing(
            unit,
            message,
            valid_seconds=int((leave.valid_until - now).total_seconds()),
            status_url=f"{house.settings.public_url}/hooks/{connector}",
            sent_after=claimed_at,
        )
        ready = replace(sms, to=Phone(address))
    only_one = not message.bound
    lender_id = LenderId(message.lender_id)
    return _Claim(
        lender_id, message.borrower_id, message.id, claimed_at, connector, only_one, ready
    )


def _connector(house: House, message: Row[Any], address: str) -> str:
    """Who carries it: whoever may have it already, else the next on the way to this number."""
    if message.channel == Channel.EMAIL.value:
        return message.connector if message.bound else house.email_name
    return next_provider(
        house.route_to(Phone(address)),
        bound_to=message.connector if message.bound else None,
        missed=message.missed,
    )


def _address_now(unit: Unit, person: Row[Any], channel: Channel) -> str:
    if channel is Channel.EMAIL:
        return unit.open("borrowers.email_enc", person.id, person.email_enc)
    return unit.open("borrowers.phone_enc", person.id, person.phone_enc)


async def _email(unit: Unit, house: House, message: Row[Any], address: str) -> OutgoingEmail:
    """The e-mail in the lender's name, with the address that stops e-mails by one POST."""
    lender = await unit.conn.scalar(select(lenders.c.name).where(lenders.c.id == message.lender_id))
    stop_url = ""
    if message.link_id is not None:
        token = unit.open("messages.marker_enc", message.id, message.marker_enc)
        stop_url = f"{house.settings.public_url}/p/{token}/stop/email"
    return outgoing_email(
        unit,
        message,
        to=EmailAddress.parse(address),
        sender_name=" ".join(str(lender).split()),
        stop_url=stop_url,
    )


async def _keep_link(unit: Unit, house: House, message: Row[Any], leaves_at: datetime) -> None:
    """The link's time runs from the moment its text leaves."""
    await unit.conn.execute(
        update(payment_links)
        .where(payment_links.c.id == message.link_id)
        .values(expires_at=leaves_at + timedelta(hours=house.settings.link_hours))
    )


async def _send(
    house: House, now: datetime, claim: _Claim, calls: Mapping[Service, list[Call]]
) -> Left:
    """One attempt, with no transaction open, and the record of what came of it."""
    if house.real_now() - claim.claimed_at > SEND_WITHIN:
        # This process slept since the claim; somebody may be about to look the message up.
        return Left.UNCLEAR
    try:
        receipt = await _hand_over(house, claim, calls)
    except (TryLater, AllowanceSpent) as later:
        wait = later.after if isinstance(later, TryLater) else None
        return await _not_sent(house, now, claim, wait)
    except (Declined, ConsentGone) as no:
        reason = no.reason if isinstance(no, Declined) else type(no).__name__
        return await _refused(house, now, claim, reason)
    except (OutcomeUnknown, Unreadable):
        return await _lost(house, now, claim)
    except SaldoError:
        # No word of the provider's: where it went wrong nobody knows, so nobody else gets it.
        await _not_sent(house, now, replace(claim, only_one=False), timedelta(minutes=10))
        raise
    await _arrived(house, now, claim, receipt)
    return Left.SENT if receipt.state is not DeliveryState.UNDELIVERED else Left.REFUSED


async def _hand_over(
    house: House, claim: _Claim, calls: Mapping[Service, list[Call]]
) -> SendReceipt:
    """The one call. How the provider took it is noted in `calls`, for its health."""
    by_email = isinstance(claim.outgoing, OutgoingEmail)
    heard = calls[Service.EMAILS if by_email else Service.TEXTS]
    provider = (claim.connector, "")
    error: SaldoError | None = None
    try:
        match claim.outgoing:
            case OutgoingSms() as sms:
                return await house.message(claim.connector).send(sms)
            case OutgoingEmail() as mail:
                return await house.email(claim.connector).send(mail)
            case _ as never:
                assert_never(never)
    except SaldoError as raised:
        error = raised
        raise
    finally:
        heard.append((provider, claim.borrower_id, error))


async def _arrived(house: House, now: datetime, claim: _Claim, receipt: SendReceipt) -> None:
    """The provider has it. Should the row be queued again by now (this process was stopped for
    minutes, and the provider did not show the text when asked), it is taken out of the queue:
    it has left.
    """
    async with house.store.unit(claim.lender_id) as unit:
        message = await lock_message(unit, claim.message_id)
        if not _still_ours(message, claim):
            log.warning("message_answer_late", message_id=str(message.id), state=message.state)
        if message.state == MessageState.QUEUED.value:
            await move(unit, messages, message.id, MESSAGE, "claim", claimed_at=claim.claimed_at)
            message = await lock_message(unit, claim.message_id)
        await record_receipt(unit, now, message, receipt, connector=claim.connector)


async def _not_sent(house: House, now: datetime, claim: _Claim, wait: timedelta | None) -> Left:
    """Surely nothing left: back into the queue, to be looked at for the last time again.

    It is free to go by another provider, unless an attempt before this one may have left.
    """
    pause = min(max(wait or _SHORTEST_WAIT, _SHORTEST_WAIT), _LONGEST_WAIT)
    async with house.store.unit(claim.lender_id) as unit:
        message = await lock_message(unit, claim.message_id)
        if _still_ours(message, claim):
            await move(
                unit,
                messages,
                message.id,
                MESSAGE,
                "not_sent",
                bound=not claim.only_one,
                missed=messages.c.missed + 1,
                next_look_at=now + pause,
            )
            await write_line(unit, now, message, MessageState.QUEUED, reason="not_sent")
    return Left.LATER


async def _refused(house: House, now: datetime, claim: _Claim, reason: str) -> Left:
    async with house.store.unit(claim.lender_id) as unit:
        message = await lock_message(unit, claim.message_id)
        if _still_ours(message, claim):
            await record_refusal(unit, now, message, reason)
    return Left.REFUSED


async def _lost(house: House, now: datetime, claim: _Claim) -> Left:
    """The answer is lost: it may have left. It is looked up, never sent again blindly."""
    async with house.store.unit(claim.lender_id) as unit:
        message = await lock_message(unit, claim.message_id)
        if _still_ours(message, claim):
            await lose_answer(unit, now, message)
    return Left.UNCLEAR


async def lose_answer(unit: Unit, now: datetime, message: Row[Any]) -> None:
    """Mark a message in sending as unknown; the next look asks the provider for it."""
    await move(unit, messages, message.id, MESSAGE, "lost_answer", next_look_at=now + STALE_AFTER)
    await write_line(unit, now, message, MessageState.UNKNOWN, reason="answer_lost")


def _still_ours(message: Row[Any], claim: _Claim) -> bool:
    return bool(
        message.state == MessageState.SENDING.value and message.claimed_at == claim.claimed_at
    )
