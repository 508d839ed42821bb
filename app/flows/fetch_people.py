"""Put accounts that cannot be read before people: one task per open case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.domain.case import CaseState
from app.domain.task import TaskReason
from app.flows.work.open_task import open_task
from app.store.arrays import among
from app.store.tables import cases, tasks
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class PersonNeeded:
    """Why a person must look at an account's owner.

    `spell` tells one run of trouble from the next (another last good read); within one spell a
    case gets one task. `once`: a case ever gets only one of this reason.
    """

    lender_id: UUID
    borrower_id: UUID
    account_id: UUID
    reason: TaskReason
    spell: str
    situation: dict[str, Any] = field(default_factory=dict)
    once: bool = False


async def fetch_people(unit: Unit, now: datetime, wanted: Sequence[PersonNeeded]) -> int:
    """Open the tasks that are not there yet. Returns how many are new."""
    if not wanted:
        return 0
    open_cases = await _open_cases(unit, {one.borrower_id for one in wanted})
    had = await _had_before(unit, [one for one in wanted if one.once], open_cases)
    opened = 0
    for one in wanted:
        for case_id in open_cases.get(one.borrower_id, ()):
            if (case_id, one.reason.value) in had:
                continue
            task_id = await open_task(
                unit,
                now,
                borrower_id=one.borrower_id,
                case_id=case_id,
                reason=one.reason,
                cause=f"{one.account_id}|{case_id}|{one.spell}",
                situation=one.situation,
                lender_id=one.lender_id,
            )
            opened += task_id is not None
    return opened


async def _open_cases(unit: Unit, borrower_ids: set[UUID]) -> dict[UUID, list[UUID]]:
    rows = await unit.conn.execute(
        select(cases.c.id, cases.c.borrower_id)
        .where(among(cases.c.borrower_id, borrower_ids), cases.c.state != CaseState.CLOSED.value)
        .order_by(cases.c.id)
    )
    found: dict[UUID, list[UUID]] = {}
    for row in rows:
        found.setdefault(row.borrower_id, []).append(row.id)
    return found


async def _had_before(
    unit: Unit, wanted: Sequence[PersonNeeded], open_cases: dict[UUID, list[UUID]]
) -> set[tuple[UUID, str]]:
    """Cases that have had their one task of a reason, in one question for the whole batch."""
    ids = [case_id for one in wanted for case_id in open_cases.get(one.borrower_id, ())]
    if not ids:
        return set()
    rows = await unit.conn.execute(
        select(tasks.c.case_id, tasks.c.reason).where(
            among(tasks.c.case_id, ids), among(tasks.c.reason, {one.reason.value for one in wanted})
        )
    )
    return {(row.case_id, row.reason) for row in rows}
