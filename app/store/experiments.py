"""Experiments as rows: which of them run, and which cases they leave alone for now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, any_, func, literal, select

from app.domain.experiment import Arm, ExperimentKind, Withheld, left_alone_until
from app.store.arrays import among
from app.store.tables import case_arms, cases, experiments
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """What an experiment keeps from one case, and until when (business time)."""

    withholds: frozenset[Withheld]
    until: datetime


async def running(unit: Unit, lender_ids: Iterable[UUID]) -> dict[UUID, list[Row[Any]]]:
    """The experiments that have not ended, by lender; lenders without are absent."""
    rows = await unit.conn.execute(
        select(experiments)
        .where(among(experiments.c.lender_id, set(lender_ids)), experiments.c.ended_at.is_(None))
        .order_by(experiments.c.started_at, experiments.c.id)
    )
    found: dict[UUID, list[Row[Any]]] = {}
    for row in rows:
        found.setdefault(row.lender_id, []).append(row)
    return found


def asked_for(now: datetime) -> ColumnElement[bool]:
    """The condition on `cases` for those that no experiment keeps from being asked for money."""
    ends_at = case_arms.c.drawn_at + func.make_interval(0, 0, 0, experiments.c.horizon_days)
    kept_from = (
        select(case_arms.c.case_id)
        .join(experiments, experiments.c.id == case_arms.c.experiment_id)
        .where(
            case_arms.c.case_id == cases.c.id,
            case_arms.c.arm == Arm.CONTROL.value,
            experiments.c.kind == ExperimentKind.HOLDOUT.value,
            experiments.c.ended_at.is_(None),
            literal(Withheld.ASK.value) == any_(experiments.c.withholds),
            ends_at > now,
        )
        .correlate(cases)
    )
    return ~kept_from.exists()


async def left_alone(
    unit: Unit, case_ids: Iterable[UUID], now: datetime
) -> Mapping[UUID, LeftAlone]:
    """The control cases of running holdouts whose measuring time is not over."""
    rows = await unit.conn.execute(
        select(
            case_arms.c.case_id,
            case_arms.c.drawn_at,
            experiments.c.horizon_days,
            experiments.c.withholds,
        )
        .join(experiments, experiments.c.id == case_arms.c.experiment_id)
        .where(
            among(case_arms.c.case_id, case_ids),
            case_arms.c.arm == Arm.CONTROL.value,
            experiments.c.kind == ExperimentKind.HOLDOUT.value,
            experiments.c.ended_at.is_(None),
        )
    )
    found = {
        row.case_id: LeftAlone(
            frozenset(Withheld(one) for one in row.withholds),
            left_alone_until(row.drawn_at, row.horizon_days),
        )
        for row in rows
    }
    return {case_id: one for case_id, one in found.items() if now < one.until}


async def compared(unit: Unit, case_ids: Iterable[UUID], now: datetime) -> set[UUID]:
    """Those of the cases that a running challenger compares by strategy, until their time is over.

    Under another strategy they would say nothing about either arm.
    """
    ends_at = case_arms.c.drawn_at + func.make_interval(0, 0, 0, experiments.c.horizon_days)
    rows = await unit.conn.scalars(
        select(case_arms.c.case_id)
        .join(experiments, experiments.c.id == case_arms.c.experiment_id)
        .where(
            among(case_arms.c.case_id, case_ids),
            experiments.c.kind == ExperimentKind.CHALLENGER.value,
            experiments.c.ended_at.is_(None),
            ends_at > now,
        )
    )
    return set(rows)
