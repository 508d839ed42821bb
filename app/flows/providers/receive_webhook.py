"""Take a provider's webhook in: verify, store, answer. Acting on it is a job's work.

The event is stored before anything is done about it, under a key unique to it, so that overlapping
deliveries of the same event are one. A webhook is a hint: losing one costs time, not truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.domain.errors import NotFound
from app.domain.provider_setup import is_own
from app.flows.house import House
from app.ports import InboundEvent, InboundHttp
from app.store import inbox, jobs
from app.store.provider_setups import owner_of


@dataclass(frozen=True, slots=True)
class Received:
    """`new` is False when all of it came before, or is nothing of ours: answered the same."""

    new: bool


async def receive_webhook(house: House, now: datetime, source: str, call: InboundHttp) -> Received:
    """`source` is the last part of the address that was called: the name of a connector, or of a
    lender's own set-up, whose secret the call is then verified with and no other.

    Raises `NotFound` for a connector that is not called here, `NotAllowed` when the signature does
    not verify, `Unreadable` for a signed call that says nothing we know, and `TryLater` while it
    cannot be verified.
    """
    del now  # Arrival is transport: it is kept in real time.
    events = await _read(await _house_of(house, source), source, call)
    if not events:
        return Received(new=False)
    # A call may bring hundreds of events; kept with each of them it would be hundreds of copies.
    raw = call.body if len(events) == 1 else b""
    async with house.store.engine_unit() as unit:
        stored = [await inbox.store(unit, house.real_now(), source, one, raw) for one in events]
        new = [str(row_id) for row_id in stored if row_id is not None]
        if new:
            await unit.defer(jobs.HANDLE_INBOX, ids=new)
    return Received(new=bool(new))


async def _house_of(house: House, source: str) -> House:
    if not is_own(source):
        return house
    async with house.store.engine_unit() as unit:
        owner = await owner_of(unit, source)
    if owner is None:
        raise NotFound("There is no such connector.")
    return await house.of(owner)


async def _read(house: House, source: str, call: InboundHttp) -> tuple[InboundEvent, ...]:
    port = house.messages.get(source) or house.emails.get(source)
    if port is not None:
        return (port.read_webhook(call),)
    hooks = house.hooks.get(source)
    if hooks is None:
        raise NotFound("There is no such connector.")
    return await hooks.read_webhooks(call)
