"""Read the balances of a batch of accounts without their owners: count, ask, record.

Three steps, no transaction across the network. First the attempts are written and committed,
under locks, against the clock of that moment: no row, no call. Then the banks are asked, each
account with exactly one request. Then everything that came of it is recorded at once
(`record_readings`). A job that runs again after its first step finds nothing left to do; what
was under way when a process died is a spent attempt and waits for its next slot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from app.domain.breaker import Service
from app.domain.errors import Misconfigured, Refused, SaldoError, Unreadable
from app.domain.ids import LenderId, Secret
from app.domain.provider_setup import Slot
from app.domain.read_planner import (
    UNATTENDED_WINDOW,
    PlanQuestion,
    window_open,
)
from app.flows.consents.fresh_grant import fresh_grant
from app.flows.house import House, Houses
from app.flows.providers.bank_book import BankBook, bank_book, rests_of_bank
from app.flows.reads.next_slot import next_or_end
from app.flows.reads.record_readings import Answer, Asked, ReadTally, record_readings
from app.ports import Grant
from app.store.health import BankKey, win_probe
from app.store.keys import new_ids
from app.store.maintenance import Rests, rests_to_come
from app.store.reads import Standing, lock_and_look, write_attempts
from app.store.unit import Unit
from app.store.vault import SealBroken

log = structlog.get_logger("reading")


async def read_balances(house: House, now: datetime, account_ids: Sequence[UUID]) -> ReadTally:
    """Read these accounts, as far as they may still be read at `now`.

    Consent, purpose, allowance, holds, stop switch and the bank's breaker are looked at again
    here, whatever the plan said. Returns what came of it; never raises for one account's sake.
    """
    houses = await house.of_everybody(Slot.AGGREGATION)
    banks = bank_book(houses)
    asked, skipped = await _begin(house, now, account_ids, banks)
    if not asked:
        return ReadTally(skipped=skipped)
    answers = await _ask_all(houses, asked)
    tally = await record_readings(house, now, asked, answers, banks)
    return replace(tally, skipped=skipped)


# ------------------------------------------------------------------ before the calls


async def _begin(
    house: House, now: datetime, account_ids: Sequence[UUID], banks: BankBook
) -> tuple[list[Asked], int]:
    """Write the attempts of those that may be asked; give all others their next slot."""
    margin = timedelta(minutes=house.settings.read_window_margin_minutes)
    counted_since = now - UNATTENDED_WINDOW - margin
    async with house.store.engine_unit() as unit:
        found = await lock_and_look(unit, account_ids, now, counted_since)
        # Not leased: somebody else took it, this job runs for the second time or came too late.
        standings = [one for one in found if one.leased]
        if not standings:
            return [], 0
        await unit.keys({one.lender_id for one in standings})
        desk = _Desk(unit, now, house.real_now(), margin, banks, await rests_to_come(unit, now))
        asked: list[Asked] = []
        plans: list[datetime | None] = []
        attempts: list[UUID | None] = []
        used: dict[bytes, tuple[datetime, ...]] = {}
        for one, fresh_id in zip(standings, new_ids(len(standings)), strict=True):
            before = used.get(one.iban_hash) or tuple(one.attempts or ())
            question = desk.question(one, before)
            call = (
                _call(unit, one, fresh_id, question) if await desk.may_ask(one, question) else None
            )
            if call is not None:
                used[one.iban_hash] = (*before, now)
                asked.append(call)
            attempts.append(None if call is None else fresh_id)
            plans.append(_next_slot(one, question, reading_now=call is not None))
        await write_attempts(unit, now, [one.id for one in standings], plans, attempts)
        return asked, len(standings) - len(asked)


@dataclass(slots=True)
class _Desk:
    """What a whole batch is judged by."""

    unit: Unit
    now: datetime
    real_now: datetime
    margin: timedelta
    banks: BankBook
    rests: Rests
    probed: set[BankKey] = field(default_factory=set)

    def question(self, one: Standing, attempts: tuple[datetime, ...]) -> PlanQuestion:
        """What this account's next read depends on."""
        bank = self.banks.of(one.connector, one.bank_id)
        paused = one.paused_until
        return PlanQuestion(
            one.id,
            self.now,
            bank.time_zone,
            bank.booking_from,
            bank.booking_until,
            attempts,
            spent_until=one.blocked_until,
            # The breaker's pause is real time: it lasts as long in business time.
            bank_down_until=None if paused is None else self.now + (paused - self.real_now),
            resting=rests_of_bank(bank, one.connector, self.rests, one.lender_id, self.now),
            window_ends_at=one.ends_at,
            margin=self.margin,
        )

    async def may_ask(self, one: Standing, question: PlanQuestion) -> bool:
        """The last word before the attempt is written. Of a bank that is down, one is the probe."""
        key = (one.connector, one.bank_id)
        if not (self.banks.knows(*key) and _may_ask(one, question)):
            return False
        if one.paused_until is None:
            return True
        if key in self.probed:
            return False
        self.probed.add(key)
        return await win_probe(self.unit, Service.BALANCES, key, self.real_now)


def _may_ask(one: Standing, question: PlanQuestion) -> bool:
    return (
        one.usable
        and one.consent_active
        and one.askable
        and not one.halted
        and window_open(question).open
    )


def _next_slot(one: Standing, question: PlanQuestion, *, reading_now: bool) -> datetime | None:
    """The next read; None when there is nothing to read for, or no right to."""
    if not (one.usable and one.consent_active and one.due):
        return None
    return next_or_end(question, reading_now=reading_now)


def _call(unit: Unit, one: Standing, attempt_id: UUID, question: PlanQuestion) -> Asked | None:
    """What the call needs, decrypted. None for a row that cannot be opened: it asks nobody."""
    if one.token_enc is None:
        return None
    try:
        token = unit.open("consents.token_enc", one.consent_id, one.token_enc)
        ref = unit.open("accounts.ref_enc", one.id, one.ref_enc)
    except SealBroken as error:
        log.warning("account_cannot_be_opened", account_id=str(one.id), error=str(error))
        return None
    return Asked(attempt_id, one, Grant(one.bank_id, Secret(token)), Secret(ref), question)


# ------------------------------------------------------------------ the calls


async def _ask_all(houses: Houses, asked: Sequence[Asked]) -> list[Answer]:
    """One request for each, a bounded number at a time, in the order given.

    The accounts of one consent are asked for one after the other: its grant may have to be
    exchanged first, and only once.
    """
    answers: list[Answer | None] = [None] * len(asked)
    together: dict[UUID, list[tuple[int, Asked]]] = {}
    for place, one in enumerate(asked):
        together.setdefault(one.standing.consent_id, []).append((place, one))
    waiting = iter(together.values())
    async with asyncio.TaskGroup() as group:
        for _ in range(min(houses.shared.settings.read_concurrency, len(together))):
            group.create_task(_ask_some(houses, waiting, answers))
    return [answer for answer in answers if answer is not None]


async def _ask_some(
    houses: Houses, waiting: Iterator[list[tuple[int, Asked]]], answers: list[Answer | None]
) -> None:
    for of_one_consent in waiting:
        for place, one in of_one_consent:
            own = houses.of(LenderId(one.standing.lender_id))
            answers[place] = await _ask(own, one)


async def _ask(house: House, one: Asked) -> Answer:
    standing = one.standing
    try:
        grant = await fresh_grant(
            house,
            LenderId(standing.lender_id),
            standing.consent_id,
            standing.connector,
            one.grant,
        )
        return await house.aggregation(standing.connector).balances(grant, one.ref, None)
    except Misconfigured as error:
        log.warning("connector_missing", setting=error.setting)
        return error
    except Refused as error:
        # A value in the answer that no rule of ours accepts.
        return Unreadable(f"the answer was refused ({error.code})")
    except SaldoError as error:
        return error
