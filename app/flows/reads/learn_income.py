"""Keep what a reading taught of an account, and plan its next read by its income.

Planned is only for accounts whose lender, or an experiment, chose the learned way of reading; all
others keep the even slots that were planned when the attempt was written. Those slots are also what
an account falls back to after a failed read, and what it had if this process dies before it gets
here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.detector import CaseDue, threshold_of
from app.domain.learned_plan import Awaited, LearnedPlan, next_learned_read
from app.domain.money import Money
from app.domain.read_planner import PlanQuestion, PlanReason, next_read
from app.flows.house import House
from app.flows.reads.judge_reading import Judged, wanted_of
from app.flows.reads.teach_profiles import BILLS, PROFILE, Taught
from app.flows.signals.funds_rules import FundsRules
from app.store.dues import Due
from app.store.income_profiles import Learned, keep
from app.store.reading_rows import AccountNow
from app.store.reads import Standing
from app.store.unit import Unit

# While the money is there, one look a day sees when it has gone.
_WHILE_THERE: Final = 1
_UNPLANNED: Final = LearnedPlan(None, PlanReason.SCHEDULE, 0.0, "")


@dataclass(frozen=True, slots=True)
class Look:
    """One reading that was judged: how the account stood before, and what was planned from.

    `taught` is what is known of it now; None where nothing but its balance is looked at.
    """

    standing: Standing
    account: AccountNow
    question: PlanQuestion
    judged: Judged
    taught: Taught | None


async def learn_income(
    unit: Unit,
    house: House,
    now: datetime,
    looks: Sequence[Look],
    dues: Mapping[UUID, Sequence[Due]],
    rules: Mapping[UUID, FundsRules],
) -> None:
    """Keep what was learned, and plan anew the accounts among these that are read by their income.

    Runs under the accounts' locks. A reading without a usable amount teaches nothing.
    """
    learned = []
    for look in looks:
        taught, amount = look.taught, look.judged.spendable.amount
        if taught is None or amount is None:
            continue
        wanted, _ = wanted_of(look.account.currency, dues.get(look.standing.borrower_id, ()))
        due_minor = sum(one.amount.minor for one in wanted)
        plan = _UNPLANNED
        if taught.learner.plans:
            needed = _needed(wanted, rules[look.standing.lender_id], look.judged)
            plan = _plan(house, look, taught, amount, needed, due_minor, now)
        learned.append(_kept(unit, look, taught, plan, due_minor))
    await keep(unit, now, learned)


def _kept(unit: Unit, look: Look, taught: Taught, plan: LearnedPlan, due_minor: int) -> Learned:
    account_id, lender_id = look.standing.id, look.standing.lender_id
    bills = taught.bills
    return Learned(
        account_id,
        lender_id,
        unit.seal(PROFILE, account_id, taught.income.to_json(), lender_id=lender_id),
        None if bills is None else unit.seal(BILLS, account_id, bills.to_json(), lender_id),
        taught.learner.plans,
        (plan.at or look.question.window_ends_at) if taught.learner.plans else None,
        due_minor,
        plan.reason.value if taught.learner.plans else "",
        round(plan.odds * 10_000),
    )


def _needed(wanted: Sequence[CaseDue], rules: FundsRules, judged: Judged) -> Money | None:
    """The balance that is waited for: what triggers, above the floor and what will leave of it.

    None: nothing triggers.
    """
    if not wanted:
        return None
    due = Money(sum(one.amount.minor for one in wanted), wanted[0].amount.currency)
    policy = rules.of(due.currency)
    if policy.floor is None:
        return None
    aside = Money(judged.aside.minor if judged.aside else 0, due.currency)
    return threshold_of(policy, due) + policy.floor + aside


def _plan(
    house: House,
    look: Look,
    taught: Taught,
    amount: Money,
    needed: Money | None,
    due_minor: int,
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
        price_days=house.settings.read_prices.days(Money(due_minor, needed.currency)),
    )
    rules = house.settings.learned_rules
    return next_learned_read(question, taught.income, awaited, rules=rules, reading_now=True)
