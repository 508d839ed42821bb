"""Look at the payment or the consent that a provider's call was about, before its turn.

The call is a hint and no more: the state is asked from the provider, as it is on any other look.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import structlog

from app.domain.consent import ConsentState
from app.domain.errors import ProviderError
from app.domain.ids import Secret
from app.domain.payment import LIVE_STATES, PaymentState
from app.flows.consents.follow_consents import follow_consents
from app.flows.house import House
from app.flows.payments.ask_bank import ask_bank
from app.flows.payments.follow_payments import follow_payments
from app.ports import InboundEvent
from app.store.consents import lenders_of, load_consent
from app.store.payments import find_by_ref, load_payment, open_handle

log = structlog.get_logger("hints")


class Hinted(StrEnum):
    """What came of a hint. Only `looked` is an end: the others may be too early."""

    LOOKED = "looked"
    NOTHING_OURS = "nothing_ours"
    NO_ANSWER = "no_answer"


async def follow_hint(house: House, now: datetime, source: str, event: InboundEvent) -> Hinted:
    """Ask `source` for the state of what it called about, and record the answer.

    Nothing is ours that another connector made. Raises no `ProviderError`.
    """
    if event.payment_ref is not None:
        return await _payment(house, now, source, event.payment_ref)
    if event.consent_key is not None:
        return await _consent(house, now, source, event.consent_key)
    return Hinted.NOTHING_OURS


async def _payment(house: House, now: datetime, source: str, ref: Secret) -> Hinted:
    """An ended payment is asked for as well: money may come back, or have moved against our belief.

    A live one is followed, which also takes back what nobody wants any more.
    """
    async with house.store.engine_unit() as unit:
        found = await find_by_ref(unit, source, ref)
    if found is None:
        return Hinted.NOTHING_OURS
    lender_id, payment_id = found
    async with house.store.unit(lender_id) as unit:
        payment = await load_payment(unit, payment_id)
        handle = open_handle(unit, payment)
    if PaymentState(payment.state) in LIVE_STATES:
        followed = await follow_payments(house, now, [payment_id])
        return Hinted.NO_ANSWER if followed.no_answer else Hinted.LOOKED
    if handle is None:
        return Hinted.NOTHING_OURS
    try:
        await ask_bank(house, now, lender_id, payment_id, payment.connector, handle)
    except ProviderError as error:
        log.info("hint_not_followed", payment_id=str(payment_id), error=type(error).__name__)
        return Hinted.NO_ANSWER
    return Hinted.LOOKED


async def _consent(house: House, now: datetime, source: str, consent_id: UUID) -> Hinted:
    """Only one in force: while he is at his bank, his coming back is what counts."""
    async with house.store.engine_unit() as unit:
        owners = dict(await lenders_of(unit, [consent_id]))
    if consent_id not in owners:
        return Hinted.NOTHING_OURS
    async with house.store.unit(owners[consent_id]) as unit:
        consent = await load_consent(unit, consent_id)
    if consent.connector != source or consent.state != ConsentState.ACTIVE.value:
        return Hinted.NOTHING_OURS
    await follow_consents(house, now, [consent_id])
    return Hinted.LOOKED
