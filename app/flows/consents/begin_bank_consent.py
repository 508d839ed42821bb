"""Send the borrower to the bank he picked, to authenticate there and authorise the consent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import insert, update

from app.domain.breaker import Service
from app.domain.consent import REQUEST, ConsentState, Purpose, RequestState
from app.domain.errors import Invalid, NotAllowed, ProviderError
from app.domain.ids import LenderId, Secret
from app.domain.read_planner import UNATTENDED_PER_24H
from app.flows.actors import BORROWER
from app.flows.consents.end_consent import end_consent
from app.flows.consents.owed_look import can_show
from app.flows.house import House
from app.flows.providers.hear_banks import hear_calls
from app.ports import Bank, ConsentAsk, Presence
from app.store import timeline
from app.store.consents import (
    RETURN_HASH,
    FoundRequest,
    find_request,
    keep_token,
    latest_choices,
    load_consent,
    load_request,
    of_borrower,
)
from app.store.keys import new_id, new_token
from app.store.locks import lock_borrower
from app.store.moves import move
from app.store.outbox import OutboxKind, Outgoing, queue
from app.store.tables import consent_choices, consent_requests, consents
from app.store.timeline import Kind, Line
from app.store.unit import Unit

# Business time after which the bank is asked whether he has authorised without coming back.
FIRST_CHECK: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class _Begun:
    """The row that was committed before the bank is asked."""

    consent_id: UUID
    lender_id: LenderId
    borrower_id: UUID
    request_id: UUID
    return_token: str
    valid_until: date
    recurring: bool
    transactions: bool


async def begin_bank_consent(
    house: House, now: datetime, *, token: str, bank_id: str, presence: Presence
) -> str:
    """Create the consent at the bank and return the address to send the borrower to.

    The row is committed first. An answer that is lost leaves a consent nobody can authorise,
    which is abandoned. Raises `NotFound`, `NotAllowed` (link over), `IllegalTransition`,
    `Invalid` for a bank that cannot be reached, and the bank's own `ProviderError`.
    """
    found = await find_request(house.store, token)
    house = await house.of(found.lender_id)
    connector = house.aggregation_name
    port = house.aggregation(connector)
    bank = next((one for one in port.banks() if one.id == bank_id), None)
    if bank is None:
        raise Invalid("bank_id", "is not a bank that can be reached.", mend="Choose from the list.")
    begun = await _write_down(house, now, found, connector, bank)
    back = f"{house.settings.public_url}/c/back/{begun.return_token}"
    ask = ConsentAsk(
        key=begun.consent_id,
        bank_id=bank_id,
        valid_until=begun.valid_until,
        recurring=begun.recurring,
        frequency_per_day=UNATTENDED_PER_24H if begun.recurring else 1,
        return_url=back,
        refused_url=back,
        presence=presence,
        transactions=begun.transactions,
    )
    at = (connector, bank_id)
    try:
        answer = await port.begin_consent(ask)
    except ProviderError as error:
        await hear_calls(house, now, Service.BALANCES, [(at, begun.borrower_id, error)])
        async with house.store.unit(begun.lender_id) as unit:
            why = f"the bank did not answer as expected ({type(error).__name__})"
            await end_consent(unit, now, begun.consent_id, "abandon", why, "saldo", may_go_on=True)
        raise
    async with house.store.unit(begun.lender_id) as unit:
        overtaken = await _keep_token(unit, now, begun, answer.grant.token)
    await hear_calls(house, now, Service.BALANCES, [(at, begun.borrower_id, None)])
    if overtaken:
        raise NotAllowed("You started again in another window. Please go on there.")
    return answer.redirect_url


async def _write_down(
    house: House, now: datetime, found: FoundRequest, connector: str, bank: Bank
) -> _Begun:
    async with house.store.unit(found.lender_id) as unit:
        await lock_borrower(unit, found.borrower_id)
        request = await load_request(unit, found.request_id, lock=True)
        if now >= request.expires_at:
            raise NotAllowed("This link has expired. Please ask for a new one.")
        REQUEST.step(RequestState(request.state), "leave_for_bank")
        choices = await latest_choices(unit, found.request_id)
        agreed = {word for word, choice in choices.items() if choice.granted}
        granted = [purpose.value for purpose in Purpose if purpose in agreed]
        if not granted:
            raise NotAllowed("Nothing was agreed to, so there is nothing to ask a bank for.")
        for earlier in await of_borrower(unit, found.borrower_id, [ConsentState.PENDING]):
            if earlier.request_id == found.request_id:
                await end_consent(
                    unit, now, earlier.id, "abandon", "started again", "page", may_go_on=True
                )
        recurring = Purpose.REPAYMENT_MONITORING.value in granted
        begun = _Begun(
            consent_id=new_id(),
            lender_id=found.lender_id,
            borrower_id=found.borrower_id,
            request_id=found.request_id,
            return_token=new_token(),
            # One look needs no window; a day of room for an authentication round midnight.
            valid_until=_last_day(now, bank, request.window_days if recurring else 1),
            recurring=recurring,
            transactions=Purpose.BILLS.value in granted and can_show(house, connector, bank),
        )
        await unit.conn.execute(
            insert(consents).values(
                id=begun.consent_id,
                lender_id=found.lender_id,
                borrower_id=found.borrower_id,
                request_id=found.request_id,
                connector=connector,
                bank_id=bank.id,
                purposes=granted,
                return_hash=unit.vault.digest(RETURN_HASH, begun.return_token),
                asked_until=begun.valid_until,
                created_at=now,
                next_check_at=now + FIRST_CHECK,
                scoring="due" if Purpose.SCORING.value in granted else "none",
            )
        )
        kept = [choice.id for choice in choices.values() if choice.granted]
        await unit.conn.execute(
            update(consent_choices)
            .where(consent_choices.c.id.in_(kept))
            .values(consent_id=begun.consent_id)
        )
    return begun


def _last_day(now: datetime, bank: Bank, window_days: int) -> date:
    """The last day of the window, in the bank's zone, since that is how banks read it."""
    today = now.astimezone(ZoneInfo(bank.time_zone)).date()
    return today + timedelta(days=window_days)


async def _keep_token(unit: Unit, now: datetime, begun: _Begun, token: Secret) -> bool:
    """Keep the token and let him leave; True when he has started again elsewhere meanwhile.

    Then the consent that the bank just made is given back: nobody may authorise it.
    """
    consent = await load_consent(unit, begun.consent_id)
    await lock_borrower(unit, consent.borrower_id)
    consent = await load_consent(unit, begun.consent_id, lock=True)
    await keep_token(unit, begun.consent_id, token)
    if consent.state != ConsentState.PENDING.value:
        give_back = Outgoing(OutboxKind.REVOKE_CONSENT, begun.lender_id, begun.consent_id, "revoke")
        await queue(unit, now, [give_back])
        return True
    await move(unit, consent_requests, begun.request_id, REQUEST, "leave_for_bank")
    details = {
        "consent_id": str(begun.consent_id),
        "state": consent.state,
        "bank_id": consent.bank_id,
    }
    line = Line(consent.borrower_id, Kind.CONSENT_CHANGED, BORROWER, details)
    await timeline.write(unit, now, [line])
    return False
