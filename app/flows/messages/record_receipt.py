"""Draw the conclusions from what a provider said about a message. Whoever asked, one step.

Receipts come twice, out of order, and before the answer to our own call; the lifecycle says which
of them change anything.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, update

from app.domain.message import MESSAGE, Channel, MessageState
from app.domain.payment import LINK
from app.domain.task import TaskReason
from app.flows.actors import CARRIER
from app.flows.messages.email_failed import email_failed
from app.flows.messages.opt_out import opt_out
from app.flows.work.open_task import open_task
from app.ports import ADDRESS_INVALID, OPTED_OUT, DeliveryState, SendReceipt
from app.store import timeline
from app.store.contacts import OUTCOME_UNKNOWN, taken_for_sending_at
from app.store.moves import move, move_all
from app.store.tables import messages, payment_links
from app.store.timeline import Kind, Line
from app.store.unit import Unit

_EVENT: Final = {
    DeliveryState.ACCEPTED: "accepted",
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.UNDELIVERED: "undelivered",
}

# When to ask for a receipt that has not come, by the age of the sending (business time). After
# the longest validity a provider knows, `sent` may stay the last word on some routes.
_RHYTHM: Final = (
    (timedelta(hours=1), timedelta(minutes=10)),
    (timedelta(hours=12), timedelta(hours=2)),
)


def next_receipt_look(sent_at: datetime, now: datetime) -> datetime | None:
    """When to ask again; None: no more."""
    for age, every in _RHYTHM:
        if now - sent_at < age:
            return now + every
    return None


async def record_receipt(
    unit: Unit, now: datetime, message: Row[Any], receipt: SendReceipt, *, connector: str
) -> MessageState:
    """Apply a receipt to a message that the caller has locked (borrower first).

    What did not arrive becomes a person's task; a refusal because the recipient said stop to
    the provider is written down as his opt-out. Returns the state after.
    """
    before = MessageState(message.state)
    event = _EVENT[receipt.state]
    if before not in MESSAGE.sources(event):
        if before is MessageState.FAILED and message.channel == Channel.EMAIL.value:
            # Given up without an answer; that there is no such mailbox is news all the same.
            await _is_dead(unit, now, message, receipt)
        return before
    after = MESSAGE.step(before, event)
    sent_at = message.sent_at
    if sent_at is None and before is MessageState.UNKNOWN:
        # Known only now, but it left when it was taken; he may have said stop since.
        sent_at = await taken_for_sending_at(
            unit, lender_id=message.lender_id, message_id=message.id
        )
    sent_at = sent_at or now
    values: dict[str, Any] = {
        "connector": connector,
        "provider_ref": receipt.ref or message.provider_ref,
        "sent_at": sent_at,
    }
    if after is MessageState.SENT:
        # An e-mail can be asked after nowhere, nor can a text whose id nobody told us.
        silent = message.channel == Channel.EMAIL.value or not values["provider_ref"]
        values["next_look_at"] = None if silent else next_receipt_look(sent_at, now)
    elif after is not before:
        values |= {"next_look_at": None, "ended_at": now, "error_code": receipt.reason}
    if after is before:
        await unit.conn.execute(
            update(messages).where(messages.c.id == message.id).values(**values)
        )
        return after
    await move(unit, messages, message.id, MESSAGE, event, **values)
    await write_line(unit, now, message, after, reason=receipt.reason)
    if after is MessageState.UNDELIVERED:
        await _did_not_arrive(unit, now, message, receipt)
    return after


async def record_refusal(unit: Unit, now: datetime, message: Row[Any], reason: str) -> None:
    """The provider said no to sending: nobody has the link, a person takes over."""
    await move(
        unit,
        messages,
        message.id,
        MESSAGE,
        "refused",
        error_code=reason,
        ended_at=now,
        next_look_at=None,
    )
    await write_line(unit, now, message, MessageState.FAILED, reason=reason)
    if message.link_id is not None:
        await move_all(unit, payment_links, [message.link_id], LINK, "withdraw", ended_at=now)
    if reason == OPTED_OUT:
        await _stop(unit, now, message)
    elif message.channel == Channel.EMAIL.value:
        await email_failed(unit, now, message, reason, dead=reason == ADDRESS_INVALID)
    else:
        await _task(unit, now, message, TaskReason.SMS_BLOCKED, reason)


async def record_silence(unit: Unit, now: datetime, message: Row[Any]) -> None:
    """Nobody can find out whether it left: never again, a person takes over. It may have left,
    so its link lives on and it counts as a contact.
    """
    await move(
        unit,
        messages,
        message.id,
        MESSAGE,
        "give_up",
        error_code=OUTCOME_UNKNOWN,
        ended_at=now,
        next_look_at=None,
    )
    await write_line(unit, now, message, MessageState.FAILED, reason=OUTCOME_UNKNOWN)
    if message.channel == Channel.EMAIL.value:
        await email_failed(unit, now, message, OUTCOME_UNKNOWN, dead=False)
        return
    await _task(unit, now, message, TaskReason.SMS_OUTCOME_UNKNOWN, OUTCOME_UNKNOWN)


async def write_line(
    unit: Unit, now: datetime, message: Row[Any], after: MessageState, *, reason: str = ""
) -> None:
    """One line about a message's new state."""
    details = {
        "message_id": str(message.id),
        "channel": message.channel,
        "state": after.value,
        "reason": reason,
    }
    line = Line(
        message.borrower_id, Kind.MESSAGE_CHANGED, CARRIER, details, lender_id=message.lender_id
    )
    await timeline.write(unit, now, [line])


async def _did_not_arrive(
    unit: Unit, now: datetime, message: Row[Any], receipt: SendReceipt
) -> None:
    if receipt.opted_out:
        await _stop(unit, now, message)
        return
    if message.channel == Channel.EMAIL.value:
        await email_failed(unit, now, message, receipt.reason, dead=receipt.permanent)
        return
    reason = TaskReason.SMS_BLOCKED if receipt.permanent else TaskReason.SMS_UNDELIVERED
    await _task(unit, now, message, reason, receipt.reason)


async def _is_dead(unit: Unit, now: datetime, message: Row[Any], receipt: SendReceipt) -> None:
    if receipt.state is DeliveryState.UNDELIVERED and receipt.permanent:
        await email_failed(unit, now, message, receipt.reason, dead=True)


async def _stop(unit: Unit, now: datetime, message: Row[Any]) -> None:
    await opt_out(
        unit,
        now,
        borrower_id=message.borrower_id,
        channel=Channel(message.channel),
        source="provider",
    )


async def _task(
    unit: Unit, now: datetime, message: Row[Any], reason: TaskReason, said: str
) -> None:
    await open_task(
        unit,
        now,
        borrower_id=message.borrower_id,
        reason=reason,
        cause=message.id,
        situation={"message_id": str(message.id), "channel": message.channel, "said": said},
        lender_id=message.lender_id,
    )
