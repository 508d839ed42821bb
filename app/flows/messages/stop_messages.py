"""Stop the texts, from any of our links: no sign-in, no check, no questions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.domain.ids import LenderId
from app.domain.message import Channel
from app.flows.house import House
from app.flows.messages.opt_out import opt_out
from app.store.consents import find_request
from app.store.links import find_link


async def stop_messages_of_link(
    house: House, now: datetime, token: str, *, channel: Channel = Channel.SMS
) -> bool:
    """For the person behind a payment link, over or not; False when they were stopped already.

    Raises `NotFound` for a token that is not ours. Twice is harmless.
    """
    found = await find_link(house.store, token)
    return await _stop(house, now, found.lender_id, found.borrower_id, channel)


async def stop_messages_of_consent(
    house: House, now: datetime, token: str, *, channel: Channel = Channel.SMS
) -> bool:
    """The same for the person behind a consent link."""
    found = await find_request(house.store, token)
    return await _stop(house, now, found.lender_id, found.borrower_id, channel)


async def _stop(
    house: House, now: datetime, lender_id: LenderId, borrower_id: UUID, channel: Channel
) -> bool:
    async with house.store.unit(lender_id) as unit:
        return await opt_out(unit, now, borrower_id=borrower_id, channel=channel, source="page")
