"""What one answer of a bank means for a borrower: pure, from the answer to the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.balance import SEVERAL, Spendable, choose_spendable, tomorrow_at
from app.domain.bills import SetAside
from app.domain.case import CaseState
from app.domain.detector import (
    CaseDue,
    Detection,
    DetectorState,
    FundsSignal,
    Quiet,
    Reading,
    SignalKind,
    detect,
)
from app.domain.ids import CaseId
from app.domain.open_hours import zone_of
from app.flows.signals.funds_rules import FundsRules
from app.ports import BalanceAnswer, Bank
from app.reference.bank_days import books_end_at
from app.store.dues import Due
from app.store.reading_rows import AccountNow

SIGNAL = "signal"


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Bills are known here. `aside` None: none of them leaves before the next income."""

    aside: SetAside | None


@dataclass(slots=True)
class Judged:
    """One reading with its verdict. `money_gone`: a live signal has lost its reason. `aside`: what
    of the balance is expected to leave before the next income.
    """

    spendable: Spendable
    detection: Detection
    money_gone: bool
    aside: SetAside | None = None

    @property
    def signal(self) -> FundsSignal | None:
        """The signal, when it is one."""
        outcome = self.detection.outcome
        return outcome if isinstance(outcome, FundsSignal) else None

    @property
    def verdict(self) -> str:
        """The word `signal`, or the stored reason why not."""
        outcome = self.detection.outcome
        return outcome.reason.value if isinstance(outcome, Quiet) else SIGNAL

    @property
    def margin_band(self) -> str:
        """The signal's band; empty without one."""
        signal = self.signal
        return signal.margin_band.value if signal else ""


def spendable_of(
    answer: BalanceAnswer, account: AccountNow, dues: Sequence[Due], bank: Bank, now: datetime
) -> Spendable:
    """The balance that an account is looked at by. `now` is the moment of the reading."""
    _, currency = wanted_of(account.currency, dues)
    return spendable_at(answer, currency, bank, now)


def spendable_at(
    answer: BalanceAnswer, currency: str | None, bank: Bank, now: datetime
) -> Spendable:
    """What of an answer of `now` could be spent, by the bank's profile and its own calendar."""
    zone = zone_of(bank.time_zone)
    return choose_spendable(
        answer.entries,
        currency,
        limits_excluded=bank.limits_excluded,
        tomorrow=tomorrow_at(now, zone),
        books_end=books_end_at(now, zone),
    )


def judge_reading(
    spendable: Spendable,
    account: AccountNow,
    dues: Sequence[Due],
    rules: FundsRules,
    foreseen: Foreseen | None,
    now: datetime,
) -> Judged:
    """Ask the detector. `foreseen`: what is known of the account's bills, None where nothing is."""
    wanted, currency = wanted_of(account.currency, dues)
    aside = None if foreseen is None else foreseen.aside
    leaving = None if foreseen is None else (aside.minor if aside else 0)
    state = DetectorState(
        account.armed,
        account.last_signal_at,
        None if account.last_signal_kind is None else SignalKind(account.last_signal_kind),
    )
    policy = rules.of(wanted[0].amount.currency if wanted else currency or "EUR")
    detection = detect(Reading(spendable, now), wanted, policy, state, now, leaving_minor=leaving)
    # Where a part outlived the whole the account is armed before that part is gone as well.
    fell = detection.state.armed and (not state.armed or foreseen is not None)
    gone = account.live_signal_id is not None and fell and not detection.part_there
    return Judged(spendable, detection, gone, aside)


def wanted_of(account_currency: str, dues: Sequence[Due]) -> tuple[list[CaseDue], str | None]:
    """What is asked for on an account, and the currency in which it is looked at.

    Only cases that are open count: what a payment in flight covers is not asked for again. An
    account of several currencies is looked at in the currency of the debt.
    """
    asked = [due for due in dues if due.case_id is not None and due.case_state is CaseState.OPEN]
    currency = account_currency if account_currency not in ("", SEVERAL) else None
    if currency is None and asked:
        currency = asked[0].amount.currency
    return _in_one_currency(asked, currency), currency


def _in_one_currency(dues: Sequence[Due], currency: str | None) -> list[CaseDue]:
    """The debts in the account's currency; where there is none, those in the oldest one's."""
    chosen = [due for due in dues if due.amount.currency == currency]
    if not chosen and dues:
        chosen = [due for due in dues if due.amount.currency == dues[0].amount.currency]
    return [
        CaseDue(CaseId(due.case_id), due.amount, due.oldest_due_on)
        for due in chosen
        if due.case_id is not None
    ]
