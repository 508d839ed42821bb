"""What follows from reads that brought no balance: wait, ask again later, end, or fetch a person.

TryLater          the bank's trouble: the account waits for its next slot; the third failure
in a row is a person's task
AllowanceSpent    nothing more before the bank's time, if that makes sense (else 24 hours)
ConsentGone       the consent ends, unless the bank leaves others unanswered too
ConsentDoubtful   the consent's own status is asked for at once
Declined          about this account: it is not read any more, a person looks
everything else   the answer could not be used: longer and longer pauses, a person looks

While a bank is down (app/domain/breaker.py) none of this is about anybody: nothing is counted, no
consent is touched, nobody is told; the account waits for its own slot after the bank's pause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import update

from app.domain.consent import CONSENT, END_EVENT, ConsentState
from app.domain.errors import (
    AllowanceSpent,
    ConsentDoubtful,
    ConsentEnd,
    ConsentGone,
    Declined,
    ProviderError,
    SaldoError,
    TryLater,
    Unreadable,
)
from app.domain.read_planner import PlanQuestion, clamp_spent_until
from app.domain.task import TaskReason
from app.flows.consents.end_consent import end_consent
from app.flows.fetch_people import PersonNeeded, fetch_people
from app.flows.house import House
from app.flows.providers.bank_book import BankBook, rests_of_bank
from app.flows.providers.hear_banks import Health
from app.flows.reads.next_slot import next_or_end
from app.store.arrays import among
from app.store.health import BankKey
from app.store.maintenance import Rests, rests_to_come
from app.store.reading_rows import AccountNow, Outcome, Setback, write_setbacks
from app.store.reads import Standing
from app.store.tables import consents
from app.store.unit import Unit

# So many failed reads in a row are most of a day without a look at the account.
FAILURES_TO_PERSON: Final = 3


@dataclass(frozen=True, slots=True)
class Trouble:
    """One attempt that brought no balance."""

    attempt_id: UUID
    standing: Standing
    account: AccountNow
    error: SaldoError


@dataclass(frozen=True, slots=True)
class _Consequence:
    word: str
    setback: Setback | None = None
    task: TaskReason | None = None
    ends: ConsentEnd | None = None
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class _Batch:
    """What every consequence of one batch depends on."""

    now: datetime
    real_now: datetime
    margin: timedelta
    banks: BankBook
    rests: Rests
    health: Health


async def suffer_setbacks(
    unit: Unit,
    house: House,
    now: datetime,
    trouble: Sequence[Trouble],
    banks: BankBook,
    health: Health,
) -> list[Outcome]:
    """Draw the conclusions for a batch. The caller holds the locks; returns the outcomes."""
    margin = timedelta(minutes=house.settings.read_window_margin_minutes)
    rests = await rests_to_come(unit, now)
    batch = _Batch(now, house.real_now(), margin, banks, rests, health)
    outcomes: list[Outcome] = []
    setbacks: list[Setback] = []
    doubtful: set[UUID] = set()
    people: list[PersonNeeded] = []
    ends: dict[UUID, tuple[ConsentEnd, str]] = {}
    for one in trouble:
        after = _consequence(one, batch)
        detail = _detail(one.error)
        outcomes.append(Outcome(one.attempt_id, after.word, detail))
        if after.setback is not None:
            setbacks.append(after.setback)
        if after.doubtful:
            doubtful.add(one.standing.consent_id)
        if after.task is not None:
            people.append(_person(one, after.task, detail))
        if after.ends is not None:
            ends[one.standing.consent_id] = (after.ends, detail)
    await write_setbacks(unit, setbacks)
    await _look_at_consents(unit, now, doubtful)
    await fetch_people(unit, now, people)
    for consent_id, (end, detail) in sorted(ends.items()):
        await end_consent(unit, now, consent_id, end_event(end), detail, "bank")
    return outcomes


def end_event(end: ConsentEnd) -> str:
    """The move of an active consent that the bank calls ended."""
    event = END_EVENT[end]
    # A bank that "rejects" a consent which was active once has taken it back.
    return event if event in CONSENT.events(ConsentState.ACTIVE) else "revoke_at_bank"


def _consequence(one: Trouble, batch: _Batch) -> _Consequence:
    now, bank = batch.now, _bank(one)
    said_of_him = isinstance(one.error, AllowanceSpent | Declined)
    if batch.health.down(bank) and not said_of_him:
        return _Consequence(_word(one.error), _wait_for_bank(one, batch))
    failures = one.account.failures + 1
    match one.error:
        case AllowanceSpent(until=until):
            attempts = (*(one.standing.attempts or ()), now)
            spent = clamp_spent_until(until, now, attempts, batch.margin)
            setback = _setback(one, one.account.failures, batch, spent_until=spent)
            return _Consequence("limited", setback)
        case ConsentGone() if batch.health.doubted(bank):
            return _Consequence("doubtful", doubtful=True)
        case ConsentGone(why=why):
            return _Consequence("consent_gone", ends=why)
        case ConsentDoubtful():
            return _Consequence("doubtful", doubtful=True)
        case Declined(reason=reason):
            blocked = Setback(one.standing.id, failures, None, None, reason or "refused")
            return _Consequence("declined", blocked, TaskReason.ACCOUNT_BLOCKED)
        case TryLater() | Unreadable() if batch.health.many_at_once(bank):
            return _Consequence(_word(one.error), _wait_for_bank(one, batch))
        case TryLater(after=after):
            wait = None if after is None else now + after
            setback = _setback(one, failures, batch, down_until=wait)
            down = failures == FAILURES_TO_PERSON
            return _Consequence("failed", setback, TaskReason.BANK_DOWN if down else None)
        case _:
            setback = _setback(one, failures, batch, back_off=failures)
            return _Consequence("unreadable", setback, TaskReason.BALANCE_UNREADABLE)


def _word(error: SaldoError) -> str:
    """How an attempt is told that met a bank which is down."""
    match error:
        case TryLater():
            return "failed"
        case ConsentGone() | ConsentDoubtful():
            return "doubtful"
        case _:
            return "unreadable"


def _wait_for_bank(one: Trouble, batch: _Batch) -> Setback:
    """Its own slot after the bank's pause, or after the time that the bank asked for."""
    waits = [batch.health.down_until(_bank(one), batch.now, batch.real_now)]
    if isinstance(one.error, TryLater) and one.error.after is not None:
        waits.append(batch.now + one.error.after)
    until = max((wait for wait in waits if wait is not None), default=None)
    return _setback(one, one.account.failures, batch, down_until=until)


def _setback(
    one: Trouble,
    failures: int,
    batch: _Batch,
    *,
    back_off: int = 0,
    spent_until: datetime | None = None,
    down_until: datetime | None = None,
) -> Setback:
    """The account's next slot under what went wrong.

    The bank's trouble makes no account wait longer than its next slot: failures are counted
    there for the person who is told, not against the account.
    """
    standing, now = one.standing, batch.now
    bank = batch.banks.of(standing.connector, standing.bank_id)
    at = next_or_end(
        PlanQuestion(
            account_id=standing.id,
            now=now,
            zone=bank.time_zone,
            booking_from=bank.booking_from,
            booking_until=bank.booking_until,
            attempts=tuple(standing.attempts or ()),
            failures=back_off,
            spent_until=spent_until or standing.blocked_until,
            bank_down_until=down_until,
            resting=rests_of_bank(bank, standing.connector, batch.rests, standing.lender_id, now),
            window_ends_at=standing.ends_at,
            margin=batch.margin,
        ),
        reading_now=True,
    )
    return Setback(standing.id, failures, at, spent_until, "")


def _bank(one: Trouble) -> BankKey:
    return one.standing.connector, one.standing.bank_id


def _detail(error: SaldoError) -> str:
    return error.detail[:200] if isinstance(error, ProviderError) else type(error).__name__


def _person(one: Trouble, reason: TaskReason, said: str) -> PersonNeeded:
    """One task per open case and run of failures, with what the bank said."""
    standing, last_read = one.standing, one.account.last_read_at
    return PersonNeeded(
        lender_id=standing.lender_id,
        borrower_id=standing.borrower_id,
        account_id=standing.id,
        reason=reason,
        spell=str(last_read),
        situation={
            "bank_id": standing.bank_id,
            "bank_said": said,
            "last_read_at": last_read.isoformat() if last_read else None,
        },
    )


async def _look_at_consents(unit: Unit, now: datetime, consent_ids: set[UUID]) -> None:
    """Have the banks asked for the status of these consents at the next tick."""
    if consent_ids:
        await unit.conn.execute(
            update(consents)
            .where(among(consents.c.id, consent_ids), consents.c.state == "active")
            .values(next_check_at=now)
        )
