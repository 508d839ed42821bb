"""Messages in the lender's app: asked for by webhook, confirmed by the lender, else sent as a text.

Saldo cannot reach the app itself. It tells the lender's system that there is a message; that
fetches the words over the API, shows them, and confirms. What is not confirmed in time goes out
once as a text: the same message, on another way. Whoever is first, the confirmation or the clock,
takes the row; a confirmation that comes before the text has left still stops it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select, update

from app.domain.errors import Conflict, NotFound
from app.domain.ids import LenderId, derive_key
from app.domain.message import MESSAGE, Channel, MessageState
from app.flows.house import House
from app.flows.messages.record_receipt import write_line
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.flows.messages.template_values import link_address
from app.store.brakes import silenced
from app.store.contacts import note_message
from app.store.locks import lock_borrower
from app.store.messages import lock_message
from app.store.moves import move
from app.store.outbox import OutboxKind, OutboxState
from app.store.tables import lenders, messages, outbox
from app.store.unit import Unit

CONNECTOR: Final = "lender_webhook"
NOT_CONFIRMED: Final = "push_not_confirmed"
# Stands where other messages have a number or an address.
THE_APP: Final = "app"


@dataclass(frozen=True, slots=True)
class PushWords:
    """What the app shows. `link` opens the borrower's own page."""

    message_id: UUID
    body: str
    link: str
    language: str


async def reachable_in_app(unit: Unit, person: Row[Any]) -> bool:
    """Has he the app, does the lender's system listen, and has he not refused?"""
    if not person.has_app:
        return False
    lender = (
        await unit.conn.execute(
            select(lenders.c.webhook_url, lenders.c.webhook_secret_enc).where(
                lenders.c.id == person.lender_id
            )
        )
    ).one()
    if not lender.webhook_url or lender.webhook_secret_enc is None:
        return False
    return not await silenced(unit, (person.id,), Channel.PUSH)


async def go_by_text(unit: Unit, now: datetime, message: Row[Any]) -> None:
    """A message for the app that he has not: the same one as a text, looked at again at once."""
    await unit.conn.execute(
        update(messages)
        .where(messages.c.id == message.id, messages.c.state == MessageState.QUEUED.value)
        .values(channel=Channel.SMS.value, next_look_at=now)
    )


async def push(
    unit: Unit,
    house: House,
    now: datetime,
    message: Row[Any],
    *,
    case_ids: tuple[UUID, ...],
    verdict: dict[str, Any],
) -> None:
    """Ask the lender's system to show it. The caller holds the locks; the last look said yes.

    The request stands in the outbox in the same transaction, so nothing can be unclear about it.
    """
    person = await lock_borrower(unit, message.borrower_id)
    until = now + await _patience(unit, message.lender_id)
    await move(
        unit, messages, message.id, MESSAGE, "ask_app",
        claimed_at=house.real_now(), connector=CONNECTOR, case_ids=list(case_ids), verdict=verdict,
        attempts=messages.c.attempts + 1, sent_at=now, next_look_at=until,
    )  # fmt: skip
    await note_message(
        unit,
        now,
        lender_id=message.lender_id,
        borrower_id=message.borrower_id,
        channel=Channel.PUSH,
        case_ids=case_ids,
        message_id=message.id,
    )
    await write_line(unit, now, message, MessageState.ASKED)
    await tell_lender(
        unit,
        now,
        event=LenderEvent.PUSH_REQUESTED,
        subject_id=message.id,
        payload={
            "message_id": str(message.id),
            "borrower_id": str(person.id),
            "external_ref": person.external_ref,
            "confirm_until": until.isoformat(),
            "at": now.isoformat(),
        },
    )


async def waits_until(unit: Unit, message: Row[Any]) -> datetime:
    """Until when (business time) a message that is with the app may be confirmed."""
    sent_at: datetime = message.sent_at
    return sent_at + await _patience(unit, message.lender_id)


async def _patience(unit: Unit, lender_id: UUID) -> timedelta:
    minutes = await unit.conn.scalar(
        select(lenders.c.push_fallback_minutes).where(lenders.c.id == lender_id)
    )
    return timedelta(minutes=int(minutes or 0))


async def fall_back(unit: Unit, now: datetime, message: Row[Any]) -> MessageState:
    """Nobody confirmed it in time: back into the queue as a text, once. The caller has locked it.

    It passes the last look again, in the hours of that moment. A request that has not left yet is
    taken out of the outbox. Without a number there is no other way, and it ends here.
    """
    person = await lock_borrower(unit, message.borrower_id)
    await unit.conn.execute(
        update(outbox)
        .where(outbox.c.key == _request_key(message.id), outbox.c.state == OutboxState.DUE.value)
        .values(state=OutboxState.CANCELLED.value)
    )
    if person.phone_enc is None:
        await move(
            unit, messages, message.id, MESSAGE, "undelivered",
            error_code=NOT_CONFIRMED, ended_at=now, next_look_at=None,
        )  # fmt: skip
        await write_line(unit, now, message, MessageState.UNDELIVERED, reason=NOT_CONFIRMED)
        return MessageState.UNDELIVERED
    await move(
        unit, messages, message.id, MESSAGE, "fall_back",
        channel=Channel.SMS.value, error_code=NOT_CONFIRMED, connector=None, sent_at=None,
        claimed_at=None, next_look_at=now,
    )  # fmt: skip
    await write_line(unit, now, message, MessageState.QUEUED, reason=NOT_CONFIRMED)
    return MessageState.QUEUED


async def confirm_pushed(
    house: House, now: datetime, *, lender_id: LenderId, message_id: UUID
) -> MessageState:
    """The lender's app has shown it. Twice is harmless; returns the state after.

    Raises `NotFound`, and `Conflict` when it has left as a text by now, or was never for the app.
    """
    async with house.store.unit(lender_id) as unit:
        message = await lock_message(unit, message_id)
        by_app = message.channel == Channel.PUSH.value
        state = MessageState(message.state)
        waits_as_text = state is MessageState.QUEUED and message.error_code == NOT_CONFIRMED
        if by_app and state is MessageState.DELIVERED:
            return state
        if not (waits_as_text or (by_app and state is MessageState.ASKED)):
            raise Conflict("This message does not wait for the app.", code="NotWithTheApp")
        event = "shown_after_all" if waits_as_text else "delivered"
        await move(
            unit, messages, message_id, MESSAGE, event,
            channel=Channel.PUSH.value, connector=CONNECTOR, error_code="",
            sent_at=message.sent_at or now, ended_at=now, next_look_at=None,
        )  # fmt: skip
        await write_line(unit, now, message, MessageState.DELIVERED, reason="app")
    return MessageState.DELIVERED


async def push_words(house: House, *, lender_id: LenderId, message_id: UUID) -> PushWords:
    """The words for the app, while the message is with it. Raises `NotFound` at any other time."""
    async with house.store.unit(lender_id) as unit:
        row = (
            await unit.conn.execute(
                select(messages).where(
                    messages.c.id == message_id,
                    messages.c.channel == Channel.PUSH.value,
                    messages.c.state == MessageState.ASKED.value,
                )
            )
        ).one_or_none()
        if row is None:
            raise NotFound("There is no such message with the app.")
        token = unit.open("messages.marker_enc", row.id, row.marker_enc)
        body = unit.open("messages.body_enc", row.id, row.body_enc)
        return PushWords(row.id, body, link_address(house, token), row.language)


def _request_key(message_id: UUID) -> UUID:
    """The key of the request in the outbox (app/store/outbox.py)."""
    step = f"{OutboxKind.LENDER_WEBHOOK}:{LenderEvent.PUSH_REQUESTED.value}"
    return derive_key(message_id, step)
