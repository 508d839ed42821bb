"""The borrower says yes or no to each purpose by itself; both are kept, with the wording."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert

from app.domain.consent import REQUEST, ConsentState, Purpose, RequestState, meant
from app.domain.errors import NotAllowed
from app.flows.actors import BORROWER
from app.flows.consents.end_consent import end_consent
from app.flows.house import House
from app.flows.messages.tell_lender import LenderEvent, tell_lender
from app.store import timeline
from app.store.consents import find_request, load_request, of_borrower
from app.store.keys import new_id
from app.store.locks import lock_borrower
from app.store.moves import move
from app.store.tables import consent_choices, consent_requests
from app.store.timeline import Kind, Line
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class Chosen:
    """`to_bank`: something was granted, he goes on to choose his bank. Else all is done."""

    to_bank: bool
    return_url: str


async def choose_consent(
    house: House,
    now: datetime,
    *,
    token: str,
    granted: Collection[Purpose],
    wording_version: str,
    language: str,
) -> Chosen:
    """Record one choice per purpose that was asked for; what was not asked cannot be granted.

    A look at the bills without the scheduled reads would serve nothing and counts as a no.

    Refusing everything completes the request and costs nothing. Choosing again is possible until
    a bank has confirmed. Raises `NotFound`, `NotAllowed` when the link's time has passed, and
    `IllegalTransition` when the request is completed.
    """
    found = await find_request(house.store, token)
    async with house.store.unit(found.lender_id) as unit:
        await lock_borrower(unit, found.borrower_id)
        request = await load_request(unit, found.request_id, lock=True)
        if now >= request.expires_at:
            raise NotAllowed("This link has expired. Please ask for a new one.")
        for begun in await of_borrower(unit, found.borrower_id, (ConsentState.PENDING,)):
            # What he allows now is not what was begun at the bank.
            if begun.request_id == found.request_id:
                await end_consent(
                    unit, now, begun.id, "abandon", "chosen anew", "page", may_go_on=True
                )
        asked = [Purpose(word) for word in request.purposes]
        allowed = meant(granted)
        yes = [purpose for purpose in asked if purpose in allowed]
        REQUEST.step(RequestState(request.state), "choose" if yes else "complete")
        await unit.conn.execute(
            insert(consent_choices),
            [
                {
                    "id": new_id(),
                    "lender_id": found.lender_id,
                    "request_id": found.request_id,
                    "borrower_id": found.borrower_id,
                    "purpose": purpose.value,
                    "granted": purpose in yes,
                    "wording_version": wording_version,
                    "language": language,
                    "chosen_at": now,
                }
                for purpose in asked
            ],
        )
        granted_words = [purpose.value for purpose in yes]
        details = {
            "request_id": str(found.request_id),
            "granted": granted_words,
            "refused": [purpose.value for purpose in asked if purpose not in yes],
            "wording": wording_version,
        }
        await timeline.write(
            unit, now, [Line(found.borrower_id, Kind.CONSENT_CHOSEN, BORROWER, details)]
        )
        if yes:
            await move(unit, consent_requests, found.request_id, REQUEST, "choose")
        else:
            await _complete_refused(unit, now, found.request_id)
    return Chosen(to_bank=bool(yes), return_url=request.return_url)


async def _complete_refused(unit: Unit, now: datetime, request_id: UUID) -> None:
    await move(unit, consent_requests, request_id, REQUEST, "complete", completed_at=now)
    await tell_lender(
        unit,
        now,
        event=LenderEvent.CONSENT_REFUSED,
        subject_id=request_id,
        payload={"request_id": str(request_id), "why": "refused", "at": now.isoformat()},
    )
