"""Experiments and what they found. Started and ended by a person at the desk, never by a key."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.api.caller import ByKey
from app.api.paging import Page, Paged, page
from app.api.route import SaldoRoute
from app.api.routes.shared import NOT_FOUND, IdInPath
from app.api.schemas.experiments import ArmShown, ExperimentDetailShown, ExperimentShown
from app.api.wire import money
from app.reports import lift
from app.reports.lift import ArmFigures, lift_report
from app.reports.slices import take

router = APIRouter(prefix="/v1/experiments", tags=["Experiments"], route_class=SaldoRoute)


@router.get("", summary="List experiments")
async def list_experiments(caller: ByKey, asked: Paged) -> Page[ExperimentShown]:
    """Running ones and those that ended, the latest first."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        found = await take(
            unit,
            lift.experiments_query(),
            lift.EXPERIMENTS_BY,
            after=asked.after,
            limit=asked.limit,
        )
    return page(ExperimentShown, found, asked, lambda row: ExperimentShown(**_shown(row)))


@router.get("/{experiment_id}", summary="Read an experiment", responses=NOT_FOUND)
async def get_experiment(experiment_id: IdInPath, caller: ByKey) -> ExperimentDetailShown:
    """One experiment with both arms, the lift and its interval, as far as it got."""
    async with caller.house.store.unit(caller.lender_id) as unit:
        report = await lift_report(unit, experiment_id, caller.now)
    return ExperimentDetailShown(
        **_shown(report.experiment),
        arms=[_arm(report.treated), _arm(report.control)],
        lift=report.share.difference,
        low=report.share.low,
        high=report.share.high,
        certain=report.share.certain,
    )


def _shown(row: Any) -> dict[str, Any]:
    names = ("id", "name", "kind", "product", "horizon_days", "made_by", "started_at", "ended_at",
             "ended_by")  # fmt: skip
    return {name: getattr(row, name) for name in names} | {"share": row.share_basis_points / 10_000}


def _arm(figures: ArmFigures) -> ArmShown:
    return ArmShown(
        arm=figures.arm.value,
        drawn=figures.drawn,
        measured=figures.share.count,
        mean=figures.share.mean,
        low=figures.low,
        high=figures.high,
        due=[money(one.minor, one.currency) for one in figures.due],
        recovered=[money(one.minor, one.currency) for one in figures.recovered],
    )
