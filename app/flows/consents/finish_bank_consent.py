"""The borrower is back from his bank: learn from the bank itself what he decided there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from app.domain.consent import CONSENT, END_EVENT, ConsentState
from app.domain.errors import AllowanceSpent, ConsentEnd, ConsentGone, ProviderError
from app.domain.ids import LenderId
from app.flows.consents.activate_consent import activate_consent, still_meant
from app.flows.consents.end_consent import end_consent
from app.flows.consents.fresh_grant import fresh_grant
from app.flows.consents.owed_look import look_owed, without_him
from app.flows.consents.read_for_scoring import read_for_scoring
from app.flows.house import House
from app.flows.providers.bank_book import bank_book
from app.flows.reads.learn_bills import Looked, learn_bills
from app.ports import FoundAccount, Grant, GrantNow, GrantState, Presence
from app.side_ports import ComingBackPort
from app.store.consents import (
    find_returned,
    keep_token,
    load_consent,
    look_again,
    token_of,
)
from app.store.outbox import OutboxKind, Outgoing, queue

# Business time until we ask the bank ourselves, when it had not decided yet.
NEXT_LOOK: Final = timedelta(minutes=2)
# Business time for which a consent is left alone whose list of accounts the bank's allowance did
# not permit: refused reads count as well, and there are four in 24 hours.
REST: Final = timedelta(hours=8)
_RESTS: Final = timedelta(hours=1)


class Back(StrEnum):
    """How a consent stands after the bank was asked."""

    ACTIVE = "active"
    WAITING = "waiting"
    """The bank has not decided, or could not be reached: ask again."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class BankConsentFinished:
    """What the page shows. `scoring`: none, due, reading, stored, handed or failed."""

    back: Back
    lender_id: LenderId
    request_id: UUID
    consent_id: UUID
    state: ConsentState
    scoring: str


async def finish_bank_consent(
    house: House,
    now: datetime,
    *,
    return_token: str,
    presence: Presence,
    returned: Mapping[str, str] | None = None,
) -> BankConsentFinished:
    """Ask the bank for the consent's status, put it into force or end it, and read for scoring.

    The borrower's return is only a hint: pressing again, a reloaded page or a forged address ask
    the bank once more and change nothing by themselves. A bank that cannot be reached leaves the
    consent pending. Raises `NotFound` for an unknown link.

    Where his presence cannot be stated and the allowance is spent, pressing again asks nobody.
    """
    lender_id, consent_id = await find_returned(house.store, return_token)
    house = await house.of(lender_id)
    async with house.store.unit(lender_id) as unit:
        resting = _rests(house, now, await load_consent(unit, consent_id))
    try:
        if not resting:
            await confirm_consent(house, now, lender_id, consent_id, presence, returned or {})
    except ProviderError as error:
        async with house.store.unit(lender_id) as unit:
            await look_again(unit, consent_id, look_after(error, now, now + NEXT_LOOK))
    async with house.store.unit(lender_id) as unit:
        consent = await load_consent(unit, consent_id)
    state = ConsentState(consent.state)
    return BankConsentFinished(
        _back(state), lender_id, consent.request_id, consent_id, state, consent.scoring
    )


def look_after(error: Exception, now: datetime, usual: datetime) -> datetime:
    """When to ask again about a consent after this error: later than usual for an allowance."""
    if not isinstance(error, AllowanceSpent):
        return usual
    return max(usual, now + REST, error.until or usual)


def _rests(house: House, now: datetime, consent: Row[Any]) -> bool:
    """Does this consent wait for the allowance, at a bank where his reads count as well?"""
    if consent.state != ConsentState.PENDING.value or consent.next_check_at is None:
        return False
    bank = bank_book(house).of(consent.connector, consent.bank_id)
    return bank.attended_reads_count and consent.next_check_at > now + _RESTS


async def confirm_consent(
    house: House,
    now: datetime,
    lender_id: LenderId,
    consent_id: UUID,
    presence: Presence | None,
    returned: Mapping[str, str] | None = None,
) -> Back:
    """Take over the bank's word on a consent that waits for it; read for scoring if he is there.

    What only waits for him is made up for when he comes to a consent that is in force already.
    Without `presence` no bank is read: only the status and the list of accounts are asked for.
    Raises the bank's `ProviderError`; a consent that the bank calls gone ends here.
    """
    house = await house.of(lender_id)
    async with house.store.unit(lender_id) as unit:
        consent = await load_consent(unit, consent_id)
        token = token_of(unit, consent) if await still_meant(unit, consent) else None
        owed = presence is not None and await look_owed(unit, house, now, consent)
    state = ConsentState(consent.state)
    scoring = consent.scoring == "due" and presence is not None
    settled = state is ConsentState.ACTIVE and not scoring and not owed
    if token is None or settled or "activate" not in CONSENT.events(state):
        return _back(state)
    port, grant = house.aggregation(consent.connector), Grant(consent.bank_id, token)
    listed: Sequence[FoundAccount] = ()
    try:
        if returned and isinstance(port, ComingBackPort):
            grant = await _came_back(house, now, lender_id, consent_id, port, grant, returned)
        grant = await fresh_grant(house, lender_id, consent_id, consent.connector, grant)
        status = await port.grant_now(grant)
        if status.state is GrantState.ACTIVE:
            listed = await port.accounts(grant, presence)
    except ConsentGone as gone:
        status = GrantNow(GrantState.ENDED, end=gone.why, raw_status=gone.detail)
    zone = bank_book(house).of(consent.connector, consent.bank_id).time_zone
    async with house.store.unit(lender_id) as unit:
        match status.state:
            case GrantState.ACTIVE:
                await activate_consent(unit, now, consent_id, status, listed, zone=zone)
            case GrantState.ENDED:
                event = END_EVENT[status.end or ConsentEnd.UNKNOWN_AT_BANK]
                if event not in CONSENT.events(state):
                    event = "revoke_at_bank"
                await end_consent(unit, now, consent_id, event, status.raw_status, "bank")
            case GrantState.PENDING:
                await look_again(unit, consent_id, now + NEXT_LOOK)
    if status.state is GrantState.ACTIVE and presence is not None and scoring:
        await read_for_scoring(house, now, lender_id, consent_id, listed, presence)
    looked = Looked()
    if status.state is GrantState.ACTIVE:
        looked = await learn_bills(house, now, lender_id, consent_id, listed, presence)
    async with house.store.unit(lender_id) as unit:
        if looked.unready and without_him(house, consent.connector):
            await look_again(unit, consent_id, now + NEXT_LOOK)
        return _back(ConsentState((await load_consent(unit, consent_id)).state))


async def _came_back(
    house: House,
    now: datetime,
    lender_id: LenderId,
    consent_id: UUID,
    port: ComingBackPort,
    grant: Grant,
    returned: Mapping[str, str],
) -> Grant:
    """Let the connector take in what he brought, and keep the handle it gives for it.

    A code works once: when a second request of his comes to nothing because the first one was
    quicker, the handle of the first one is what counts. A consent that was given up meanwhile is
    given back at the bank.
    """
    try:
        fresh = await port.came_back(grant, returned)
    except ProviderError:
        async with house.store.unit(lender_id) as unit:
            kept = token_of(unit, await load_consent(unit, consent_id))
        if kept is None or kept == grant.token:
            raise
        return Grant(grant.bank_id, kept)
    if fresh == grant:
        return grant
    async with house.store.unit(lender_id) as unit:
        consent = await load_consent(unit, consent_id, lock=True)
        await keep_token(unit, consent_id, fresh.token)
        if "activate" not in CONSENT.events(ConsentState(consent.state)):
            give_back = Outgoing(OutboxKind.REVOKE_CONSENT, lender_id, consent_id, "revoke")
            await queue(unit, now, [give_back])
    return fresh


def _back(state: ConsentState) -> Back:
    if state is ConsentState.ACTIVE:
        return Back.ACTIVE
    return Back.WAITING if state is ConsentState.PENDING else Back.ENDED
