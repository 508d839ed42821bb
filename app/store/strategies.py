"""Strategies as rows: which version a loan gets, what a version says, what was done by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from app.domain.case import CaseState
from app.domain.ids import derive_key
from app.domain.stage_plan import Skip, Step, StepKind, step_key
from app.domain.stages import StrategyBody, parse_body
from app.domain.strategy import SignalsAct
from app.domain.task import TaskState
from app.store import driver
from app.store.arrays import among
from app.store.keys import new_id
from app.store.tables import cases, strategy_steps, strategy_versions, tasks
from app.store.unit import Unit

SCOPES: Final = ("loan", "borrower", "product", "lender")
"""Where a choice can stand, the narrowest first: the narrowest wins."""

_CHOSEN = """
    SELECT l.id, pick.version_id FROM loans l
    JOIN LATERAL (
        SELECT v.id AS version_id FROM strategy_choices c
        JOIN strategy_versions v ON v.strategy_id = c.strategy_id AND v.state = 'published'
        WHERE c.lender_id = l.lender_id AND (
            (c.scope = 'loan' AND c.target = l.id::text)
            OR (c.scope = 'borrower' AND c.target = l.borrower_id::text)
            OR (c.scope = 'product' AND c.target = l.product)
            OR (c.scope = 'lender' AND c.target = ''))
        ORDER BY array_position(ARRAY['loan', 'borrower', 'product', 'lender'], c.scope)
        LIMIT 1
    ) pick ON true
    WHERE l.id = ANY(%(loans)b::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Doing:
    """One step as it is to be stored. `result` is set where nothing more can come of it."""

    loan_id: UUID
    case_id: UUID | None
    step: Step
    message_id: UUID | None = None
    task_id: UUID | None = None
    result: str | None = None


def followed_by(case_ids: Iterable[UUID]) -> ColumnElement[Any]:
    """As a value to be stored: the versions that these cases follow now, in this statement."""
    followed = (
        select(cases.c.strategy_version_id)
        .where(among(cases.c.id, set(case_ids)), cases.c.strategy_version_id.is_not(None))
        .distinct()
    )
    return func.array(followed.scalar_subquery())


async def chosen_versions(unit: Unit, loan_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """The published version that each loan gets now; a loan nothing was chosen for is absent.

    A choice whose strategy has no published version counts for nothing: the next wider one does.
    """
    rows = await driver.rows(unit, _CHOSEN, {"loans": list(loan_ids)})
    return {row[0]: row[1] for row in rows}


async def bodies_of(unit: Unit, version_ids: Iterable[UUID]) -> dict[UUID, StrategyBody]:
    """What these versions say. Raises `Invalid` for one that cannot be read any more."""
    rows = await unit.conn.execute(
        select(strategy_versions.c.id, strategy_versions.c.body).where(
            among(strategy_versions.c.id, set(version_ids))
        )
    )
    return {row.id: parse_body(row.body) for row in rows}


async def signals_acts_of(unit: Unit, case_ids: Iterable[UUID]) -> dict[UUID, SignalsAct]:
    """Who acts on a funds signal, by case, where the case's strategy says so itself."""
    act = strategy_versions.c.body["signals_act"].astext
    rows = await unit.conn.execute(
        select(cases.c.id, act.label("act"))
        .join(strategy_versions, strategy_versions.c.id == cases.c.strategy_version_id)
        .where(among(cases.c.id, case_ids), act.is_not(None))
    )
    return {row.id: SignalsAct(row.act) for row in rows}


async def taken_steps(unit: Unit, loan_ids: Iterable[UUID]) -> Mapping[UUID, frozenset[str]]:
    """The keys of the steps taken for each loan; a loan without any is absent."""
    rows = await unit.conn.execute(
        select(
            strategy_steps.c.loan_id,
            strategy_steps.c.kind,
            strategy_steps.c.name,
            strategy_steps.c.due_on,
            strategy_steps.c.on_day,
        ).where(among(strategy_steps.c.loan_id, loan_ids))
    )
    taken: dict[UUID, set[str]] = {}
    for row in rows:
        key = step_key(StepKind(row.kind), row.name, row.due_on, row.on_day)
        taken.setdefault(row.loan_id, set()).add(key)
    return {loan_id: frozenset(keys) for loan_id, keys in taken.items()}


async def write_steps(
    unit: Unit, now: datetime, *, lender_id: UUID, borrower_id: UUID, doings: Sequence[Doing]
) -> int:
    """Store steps under their derived keys; one that was stored before stays as it is.

    Returns how many are new. The caller holds the borrower's lock, so that what it planned from
    is still true.
    """
    if not doings:
        return 0
    rows = [
        {
            "id": new_id(),
            "lender_id": lender_id,
            "borrower_id": borrower_id,
            "loan_id": one.loan_id,
            "case_id": one.case_id,
            "key": derive_key(one.loan_id, one.step.key),
            "kind": one.step.kind.value,
            "name": one.step.name,
            "due_on": one.step.due_on,
            "on_day": one.step.on_day,
            "made_at": now,
            "message_id": one.message_id,
            "task_id": one.task_id,
            "result": one.result,
            "ended_at": None if one.result is None else now,
        }
        for one in doings
    ]
    made = await unit.conn.execute(
        insert(strategy_steps)
        .values(rows)
        .on_conflict_do_nothing(index_elements=["lender_id", "key"])
        .returning(strategy_steps.c.id)
    )
    return len(made.all())


async def end_steps(unit: Unit, now: datetime, *, task_id: UUID, result: str) -> None:
    """Say what came of the steps behind a task; of those that said so before, nothing changes."""
    await unit.conn.execute(
        update(strategy_steps)
        .where(strategy_steps.c.task_id == task_id, strategy_steps.c.result.is_(None))
        .values(result=result, ended_at=now)
    )


async def settle_called_off(unit: Unit, now: datetime, loan_ids: Iterable[UUID]) -> None:
    """Say of steps whose task was cancelled that they were called off."""
    await unit.conn.execute(
        update(strategy_steps)
        .where(
            among(strategy_steps.c.loan_id, loan_ids),
            strategy_steps.c.result.is_(None),
            tasks.c.id == strategy_steps.c.task_id,
            tasks.c.state == TaskState.CANCELLED.value,
        )
        .values(result=Skip.CALLED_OFF.value, ended_at=now)
    )


@dataclass(frozen=True, slots=True)
class NextLook:
    """Where a case stands now, and when its strategy looks again (None: when something changes)."""

    case_id: UUID
    stage: str
    at: datetime | None


async def look_again(unit: Unit, looks: Sequence[NextLook]) -> None:
    """Write down stage and next look. The caller holds the borrowers' locks."""
    await driver.run(
        unit,
        "UPDATE cases c SET stage = v.stage, next_step_at = v.at FROM"
        " unnest(%(ids)b::uuid[], %(stages)b::text[], %(at)b::timestamptz[]) AS v (id, stage, at)"
        " WHERE c.id = v.id",
        {
            "ids": [look.case_id for look in looks],
            "stages": [look.stage for look in looks],
            "at": [look.at for look in looks],
        },
    )


async def put_off(
    unit: Unit,
    borrower_ids: Iterable[UUID],
    but: Iterable[UUID],
    *,
    due_by: datetime,
    until: datetime,
) -> None:
    """Have those of their cases that would be looked at by `due_by`, all `but` these, wait."""
    await driver.run(
        unit,
        "UPDATE cases SET next_step_at = %(until)b WHERE borrower_id = ANY(%(people)b::uuid[])"
        " AND next_step_at <= %(due_by)b AND NOT id = ANY(%(but)b::uuid[])",
        {"people": list(borrower_ids), "but": list(but), "due_by": due_by, "until": until},
    )


async def wake_cases(
    unit: Unit, now: datetime, *, borrower_id: UUID, case_id: UUID | None = None
) -> None:
    """Have the strategy look at once: something changed that its plan depends on.

    All open cases of the borrower, or the one. A case without a strategy sleeps on.
    """
    his = and_(
        cases.c.borrower_id == borrower_id,
        cases.c.state != CaseState.CLOSED.value,
        cases.c.strategy_version_id.is_not(None),
    )
    if case_id is not None:
        his = and_(his, cases.c.id == case_id)
    await unit.conn.execute(update(cases).where(his).values(next_step_at=now))


async def lenders_without_choice(unit: Unit, lender_ids: Iterable[UUID]) -> list[UUID]:
    """Those of the lenders that have no strategy at all."""
    rows = await unit.conn.execute(
        text(
            "SELECT id FROM lenders WHERE id = ANY(:ids) AND NOT EXISTS ("
            "SELECT FROM strategies WHERE strategies.lender_id = lenders.id)"
        ),
        {"ids": list(set(lender_ids))},
    )
    return [row.id for row in rows]
