"""Record what came of a batch of reads, in one transaction for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

import structlog

from app.domain.balance import Spendable
from app.domain.breaker import Heard
from app.domain.detector import QuietReason
from app.domain.errors import SaldoError
from app.domain.ids import Secret
from app.domain.message import CancelReason
from app.domain.read_planner import PlanQuestion
from app.domain.task import TaskReason
from app.flows.fetch_people import PersonNeeded, fetch_people
from app.flows.house import House
from app.flows.providers.bank_book import BankBook
from app.flows.providers.hear_banks import hear_balances, heard_by_bank
from app.flows.reads.judge_reading import Judged, judge_reading, spendable_of
from app.flows.reads.learn_income import Look, learn_income
from app.flows.reads.suffer_setbacks import Trouble, suffer_setbacks
from app.flows.reads.teach_profiles import Taught, teach_profiles
from app.flows.signals.end_signals import end_signals
from app.flows.signals.funds_rules import funds_rules
from app.flows.signals.raise_signals import NewSignal, raise_signals
from app.ports import BalanceAnswer, Grant
from app.store.dues import dues_of
from app.store.health import BankKey
from app.store.income_profiles import Learner, learners
from app.store.reading_rows import (
    READ,
    AccountNow,
    NewReading,
    Outcome,
    lock_for_recording,
    write_outcomes,
    write_readings,
)
from app.store.reads import Standing
from app.store.unit import Unit

log = structlog.get_logger("reading")

DROPPED: Final = "dropped"

# What a bank states in this way it will state again: it is not a matter of waiting.
_NEEDS_PERSON: Final = (QuietReason.UNUSABLE, QuietReason.CREDIT_NOT_EXCLUDED)

Answer: TypeAlias = BalanceAnswer | SaldoError


@dataclass(slots=True)
class Asked:
    """One call: its attempt, how the account stood, what the call and the plan were made from."""

    attempt_id: UUID
    standing: Standing
    grant: Grant
    ref: Secret
    question: PlanQuestion


@dataclass(frozen=True, slots=True)
class ReadTally:
    """What a batch came to. `outcomes` counts the attempts by their word."""

    skipped: int = 0
    signals: int = 0
    money_gone: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    @property
    def read(self) -> int:
        """Answers that were stored."""
        return self.outcomes.get(READ, 0)


async def record_readings(
    house: House,
    now: datetime,
    asked: Sequence[Asked],
    answers: Sequence[Answer],
    banks: BankBook,
) -> ReadTally:
    """Store readings, verdicts and signals; note failures; plan anew where something failed.

    An answer whose consent ended while the bank was being asked is dropped unread: from the
    moment of a withdrawal no figure of it is kept.
    """
    async with house.store.engine_unit() as unit:
        there = await lock_for_recording(
            unit,
            {one.standing.borrower_id for one in asked},
            [one.standing.id for one in asked],
        )
        fine: list[tuple[Asked, AccountNow, BalanceAnswer]] = []
        trouble: list[Trouble] = []
        outcomes: list[Outcome] = []
        for one, answer in zip(asked, answers, strict=True):
            account = there[one.standing.id]
            same = account.consent_active and account.consent_id == one.standing.consent_id
            if not same:
                outcomes.append(Outcome(one.attempt_id, DROPPED, "the consent had ended"))
            elif isinstance(answer, BalanceAnswer):
                fine.append((one, account, answer))
            else:
                trouble.append(Trouble(one.attempt_id, one.standing, account, answer))
        signals, gone = await _record_fine(unit, house, now, fine, banks)
        heard = _heard_by_bank(asked, answers)
        if trouble:
            # Before anything is concluded about a person: is it his, or everybody's?
            health = await hear_balances(unit, house, now, heard)
            outcomes += await suffer_setbacks(unit, house, now, trouble, banks, health)
        await write_outcomes(unit, outcomes)
        if not trouble:
            # Last of all: whoever else reads at this bank waits for its row.
            await hear_balances(unit, house, now, heard)
    words = Counter(outcome.word for outcome in outcomes)
    if fine:
        words[READ] = len(fine)
    log.info("read", signals=signals, money_gone=gone, **words)
    return ReadTally(signals=signals, money_gone=gone, outcomes=dict(words))


async def _record_fine(
    unit: Unit,
    house: House,
    now: datetime,
    fine: Sequence[tuple[Asked, AccountNow, BalanceAnswer]],
    banks: BankBook,
) -> tuple[int, int]:
    """Judge and store. Returns how many signals were raised, and how many ended."""
    if not fine:
        return 0, 0
    dues = await dues_of(unit, {one.standing.borrower_id for one, _, _ in fine}, now)
    rules = await funds_rules(unit, house, {one.standing.lender_id for one, _, _ in fine}, now)
    readings: list[NewReading] = []
    raised: list[NewSignal] = []
    gone: list[UUID] = []
    people: list[PersonNeeded] = []
    looks: list[Look] = []
    known = await learners(unit, [one.standing.id for one, _, _ in fine], now)
    for one, account, answer in fine:
        standing = one.standing
        bank = banks.of(standing.connector, standing.bank_id)
        owed = dues.get(standing.borrower_id, ())
        spendable = spendable_of(answer, account, owed, bank, now)
        taught = _taught(unit, known.get(standing.id), spendable, one.question.zone, now)
        foreseen = None if taught is None else taught.foreseen
        judged = judge_reading(spendable, account, owed, rules[standing.lender_id], foreseen, now)
        readings.append(_reading(unit, one, judged))
        looks.append(Look(one.standing, account, one.question, judged, taught))
        if judged.signal is not None:
            raised.append(
                NewSignal(
                    standing.lender_id,
                    standing.borrower_id,
                    standing.id,
                    one.attempt_id,
                    judged.signal,
                    account.live_signal_id,
                )
            )
        elif judged.money_gone:
            gone.append(standing.id)
        elif judged.verdict in _NEEDS_PERSON:
            people.append(_person(one, judged))
    await learn_income(unit, house, now, looks, dues, rules)
    erase_at = now + timedelta(days=house.settings.reading_expiry_days)
    await write_readings(unit, readings, now, erase_at)
    if gone:
        await end_signals(unit, now, account_ids=gone, why=CancelReason.MONEY_GONE)
    await raise_signals(unit, now, raised)
    await fetch_people(unit, now, people)
    return len(raised), len(gone)


def _taught(
    unit: Unit, learner: Learner | None, spendable: Spendable, zone: str, now: datetime
) -> Taught | None:
    """What is known of the account by now. A balance that may hold credit teaches nothing."""
    if learner is None or spendable.amount is None or not spendable.credit_excluded:
        return None
    return teach_profiles(unit, learner, spendable.amount, zone, now)


def _person(one: Asked, judged: Judged) -> PersonNeeded:
    """An account that can never show money to us: somebody should know that nobody watches."""
    standing = one.standing
    return PersonNeeded(
        lender_id=standing.lender_id,
        borrower_id=standing.borrower_id,
        account_id=standing.id,
        reason=TaskReason.BALANCE_UNREADABLE,
        spell=judged.verdict,
        situation={
            "bank_id": standing.bank_id,
            "verdict": judged.verdict,
            "unusable": judged.spendable.unusable,
        },
        once=True,
    )


def _reading(unit: Unit, one: Asked, judged: Judged) -> NewReading:
    spendable, state = judged.spendable, judged.detection.state
    amount, aside = spendable.amount, judged.aside
    figure = kept_back = None
    if amount is not None:
        lender_id = one.standing.lender_id
        text = f"{amount.minor} {amount.currency}"
        figure = unit.seal("readings.figure_enc", one.attempt_id, text, lender_id)
        if aside is not None:
            text = f"{aside.minor} {amount.currency}"
            kept_back = unit.seal("readings.aside_enc", one.attempt_id, text, lender_id)
    return NewReading(
        one.attempt_id,
        spendable.as_of,
        spendable.kind or "",
        figure,
        kept_back,
        aside.by if aside else None,
        spendable.credit_excluded,
        judged.verdict,
        judged.margin_band,
        spendable.unusable or "",
        state.armed,
        state.last_signal_at,
        state.last_kind,
    )


def _heard_by_bank(asked: Sequence[Asked], answers: Sequence[Answer]) -> dict[BankKey, Heard]:
    """How each bank answered in this batch."""
    return heard_by_bank(
        (
            (one.standing.connector, one.standing.bank_id),
            one.standing.borrower_id,
            answer if isinstance(answer, SaldoError) else None,
        )
        for one, answer in zip(asked, answers, strict=True)
    )
