"""Plan reads anew where something else is due than they were planned for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from app.flows.reads.judge_reading import wanted_of
from app.store.accounts import UNPLANNED
from app.store.dues import dues_of
from app.store.income_profiles import planned
from app.store.reads import set_next_reads
from app.store.unit import Unit


async def plan_anew(unit: Unit, now: datetime, borrower_ids: Iterable[UUID]) -> None:
    """Give accounts that wait for another amount than before the next even slot.

    A plan by income may reach two weeks ahead. When half of the debt is paid the other half may be
    there today; from the reading in that slot on, the plan is again by income.
    """
    ahead = await planned(unit, borrower_ids, now)
    if not ahead:
        return
    dues = await dues_of(unit, {one.borrower_id for one in ahead}, now)
    changed = []
    for one in ahead:
        wanted, _ = wanted_of(one.currency, dues.get(one.borrower_id, ()))
        if sum(due.amount.minor for due in wanted) != one.due_minor:
            changed.append(one.account_id)
    await set_next_reads(unit, changed, [UNPLANNED] * len(changed))
