"""Draw the arm of every case that opens while an experiment runs. A step of `open_cases`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, String, cast, insert, select

from app.domain.experiment import Arm, ExperimentKind, draw
from app.flows.actors import ROBOT
from app.flows.strategies.put_under import Version, put_under
from app.store.arrays import among
from app.store.dues import Due, dues_of
from app.store.experiments import running
from app.store.tables import (
    case_arms,
    cases,
    loans,
    strategies,
    strategy_choices,
    strategy_versions,
)
from app.store.unit import Unit

_DRAW: Final = "experiment"
# Somebody chose a strategy for this very loan or person: chance does not overrule him.
_BY_HAND: Final = ("loan", "borrower")


async def draw_arms(
    unit: Unit, now: datetime, opened: Mapping[UUID, UUID], chosen: Mapping[UUID, UUID]
) -> int:
    """Draw new cases (`opened`: case by loan) and put the challenger's ones under it.

    Returns how many were drawn. A case takes no part when a segment or a person gave it a strategy
    of its own: `chosen` is what each loan got by product or lender. The arm is a keyed hash of
    experiment and case, so nobody can tell it beforehand and a repeat draws the same.
    """
    taking_part = await _taking_part(unit, opened, chosen)
    if not taking_part:
        return 0
    by_lender = await running(unit, {row.lender_id for row in taking_part})
    if not by_lender:
        return 0
    owed = await dues_of(unit, {row.borrower_id for row in taking_part}, now)
    dues = {due.loan_id: due for of_one in owed.values() for due in of_one}
    drawn = 0
    for lender_id, ones in by_lender.items():
        for experiment in ones:
            cases_of = [row for row in taking_part if row.lender_id == lender_id]
            drawn += await _draw(unit, now, experiment, cases_of, dues)
    return drawn


async def _taking_part(
    unit: Unit, opened: Mapping[UUID, UUID], chosen: Mapping[UUID, UUID]
) -> list[Any]:
    by_hand = (
        select(strategy_choices.c.strategy_id)
        .where(
            strategy_choices.c.lender_id == cases.c.lender_id,
            strategy_choices.c.scope.in_(_BY_HAND),
            strategy_choices.c.target.in_(
                (cast(cases.c.loan_id, String), cast(cases.c.borrower_id, String))
            ),
        )
        .exists()
    )
    rows = await unit.conn.execute(
        select(
            cases.c.id,
            cases.c.lender_id,
            cases.c.borrower_id,
            cases.c.loan_id,
            cases.c.strategy_version_id,
            loans.c.product,
        )
        .join(loans, loans.c.id == cases.c.loan_id)
        .where(among(cases.c.id, opened.values()), ~by_hand)
        .order_by(cases.c.id)
    )
    return [row for row in rows if row.strategy_version_id == chosen.get(row.loan_id)]


async def _draw(
    unit: Unit,
    now: datetime,
    experiment: Row[Any],
    ones: Sequence[Any],
    dues: Mapping[UUID, Due],
) -> int:
    kind = ExperimentKind(experiment.kind)
    challenger = None
    if kind is ExperimentKind.CHALLENGER:
        challenger = await _published(unit, experiment.strategy_id)
        if challenger is None:
            # Nothing to compare with: a case drawn now would be counted and not treated.
            return 0
    arms: dict[UUID, Arm] = {}
    rows = []
    for one in ones:
        due = dues.get(one.loan_id)
        if due is None or experiment.product not in ("", one.product):
            continue
        digest = unit.vault.digest(_DRAW, f"{experiment.id}|{one.id}")
        arms[one.id] = draw(digest, kind, experiment.share_basis_points)
        rows.append(
            {
                "lender_id": one.lender_id,
                "experiment_id": experiment.id,
                "case_id": one.id,
                "arm": arms[one.id].value,
                "due_minor": due.amount.minor,
                "currency": due.amount.currency,
                "drawn_at": now,
            }
        )
    if rows:
        await unit.conn.execute(insert(case_arms), rows)
    if challenger is not None:
        treated = [case_id for case_id, arm in arms.items() if arm is Arm.TREATED]
        await put_under(
            unit, now, case_ids=treated, version=challenger, why=experiment.name, actor=ROBOT
        )
    return len(rows)


async def _published(unit: Unit, strategy_id: UUID) -> Version | None:
    row = (
        await unit.conn.execute(
            select(strategy_versions.c.id, strategy_versions.c.number, strategies.c.name)
            .join(strategies, strategies.c.id == strategy_versions.c.strategy_id)
            .where(
                strategy_versions.c.strategy_id == strategy_id,
                strategy_versions.c.state == "published",
            )
        )
    ).one_or_none()
    return None if row is None else Version(row.id, strategy_id, row.name, row.number)
