"""Look after consents: those nobody came back for, those that end, those revoked at the bank.

Asking a bank for a consent's status is not a balance read and counts in no allowance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import Row, select, text, update

from app.domain.breaker import Service
from app.domain.consent import END_EVENT, REQUEST, ConsentState
from app.domain.errors import ConsentGone, ProviderError, Refused
from app.domain.ids import LenderId
from app.domain.read_planner import spread_after
from app.flows.actors import ROBOT
from app.flows.consents.end_consent import end_consent
from app.flows.consents.finish_bank_consent import NEXT_LOOK, Back, confirm_consent, look_after
from app.flows.consents.fresh_grant import fresh_grant
from app.flows.consents.owed_look import look_owed, without_him
from app.flows.house import House
from app.flows.providers.hear_banks import Call, hear_balances, heard_by_bank
from app.flows.reads.learn_bills import learn_bills
from app.flows.side_by_side import side_by_side
from app.ports import Grant, GrantState
from app.store import jobs, timeline
from app.store.arrays import among
from app.store.batches import is_behind
from app.store.consents import lenders_of, load_consent, look_again, token_of
from app.store.health import BankKey, down_until, win_probe
from app.store.moves import move_all
from app.store.tables import consent_requests, consents
from app.store.timeline import Kind, Line
from app.store.unit import Unit

log = structlog.get_logger("consent")

BATCH: Final = 50
MOST_PER_TICK: Final = 500
# Business time.
LEASE: Final = timedelta(minutes=5)
PENDING_EVERY: Final = timedelta(minutes=30)
ABANDONED_AFTER: Final = timedelta(days=1)
ACTIVE_EVERY: Final = timedelta(days=1)
# A provider's copy of transactions that is not complete by then is left alone until the next look.
READY_WITHIN: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class ConsentsPlanned:
    """Consents handed to jobs; requests whose link ran out."""

    planned: int
    expired: int


@dataclass(frozen=True, slots=True)
class ConsentsFollowed:
    """How many were looked at, and how many are in another state now."""

    looked: int
    changed: int


async def plan_consents(house: House, now: datetime) -> ConsentsPlanned:
    """Hand every consent whose look is due to a job; let links that ran out expire."""
    async with house.store.engine_unit() as unit:
        expired = await _expire_requests(unit, now)
        if await is_behind(unit, jobs.FOLLOW_CONSENTS):
            return ConsentsPlanned(0, expired)
        taken = await unit.conn.scalars(
            select(consents.c.id)
            # Written out, as the partial index has it.
            .where(text("state IN ('pending', 'active')"), consents.c.next_check_at <= now)
            .order_by(consents.c.next_check_at)
            .limit(MOST_PER_TICK)
            .with_for_update(skip_locked=True)
        )
        ids = list(taken)
        if ids:
            await unit.conn.execute(
                update(consents).where(among(consents.c.id, ids)).values(next_check_at=now + LEASE)
            )
        for start in range(0, len(ids), BATCH):
            await unit.defer(
                jobs.FOLLOW_CONSENTS, ids=[str(one) for one in ids[start : start + BATCH]]
            )
    return ConsentsPlanned(len(ids), expired)


async def _expire_requests(unit: Unit, now: datetime) -> int:
    over = await unit.conn.execute(
        select(consent_requests.c.id, consent_requests.c.lender_id, consent_requests.c.borrower_id)
        .where(text("state NOT IN ('completed', 'expired')"), consent_requests.c.expires_at <= now)
        .order_by(consent_requests.c.expires_at)
        .limit(MOST_PER_TICK)
        .with_for_update(skip_locked=True)
    )
    rows = {row.id: row for row in over}
    moved = await move_all(unit, consent_requests, list(rows), REQUEST, "expire")
    lines = [
        Line(
            rows[one].borrower_id,
            Kind.CONSENT_CHANGED,
            ROBOT,
            {"request_id": str(one), "state": "request_expired"},
            lender_id=rows[one].lender_id,
        )
        for one in moved
    ]
    await timeline.write(unit, now, lines)
    return len(moved)


async def follow_consents(house: House, now: datetime, ids: list[UUID]) -> ConsentsFollowed:
    """Look at each consent once. What a bank says of all of them at once ends none."""
    async with house.store.engine_unit() as unit:
        found = await lenders_of(unit, ids)
        down = _Down(house, now, await down_until(unit, Service.BALANCES, now, house.real_now()))

    async def one(item: tuple[UUID, LenderId]) -> _Look:
        return await _follow(house, now, item[1], item[0], down)

    looks = await side_by_side(found, one)
    calls = [look.call for look in looks if look.call is not None]
    heard = heard_by_bank(calls)
    async with house.store.engine_unit() as unit:
        health = await hear_balances(unit, house, now, heard)
    changed = sum(look.changed for look in looks)
    for look in looks:
        if look.gone is not None and look.call is not None:
            doubted = health.doubted(look.call[0])
            changed += await _end_or_wait(house, now, look.gone, doubted=doubted)
    return ConsentsFollowed(len(looks), changed)


@dataclass(slots=True)
class _Down:
    """The banks that are down, each with the end of its pause, and who may ask one all the same."""

    house: House
    now: datetime
    until: Mapping[BankKey, datetime]
    probed: set[BankKey] = field(default_factory=set)

    async def wait_of(self, bank: BankKey, consent_id: UUID) -> datetime | None:
        """When to look again instead of asking now; None: ask. One of them is the probe.

        Not all at once when the pause is over.
        """
        until = self.until.get(bank)
        if until is None:
            return None
        if until <= self.now and bank not in self.probed:
            self.probed.add(bank)
            async with self.house.store.engine_unit() as unit:
                if await win_probe(unit, Service.BALANCES, bank, self.house.real_now()):
                    return None
        return spread_after(max(until, self.now), consent_id)


@dataclass(frozen=True, slots=True)
class _Gone:
    """A consent that its bank calls ended, before anybody believed it."""

    lender_id: LenderId
    consent: Row[Any]
    error: ConsentGone


@dataclass(frozen=True, slots=True)
class _Look:
    """What came of one look. `call`: the bank was asked."""

    changed: bool = False
    call: Call | None = None
    gone: _Gone | None = None


async def _end_or_wait(house: House, now: datetime, gone: _Gone, *, doubted: bool) -> bool:
    async with house.store.unit(gone.lender_id) as unit:
        if doubted:
            await look_again(unit, gone.consent.id, _next_look(gone.consent, now))
            return False
        event, why = END_EVENT[gone.error.why], gone.error.detail
        return (await end_consent(unit, now, gone.consent.id, event, why, "bank")).changed


async def _follow(
    house: House,
    now: datetime,
    lender_id: LenderId,
    consent_id: UUID,
    down: _Down,
) -> _Look:
    house = await house.of(lender_id)
    async with house.store.unit(lender_id) as unit:
        consent = await load_consent(unit, consent_id)
        if consent.state not in (ConsentState.PENDING.value, ConsentState.ACTIVE.value):
            return _Look()
        if consent.ends_at is not None and consent.ends_at <= now:
            done = await end_consent(unit, now, consent_id, "expire", "its window ended", "saldo")
            return _Look(changed=done.changed)
    bank = (consent.connector, consent.bank_id)
    wait = await down.wait_of(bank, consent_id)
    if wait is not None:
        async with house.store.unit(lender_id) as unit:
            await look_again(unit, consent_id, min(wait, consent.ends_at or wait))
        return _Look()
    try:
        if consent.state == ConsentState.PENDING.value:
            changed = await _follow_pending(house, now, lender_id, consent)
        else:
            changed = await _follow_active(house, now, lender_id, consent)
    except ConsentGone as error:
        call = (bank, consent.borrower_id, error)
        return _Look(call=call, gone=_Gone(lender_id, consent, error))
    except (ProviderError, Refused) as error:
        log.info("consent_not_followed", consent_id=str(consent_id), error=type(error).__name__)
        async with house.store.unit(lender_id) as unit:
            again = look_after(error, now, _next_look(consent, now))
            await look_again(unit, consent_id, min(again, consent.ends_at or again))
        return _Look(call=(bank, consent.borrower_id, error))
    asked = consent.token_enc is not None
    return _Look(changed, (bank, consent.borrower_id, None) if asked else None)


async def _follow_pending(
    house: House, now: datetime, lender_id: LenderId, consent: Row[Any]
) -> bool:
    """Nobody came back: perhaps he authorised all the same. Without presence nothing is read."""
    back = Back.WAITING
    if consent.token_enc is not None:
        back = await confirm_consent(house, now, lender_id, consent.id, None)
    if back is not Back.WAITING:
        return True
    async with house.store.unit(lender_id) as unit:
        if now - consent.created_at >= ABANDONED_AFTER:
            why = "he did not come back from the bank"
            return (await end_consent(unit, now, consent.id, "abandon", why, "saldo")).changed
        await look_again(unit, consent.id, _next_look(consent, now))
    return False


async def _follow_active(
    house: House, now: datetime, lender_id: LenderId, consent: Row[Any]
) -> bool:
    async with house.store.unit(lender_id) as unit:
        token = token_of(unit, consent)
    if token is None:
        return False
    grant = Grant(consent.bank_id, token)
    grant = await fresh_grant(house, lender_id, consent.id, consent.connector, grant, ask=True)
    port = house.aggregation(consent.connector)
    said = await port.grant_now(grant)
    async with house.store.unit(lender_id) as unit:
        await _give_up_scoring(unit, now, consent_id=consent.id)
        if said.state is GrantState.ENDED:
            event = END_EVENT[said.end] if said.end is not None else "lose"
            # Ended by us, says the bank, and we know nothing of it: nothing can be read with it.
            event = "lose" if event == "withdraw" else event
            why = said.raw_status or event
            return (await end_consent(unit, now, consent.id, event, why, "bank")).changed
        await look_again(unit, consent.id, _next_look(consent, now))
        copied = without_him(house, consent.connector) and await look_owed(
            unit, house, now, consent
        )
    if copied:
        listed = await port.accounts(grant, None)
        looked = await learn_bills(house, now, lender_id, consent.id, listed, None)
        if looked.unready and now - consent.activated_at < READY_WITHIN:
            async with house.store.unit(lender_id) as unit:
                await look_again(unit, consent.id, now + NEXT_LOOK)
    return False


async def _give_up_scoring(unit: Unit, now: datetime, *, consent_id: UUID) -> None:
    """He never came back, or the process died in the one read: there is no second one."""
    await unit.conn.execute(
        update(consents)
        .where(
            consents.c.id == consent_id,
            consents.c.scoring.in_(("due", "reading")),
            consents.c.activated_at <= now - ABANDONED_AFTER,
        )
        .values(scoring="failed")
    )


def _next_look(consent: Row[Any], now: datetime) -> datetime:
    every = PENDING_EVERY if consent.state == ConsentState.PENDING.value else ACTIVE_EVERY
    ahead: datetime = now + every
    return min(ahead, consent.ends_at) if consent.ends_at is not None else ahead
