"""Take a provider's webhook in: verify, store, answer. Acting on it is a job's work.

The event is stored before anything is done about it, under a key unique to it, so that overlapping
deliveries of the same event are one. A webhook is a hint: losing one costs time, not truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.domain.errors import NotFound
from app.flows.house import House
from app.ports import InboundHttp
from app.store import inbox, jobs


@dataclass(frozen=True, slots=True)
class Received:
    """`new` is False when the same event came before: answered the same, done once."""

    new: bool


async def receive_webhook(house: House, now: datetime, source: str, call: InboundHttp) -> Received:
    """`source` is the connector's name, the last part of the address that was called.

    Raises `NotFound` for a connector without messages here, `NotAllowed` when the signature does
    not verify, and `Unreadable` for a signed call that says nothing we know.
    """
    del now  # Arrival is transport: it is kept in real time.
    port = house.messages.get(source) or house.emails.get(source)
    if port is None:
        raise NotFound("There is no such connector.")
    event = port.read_webhook(call)
    async with house.store.engine_unit() as unit:
        row_id = await inbox.store(unit, house.real_now(), source, event, call)
        if row_id is not None:
            await unit.defer(jobs.HANDLE_INBOX, ids=[str(row_id)])
    return Received(new=row_id is not None)
