"""Take in how banks and providers answered: what is the bank's trouble is nobody else's.

An answer with a no about one person shows that the bank works. A refusal because the allowance is
spent does too: that is a state of the account, never an outage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import structlog

from app.domain.breaker import Heard, Service
from app.domain.errors import (
    ConsentDoubtful,
    ConsentGone,
    Misconfigured,
    OutcomeUnknown,
    SaldoError,
    TryLater,
    Unreadable,
)
from app.flows.house import House
from app.store.accounts import forgive_failures
from app.store.health import BankKey, Change, record_heard
from app.store.unit import Unit

log = structlog.get_logger("health")

Call: TypeAlias = tuple[BankKey, UUID, SaldoError | None]
"""Whom was asked, for whom, and what went wrong (None: nothing)."""

_FAILED = (TryLater, OutcomeUnknown, Unreadable)
# Said about one person, and seen to be said about everybody while a bank was down.
_SAID_TO_ALL = (ConsentGone, ConsentDoubtful)


def heard_by_bank(calls: Iterable[Call]) -> dict[BankKey, Heard]:
    """Add up a batch of calls. A fault of our own settings says nothing about any bank."""
    fine: Counter[BankKey] = Counter()
    failed: Counter[BankKey] = Counter()
    troubled: dict[BankKey, set[UUID]] = {}
    reasons: dict[BankKey, str] = {}
    for bank, person, error in calls:
        if isinstance(error, Misconfigured):
            continue
        if isinstance(error, (*_FAILED, *_SAID_TO_ALL)):
            troubled.setdefault(bank, set()).add(person)
            reasons[bank] = error.detail
            failed[bank] += isinstance(error, _FAILED)
        else:
            fine[bank] += 1
    return {
        bank: Heard(
            fine[bank], failed[bank], frozenset(troubled.get(bank, ())), reasons.get(bank, "")
        )
        for bank in fine.keys() | troubled.keys()
    }


@dataclass(frozen=True, slots=True)
class Health:
    """What a batch showed about the banks it asked."""

    heard: Mapping[BankKey, Heard]
    changes: Mapping[BankKey, Change]

    def down(self, bank: BankKey) -> bool:
        """Is nobody to be asked for there?"""
        change = self.changes.get(bank)
        return change is not None and change.after.down

    def down_until(self, bank: BankKey, now: datetime, real_now: datetime) -> datetime | None:
        """The end of the bank's pause in business time; None for one that is not down."""
        change = self.changes.get(bank)
        if change is None or not change.after.down or change.after.until is None:
            return None
        return now + (change.after.until - real_now)

    def many_at_once(self, bank: BankKey) -> bool:
        """Did it fail so many that a failure says nothing about the one person?"""
        return self.heard[bank].many_at_once

    def doubted(self, bank: BankKey) -> bool:
        """Is its word that a consent is over to be doubted?"""
        change = self.changes.get(bank)
        suspected = change is not None and change.after.suspected
        return suspected or self.many_at_once(bank)


async def hear_balances(
    unit: Unit, house: House, now: datetime, heard: Mapping[BankKey, Heard]
) -> Health:
    """Record a batch of reads in its own transaction, an engine unit's.

    When they make clear that a bank is down, what was counted against those who met it first is
    taken back.
    """
    changes = await record_heard(unit, now, house.real_now(), Service.BALANCES, heard)
    for bank, change in changes.items():
        _tell(Service.BALANCES, bank, change)
        if change.tripped:
            met_first = change.before.suspects - heard[bank].troubled
            await forgive_failures(unit, bank, met_first)
    return Health(heard, changes)


async def hear_calls(house: House, now: datetime, service: Service, calls: Iterable[Call]) -> None:
    """Record calls of another kind, a batch in one short transaction of its own."""
    heard = heard_by_bank(calls)
    if not heard:
        return
    async with house.store.engine_unit() as unit:
        changes = await record_heard(unit, now, house.real_now(), service, heard)
    for bank, change in changes.items():
        _tell(service, bank, change)


def _tell(service: Service, bank: BankKey, change: Change) -> None:
    if change.after.down != change.before.down:
        log.warning(
            "stopped_answering" if change.after.down else "answers_again",
            connector=bank[0],
            bank_id=bank[1],
            service=service.value,
        )
