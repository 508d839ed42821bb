"""Learn from a reading when income comes, and plan the next read by it: the learned way of reading.

Only for accounts whose lender, or an experiment, chose this way; all others keep the even slots
that were planned when the attempt was written. Those slots are also what an account falls back to
after a failed read, and what it had if this process dies before it gets here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from app.domain.detector import CaseDue, threshold_of
from app.domain.income import IncomeProfile, minute_of
from app.domain.income_learning import learn, look_ahead
from app.domain.income_seen import between_balances
from app.domain.learned_plan import Awaited, LearnedPlan, next_learned_read
from app.domain.money import Money
from app.domain.open_hours import zone_of
from app.domain.read_planner import PlanQuestion, PlanReason, next_read
from app.flows.funds_rules import FundsRules
from app.flows.house import House
from app.flows.judge_reading import Judged, wanted_of
from app.store.dues import Due
from app.store.income_profiles import Learned, Learner, keep, learners
from app.store.reading_rows import AccountNow
from app.store.reads import Standing
from app.store.unit import Unit
from app.store.vault import SealBroken

log = structlog.get_logger("reading")

_PROFILE: Final = "income_profiles.profile_enc"
_FIGURE: Final = "readings.figure_enc"
# While the money is there, one look a day sees when it has gone.
_WHILE_THERE: Final = 1


@dataclass(frozen=True, slots=True)
class Look:
    """One reading that was judged: how the account stood before, and what was planned from."""

    standing: Standing
    account: AccountNow
    question: PlanQuestion
    judged: Judged


async def learn_income(
    unit: Unit,
    house: House,
    now: datetime,
    looks: Sequence[Look],
    dues: Mapping[UUID, Sequence[Due]],
    rules: Mapping[UUID, FundsRules],
) -> None:
    """Plan anew the accounts among these that are read by their income.

    Runs before the readings are stored, under the accounts' locks: the last figure of an account is
    still the one before. A reading without a usable amount teaches nothing.
    """
    found = await learners(unit, [look.standing.id for look in looks], now)
    learned = []
    for look in looks:
        learner = found.get(look.standing.id)
        amount = look.judged.spendable.amount
        if learner is None or amount is None or not look.judged.spendable.credit_excluded:
            continue
        profile = _taught(unit, learner, look, amount, now)
        wanted, _ = wanted_of(look.account.currency, dues.get(look.standing.borrower_id, ()))
        needed = _needed(wanted, rules[look.standing.lender_id])
        plan = _plan(house, look, profile, amount, needed, now)
        sealed = unit.seal(
            _PROFILE, look.standing.id, profile.to_json(), lender_id=look.standing.lender_id
        )
        learned.append(
            Learned(
                look.standing.id,
                look.standing.lender_id,
                sealed,
                plan.at or look.question.window_ends_at,
                sum(one.amount.minor for one in wanted),
                plan.reason.value,
                round(plan.odds * 10_000),
            )
        )
    await keep(unit, now, learned)


def _taught(
    unit: Unit, learner: Learner, look: Look, amount: Money, now: datetime
) -> IncomeProfile:
    """What is known after this reading, looking ahead from today in the bank's zone."""
    zone = look.question.zone
    until = _local_minute(now, zone)
    profile = _opened(unit, learner)
    before = _figure(unit, learner)
    if before is not None and before.currency == amount.currency and learner.read_at is not None:
        since = _local_minute(learner.read_at, zone)
        if since < until:
            seen = between_balances(profile, since, until, before.minor, amount.minor)
            profile = profile if seen is None else learn(profile, [seen])
    return look_ahead(profile, now.astimezone(zone_of(zone)).date())


def _opened(unit: Unit, learner: Learner) -> IncomeProfile:
    """The profile as it was kept; a new one where there is none, or none that can be read."""
    if learner.profile_enc is None:
        return IncomeProfile()
    try:
        return IncomeProfile.from_json(unit.open(_PROFILE, learner.account_id, learner.profile_enc))
    except (SealBroken, ValueError) as error:
        log.warning("profile_begun_anew", account_id=str(learner.account_id), error=str(error))
        return IncomeProfile()


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


def _needed(wanted: Sequence[CaseDue], rules: FundsRules) -> Money | None:
    """The balance that is waited for: what triggers, above the floor. None: nothing triggers."""
    if not wanted:
        return None
    due = Money(sum(one.amount.minor for one in wanted), wanted[0].amount.currency)
    policy = rules.of(due.currency)
    return None if policy.floor is None else threshold_of(policy, due) + policy.floor


def _plan(
    house: House,
    look: Look,
    profile: IncomeProfile,
    amount: Money,
    needed: Money | None,
    now: datetime,
) -> LearnedPlan:
    question = look.question
    if needed is None or needed.currency != amount.currency or amount >= needed:
        there = replace(question, reads_per_day=_WHILE_THERE)
        plan = next_read(there, reading_now=True)
        return LearnedPlan(plan.at, PlanReason.SCHEDULE, 0.0, "")
    awaited = Awaited(
        needed_minor=needed.minor,
        balance_minor=amount.minor,
        balance_at=now,
        blind_since=now,
        price_days=house.settings.read_price_days,
    )
    return next_learned_read(question, profile, awaited, reading_now=True)


def _local_minute(moment: datetime, zone: str) -> int:
    local = moment.astimezone(zone_of(zone))
    return minute_of(local.date(), local.hour * 60 + local.minute)
