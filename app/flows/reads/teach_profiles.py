"""What a reading teaches of an account: its income, and which of its bills have left.

Pure but for opening what is sealed. Nothing is written here: `learn_income` keeps what was learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import structlog

from app.domain.bills import BillProfile, foresee, see_fall, set_aside
from app.domain.income import IncomeProfile, day_of, minute_of
from app.domain.income_forecast import next_income
from app.domain.income_learning import learn, look_ahead
from app.domain.income_seen import between_balances
from app.domain.money import Money
from app.domain.open_hours import zone_of
from app.flows.reads.judge_reading import Foreseen
from app.store.income_profiles import Learner
from app.store.unit import Unit
from app.store.vault import SealBroken

log = structlog.get_logger("reading")

PROFILE: Final = "income_profiles.profile_enc"
BILLS: Final = "income_profiles.bills_enc"
_FIGURE: Final = "readings.figure_enc"


@dataclass(frozen=True, slots=True)
class Taught:
    """What is known of an account after a reading; `bills` None where nobody allowed that."""

    learner: Learner
    income: IncomeProfile
    bills: BillProfile | None
    today: date

    @property
    def foreseen(self) -> Foreseen | None:
        """What will leave from today on. An income of today counts as come: the next one is asked
        for, so that what is there is not spent on the days before it.
        """
        if self.bills is None:
            return None
        coming = next_income(self.income, self.today + timedelta(days=1))
        expected = foresee(self.bills, self.today, None if coming is None else coming.likely_on)
        return Foreseen(set_aside(expected))


def teach_profiles(unit: Unit, learner: Learner, amount: Money, zone: str, now: datetime) -> Taught:
    """What is known after a reading of `amount`, looking ahead from today in the bank's zone.

    Runs before the reading is stored: the last figure of the account is the one before.
    """
    until = local_minute(now, zone)
    income, bills = open_income(unit, learner), _bills(unit, learner)
    before = _figure(unit, learner)
    if before is not None and before.currency == amount.currency and learner.read_at is not None:
        since = local_minute(learner.read_at, zone)
        if since < until:
            seen = between_balances(income, since, until, before.minor, amount.minor)
            income = income if seen is None else learn(income, [seen])
            fall = before.minor - amount.minor
            if bills is not None and fall > 0:
                bills = see_fall(bills, day_of(since), day_of(until), fall)
    today = day_of(until)
    return Taught(learner, look_ahead(income, today), bills, today)


def open_income(unit: Unit, learner: Learner) -> IncomeProfile:
    """The profile as it was kept; a new one where there is none, or none that can be read."""
    if learner.profile_enc is None:
        return IncomeProfile()
    try:
        return IncomeProfile.from_json(unit.open(PROFILE, learner.account_id, learner.profile_enc))
    except (SealBroken, ValueError) as error:
        log.warning("profile_begun_anew", account_id=str(learner.account_id), error=str(error))
        return IncomeProfile()


def _bills(unit: Unit, learner: Learner) -> BillProfile | None:
    """The bills as they were kept; what cannot be read counts as not known."""
    if learner.bills_enc is None:
        return None
    try:
        return BillProfile.from_json(unit.open(BILLS, learner.account_id, learner.bills_enc))
    except (SealBroken, ValueError) as error:
        log.warning("bills_left_out", account_id=str(learner.account_id), error=str(error))
        return None


def _figure(unit: Unit, learner: Learner) -> Money | None:
    """The amount of the reading before this one. One that cannot be opened teaches nothing.

    It must not take the readings of everybody else in the batch with it.
    """
    if learner.figure_enc is None or learner.reading_id is None:
        return None
    try:
        minor, currency = unit.open(_FIGURE, learner.reading_id, learner.figure_enc).split()
    except SealBroken as error:
        log.warning("figure_left_out", account_id=str(learner.account_id), error=str(error))
        return None
    return Money(int(minor), currency)


def local_minute(moment: datetime, zone: str) -> int:
    """A moment in a bank's zone, as the profiles count time."""
    local = moment.astimezone(zone_of(zone))
    return minute_of(local.date(), local.hour * 60 + local.minute)
