"""Act on webhooks that were stored: read the truth from the provider, hear people out.

"Stop" is the one thing taken at its word at once, for every lender who writes to that number: no
provider could know it better than the person who said it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never
from uuid import UUID

import structlog
from sqlalchemy import select

from app.domain.case import CaseState
from app.domain.errors import ProviderError
from app.domain.ids import LenderId
from app.domain.message import Channel
from app.domain.provider_setup import is_own
from app.domain.task import TaskReason
from app.flows.actors import BORROWER
from app.flows.house import House
from app.flows.messages.opt_out import opt_in, opt_out
from app.flows.messages.record_receipt import record_receipt
from app.flows.providers.follow_hint import Hinted, follow_hint
from app.flows.side_by_side import side_by_side
from app.flows.work.open_task import open_task
from app.ports import InboundKind
from app.store import jobs, timeline
from app.store.batches import Leased, is_waiting
from app.store.borrowers import phone_hash
from app.store.contacts import note_contact
from app.store.inbox import Waiting, left_behind, mark_handled, waiting
from app.store.locks import lock_borrower
from app.store.messages import find_by_ref, lock_message
from app.store.provider_setups import owner_of
from app.store.tables import borrowers, cases
from app.store.timeline import Kind, Line
from app.store.unit import Unit

log = structlog.get_logger("inbox")

BATCH: Final = 20
_MOST: Final = 200
# Real time. An event that still waits after this has lost its job.
_LOST_AFTER: Final = timedelta(seconds=30)
# Real time. A receipt may overtake the answer to our own sending; after this it is for no message
# of ours, or the sweep has long asked for itself.
_MATCH_WITHIN: Final = timedelta(minutes=5)

# Results, as stored beside the event.
RECORDED: Final = "recorded"
NO_SUCH_MESSAGE: Final = "no_such_message"
NOT_YET: Final = "not_yet"
STOPPED: Final = "stopped"
STARTED: Final = "started"
HEARD: Final = "heard"
NOBODY: Final = "nobody"
DONE_BEFORE: Final = "done_before"


@dataclass(frozen=True, slots=True)
class InboxPlanned:
    """Events whose handling was queued again."""

    planned: int


@dataclass(frozen=True, slots=True)
class InboxHandled:
    """How many events came to which result."""

    results: dict[str, int]


async def plan_inbox(house: House, now: datetime) -> InboxPlanned:
    """Queue events that wait although their job should have run. Arrival is real time."""
    del now
    async with house.store.engine_unit() as unit:
        if await is_waiting(unit, jobs.HANDLE_INBOX):
            return InboxPlanned(0)
        found = Leased(await left_behind(unit, house.real_now() - _LOST_AFTER, _MOST))
        for batch in found.in_batches(BATCH):
            await unit.defer(jobs.HANDLE_INBOX, ids=batch)
    return InboxPlanned(len(found.ids))


async def handle_inbox(house: House, now: datetime, ids: list[UUID]) -> InboxHandled:
    """Act on each event once. Run again, or by two workers, it changes nothing twice."""
    async with house.store.engine_unit() as unit:
        events = await waiting(unit, ids)

    async def one(event: Waiting) -> str:
        return await _handle(house, now, event)

    return InboxHandled(dict(Counter(await side_by_side(events, one))))


async def _handle(house: House, now: datetime, item: Waiting) -> str:
    match item.event.kind:
        case InboundKind.INBOUND_TEXT:
            return await _text(house, now, item)
        case InboundKind.MESSAGE_STATUS:
            return await _mark(house, item, await _status(house, now, item))
        case InboundKind.PAYMENT | InboundKind.CONSENT:
            return await _mark(house, item, await _look(house, now, item))
        case _ as never:
            assert_never(never)


async def _mark(house: House, item: Waiting, result: str) -> str:
    if result != NOT_YET:
        async with house.store.engine_unit() as unit:
            await mark_handled(unit, house.real_now(), item.id, result)
    return result


async def _status(house: House, now: datetime, item: Waiting) -> str:
    """Read where the message stands from the provider; the webhook only said when to.

    A bounced e-mail is the exception: nobody can be asked, so the signed report itself counts.
    """
    async with house.store.engine_unit() as unit:
        found = await find_by_ref(unit, item.source, item.event.message_ref)
    if found is None:
        late = house.real_now() - item.received_at > _MATCH_WITHIN
        return NO_SUCH_MESSAGE if late else NOT_YET
    message_id, lender_id = found
    try:
        house = await house.of(LenderId(lender_id))
        receipt = item.event.receipt or await house.message(item.source).message_now(
            item.event.message_ref
        )
    except ProviderError as error:
        # The sweep asks for a message without a receipt anyway.
        log.info("receipt_not_read", error=type(error).__name__)
        return NOT_YET if house.real_now() - item.received_at < _MATCH_WITHIN else RECORDED
    async with house.store.unit(LenderId(lender_id)) as unit:
        message = await lock_message(unit, message_id)
        await record_receipt(unit, now, message, receipt, connector=item.source)
    return RECORDED


async def _look(house: House, now: datetime, item: Waiting) -> str:
    """Look at what the call was about. While nothing can be seen of it yet, look again soon."""
    hinted = await follow_hint(house, now, item.source, item.event)
    if hinted is Hinted.LOOKED or house.real_now() - item.received_at > _MATCH_WITHIN:
        return hinted.value
    return NOT_YET


async def _text(house: House, now: datetime, item: Waiting) -> str:
    """Hear the sender out, at every lender at once: he does not know how many there are.

    What came through a lender's own provider counts for that lender alone: nobody else vouches
    for it.

    One transaction with the mark that it was done: a "stop" that is acted on twice, with a
    "start" in between, would silence somebody who asked to be written to.
    """
    async with house.store.engine_unit() as unit:
        people = await _people(unit, item)
        result = {True: STOPPED, False: STARTED, None: HEARD}[item.event.stop]
        result = result if people else NOBODY
        if not await mark_handled(unit, house.real_now(), item.id, result):
            return DONE_BEFORE
        for borrower_id in people:
            await _hear(unit, now, borrower_id, item)
    return result


async def _people(unit: Unit, item: Waiting) -> list[UUID]:
    """Everybody with this number, in the order of their locks.

    A number that may be somebody else's stops texts and does not start them again.
    """
    if item.event.sender is None:
        return []
    query = select(borrowers.c.id).where(
        borrowers.c.phone_hash == phone_hash(unit.vault, item.event.sender),
        borrowers.c.phone_enc.is_not(None),
    )
    if item.event.stop is False:
        query = query.where(borrowers.c.phone_doubted_at.is_(None))
    if is_own(item.source):
        query = query.where(borrowers.c.lender_id == await owner_of(unit, item.source))
    return list(await unit.conn.scalars(query.order_by(borrowers.c.id)))


async def _hear(unit: Unit, now: datetime, borrower_id: UUID, item: Waiting) -> None:
    if item.event.stop is True:
        await opt_out(unit, now, borrower_id=borrower_id, channel=Channel.SMS, source="sms")
    elif item.event.stop is False:
        await opt_in(unit, now, borrower_id=borrower_id, channel=Channel.SMS, source="sms")
    else:
        await _pass_on(unit, now, borrower_id, item)


async def _pass_on(unit: Unit, now: datetime, borrower_id: UUID, item: Waiting) -> None:
    """He wrote something only a person can answer: it is put before one, with his own words.

    Each text is kept, also while the task for an earlier one still waits.
    """
    person = await lock_borrower(unit, borrower_id)
    open_case = await unit.conn.scalar(
        select(cases.c.id)
        .where(cases.c.borrower_id == borrower_id, cases.c.state != CaseState.CLOSED.value)
        .limit(1)
    )
    if open_case is None:
        return
    await open_task(
        unit,
        now,
        borrower_id=borrower_id,
        reason=TaskReason.COLLECTOR_ACTS,
        cause=item.id,
        situation={"wrote": Channel.SMS.value, "inbox_id": str(item.id)},
        lender_id=person.lender_id,
    )
    await unit.keys([person.lender_id])
    contact_id = await note_contact(
        unit,
        now,
        lender_id=person.lender_id,
        borrower_id=borrower_id,
        channel=Channel.SMS,
        outbound=False,
        conversation=False,
        said=item.event.text.strip(),
    )
    details = {"by": Channel.SMS.value, "contact_id": str(contact_id)}
    line = Line(borrower_id, Kind.BORROWER_SAID, BORROWER, details, lender_id=person.lender_id)
    await timeline.write(unit, now, [line])
