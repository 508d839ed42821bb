"""Look after texts that were taken for sending until their end is known.

sending for too long: the process died; the answer is lost. unknown: searched at the provider by the
link's token, and queued again only when it is surely not there and long enough ago. sent without a
receipt: asked for.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import Row, update

from app.domain.errors import OutcomeUnknown, ProviderError, TryLater
from app.domain.ids import LenderId
from app.domain.message import MESSAGE, Channel, MessageState
from app.flows.house import House
from app.flows.messages.deliver_messages import STALE_AFTER, lose_answer
from app.flows.messages.push_messages import fall_back, waits_until
from app.flows.messages.record_receipt import (
    next_receipt_look,
    record_receipt,
    record_silence,
    write_line,
)
from app.flows.side_by_side import side_by_side
from app.ports import OutgoingSms, SendReceipt
from app.store import jobs
from app.store.batches import is_behind, lease_due
from app.store.messages import lenders_of, lock_message, outgoing
from app.store.moves import move
from app.store.tables import messages
from app.store.unit import Unit

log = structlog.get_logger("messages")

BATCH: Final = 20
LEASE: Final = timedelta(minutes=2)
# Real time since the claim. A text may appear at the provider seconds after it took it; after
# this long one that is not there was never taken.
SURELY_NOT_THERE: Final = timedelta(minutes=2)
# Real time after which nobody will find out any more.
GIVE_UP_AFTER: Final = timedelta(hours=24)
_LOOK_AGAIN: Final = timedelta(minutes=1)


class Seen(StrEnum):
    """What one look at one message led to."""

    NOTHING_NEW = "nothing_new"
    CHANGED = "changed"
    QUEUED_AGAIN = "queued_again"
    GIVEN_UP = "given_up"
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class ReceiptsPlanned:
    """Messages handed to jobs."""

    planned: int


@dataclass(frozen=True, slots=True)
class MessagesFollowed:
    """How many looks led to what."""

    looked: int
    changed: int
    queued_again: int
    given_up: int
    no_answer: int


@dataclass(frozen=True, slots=True)
class _Ask:
    """What to ask the provider: for the message of this id, or for one with this marker."""

    connector: str
    ref: str | None
    sms: OutgoingSms


async def plan_receipts(house: House, now: datetime) -> ReceiptsPlanned:
    """Hand every message that is out, or may be, to a job when its look has come."""
    states = (
        MessageState.SENDING,
        MessageState.UNKNOWN,
        MessageState.SENT,
        MessageState.ASKED,
    )
    async with house.store.engine_unit() as unit:
        if await is_behind(unit, jobs.FOLLOW_MESSAGES):
            return ReceiptsPlanned(0)
        due = await lease_due(unit, messages, states, now, until=now + LEASE)
        for batch in due.in_batches(BATCH):
            await unit.defer(jobs.FOLLOW_MESSAGES, ids=batch)
    return ReceiptsPlanned(len(due.ids))


async def follow_messages(house: House, now: datetime, ids: list[UUID]) -> MessagesFollowed:
    """Look at each message once."""
    async with house.store.engine_unit() as unit:
        found = await lenders_of(unit, ids)

    async def one(item: tuple[UUID, UUID]) -> Seen:
        return await _follow(house, now, LenderId(item[1]), item[0])

    looks = await side_by_side(found, one)
    came = Counter(looks)
    return MessagesFollowed(
        looked=len(looks),
        changed=came[Seen.CHANGED],
        queued_again=came[Seen.QUEUED_AGAIN],
        given_up=came[Seen.GIVEN_UP],
        no_answer=came[Seen.NO_ANSWER],
    )


async def _follow(house: House, now: datetime, lender_id: LenderId, message_id: UUID) -> Seen:
    house = await house.of(lender_id)
    async with house.store.unit(lender_id) as unit:
        message = await lock_message(unit, message_id)
        ask = await _look_at(unit, house, now, message)
    if isinstance(ask, Seen):
        return ask
    port = house.message(ask.connector)
    found: SendReceipt | None
    try:
        found = await (port.message_now(ask.ref) if ask.ref else port.find(ask.sms))
    except ProviderError as error:
        return await _no_answer(house, now, lender_id, message_id, error)
    async with house.store.unit(lender_id) as unit:
        current = await lock_message(unit, message_id)
        if found is None:
            return await _not_there(unit, house, now, current, message)
        after = await record_receipt(unit, now, current, found, connector=ask.connector)
        return Seen.NOTHING_NEW if after.value == current.state else Seen.CHANGED


async def _look_at(unit: Unit, house: House, now: datetime, message: Row[Any]) -> Seen | _Ask:
    """What the row alone says, under the borrower's lock."""
    connector = message.connector or house.settings.message_connector
    if message.state == MessageState.ASKED.value:
        return await _not_shown(unit, now, message)
    if message.state == MessageState.SENDING.value:
        if house.real_now() - message.claimed_at <= STALE_AFTER:
            return Seen.NOTHING_NEW
        await lose_answer(unit, now, message)
    elif message.state == MessageState.SENT.value:
        if not message.provider_ref:
            return Seen.NOTHING_NEW
    elif message.state != MessageState.UNKNOWN.value:
        return Seen.NOTHING_NEW
    if message.channel == Channel.EMAIL.value:
        return await _nobody_knows(unit, house, now, await lock_message(unit, message.id))
    sms = outgoing(unit, message, valid_seconds=0, status_url="", sent_after=message.claimed_at)
    return _Ask(connector, message.provider_ref, sms)


async def _not_shown(unit: Unit, now: datetime, message: Row[Any]) -> Seen:
    """A message for the app: nobody can be asked; after the time to confirm it goes by text."""
    until = await waits_until(unit, message)
    if now < until:
        await _look_later(unit, message, until)
        return Seen.NOTHING_NEW
    after = await fall_back(unit, now, message)
    return Seen.QUEUED_AGAIN if after is MessageState.QUEUED else Seen.CHANGED


async def _nobody_knows(unit: Unit, house: House, now: datetime, message: Row[Any]) -> Seen:
    """An e-mail can be looked up nowhere: what may have left is never sent again."""
    if message.state != MessageState.UNKNOWN.value:
        return Seen.NOTHING_NEW
    if house.real_now() - message.claimed_at < SURELY_NOT_THERE:
        await _look_later(unit, message, now + _LOOK_AGAIN)
        return Seen.NOTHING_NEW
    await record_silence(unit, now, message)
    return Seen.GIVEN_UP


async def _not_there(
    unit: Unit, house: House, now: datetime, current: Row[Any], looked_at: Row[Any]
) -> Seen:
    """The provider has no such text. It goes back into the queue when that is sure."""
    same = current.claimed_at == looked_at.claimed_at
    if current.state != MessageState.UNKNOWN.value or not same:
        return Seen.NOTHING_NEW
    if house.real_now() - current.claimed_at < SURELY_NOT_THERE:
        await _look_later(unit, current, now + _LOOK_AGAIN)
        return Seen.NOTHING_NEW
    await move(unit, messages, current.id, MESSAGE, "not_sent", next_look_at=now)
    await write_line(unit, now, current, MessageState.QUEUED, reason="not_there")
    return Seen.QUEUED_AGAIN


async def _no_answer(
    house: House, now: datetime, lender_id: LenderId, message_id: UUID, error: ProviderError
) -> Seen:
    """Wait; nothing is concluded from silence. Once it is clear that nobody will know: a person."""
    log.info("message_not_seen", message_id=str(message_id), error=type(error).__name__)
    async with house.store.unit(lender_id) as unit:
        message = await lock_message(unit, message_id)
        if message.state == MessageState.SENT.value:
            await _look_later(unit, message, next_receipt_look(message.sent_at, now))
            return Seen.NO_ANSWER
        if message.state != MessageState.UNKNOWN.value:
            return Seen.NOTHING_NEW
        since = house.real_now() - message.claimed_at
        cannot_know = isinstance(error, OutcomeUnknown) and since > SURELY_NOT_THERE
        if cannot_know or since > GIVE_UP_AFTER:
            await record_silence(unit, now, message)
            return Seen.GIVEN_UP
        wait = error.after if isinstance(error, TryLater) and error.after else 5 * _LOOK_AGAIN
        await _look_later(unit, message, now + min(wait, timedelta(hours=1)))
    return Seen.NO_ANSWER


async def _look_later(unit: Unit, message: Row[Any], at: datetime | None) -> None:
    await unit.conn.execute(
        update(messages)
        .where(messages.c.id == message.id, messages.c.state == message.state)
        .values(next_look_at=at)
    )
