"""Stop the reading because the borrower says so: at once, here and at the bank."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.consent import ConsentState
from app.domain.ids import LenderId
from app.flows.actors import ROBOT
from app.flows.consents.end_consent import Via, end_consent
from app.flows.house import House
from app.store import timeline
from app.store.consents import find_request, load_consent, of_borrower
from app.store.links import find_link
from app.store.locks import lock_borrower
from app.store.readings import erase_of_borrower
from app.store.timeline import Kind, Line

# Those given up, too: a page of the bank may still be open.
_STOPPABLE: Final = (ConsentState.PENDING, ConsentState.ACTIVE, ConsentState.ABANDONED)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """How many consents ended, and how many figures were erased."""

    consents: int
    erased: int


async def withdraw_consent(
    house: House, now: datetime, *, lender_id: LenderId, consent_id: UUID, via: Via
) -> Withdrawn:
    """End one consent. Doing it twice is harmless. Raises `NotFound`, `IllegalTransition`."""
    async with house.store.unit(lender_id) as unit:
        consent = await load_consent(unit, consent_id)
        await lock_borrower(unit, consent.borrower_id)
        done = await end_consent(unit, now, consent_id, "withdraw", "withdrawn", via)
    return Withdrawn(int(done.changed), done.erased)


async def withdraw_all(
    house: House, now: datetime, *, lender_id: LenderId, borrower_id: UUID, via: Via
) -> Withdrawn:
    """End every running consent of a borrower with this lender, and erase what was ever read.

    Figures read under a consent that ran out before are his to have erased, too.
    """
    ended = erased = 0
    async with house.store.unit(lender_id) as unit:
        await lock_borrower(unit, borrower_id)
        for consent in await of_borrower(unit, borrower_id, _STOPPABLE):
            done = await end_consent(unit, now, consent.id, "withdraw", "withdrawn", via)
            ended += done.changed
            erased += done.erased
        if older := await erase_of_borrower(unit, borrower_id, now):
            line = Line(borrower_id, Kind.FIGURES_ERASED, ROBOT, {"count": older})
            await timeline.write(unit, now, [line])
            erased += older
    return Withdrawn(ended, erased)


async def withdraw_by_consent_link(house: House, now: datetime, token: str) -> Withdrawn:
    """The stop page behind a consent link; the link works for this also when it has expired."""
    found = await find_request(house.store, token)
    return await withdraw_all(
        house, now, lender_id=found.lender_id, borrower_id=found.borrower_id, via="page"
    )


async def withdraw_by_payment_link(house: House, now: datetime, token: str) -> Withdrawn:
    """The stop page behind the link of an SMS, also when it is spent or expired."""
    found = await find_link(house.store, token)
    return await withdraw_all(
        house, now, lender_id=found.lender_id, borrower_id=found.borrower_id, via="page"
    )
