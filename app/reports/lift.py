"""What an experiment has shown so far: outcomes by arm, and the lift with its interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, and_, func, or_, select

from app.domain.errors import NotFound
from app.domain.experiment import Arm
from app.domain.lift import Lift, Outcomes, believable, lift
from app.domain.money import Money
from app.reports.slices import Key
from app.store.tables import case_arms, cases, experiments, repayments, strategies
from app.store.unit import Unit

EXPERIMENTS_BY: Final[Key] = (experiments.c.started_at, experiments.c.id)


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One arm. `share` are the outcomes, `cleared` whether all of it came; `low` and `high` bound
    the mean share. `due` and `recovered` are sums of the measured cases, by currency.
    """

    arm: Arm
    drawn: int
    share: Outcomes
    cleared: Outcomes
    low: float
    high: float
    due: tuple[Money, ...]
    recovered: tuple[Money, ...]


@dataclass(frozen=True, slots=True)
class LiftReport:
    """An experiment as far as it got. `share` decides; `cleared` is told beside it."""

    experiment: Row[Any]
    treated: ArmFigures
    control: ArmFigures
    share: Lift
    cleared: Lift

    @property
    def waiting(self) -> int:
        """Cases whose measuring time is not over: they count for nothing yet."""
        arms = (self.treated, self.control)
        return sum(arm.drawn - arm.share.count for arm in arms)


@dataclass(frozen=True, slots=True)
class _Measured:
    arm: Arm
    over: bool
    due: Money
    recovered: Money

    @property
    def share(self) -> float:
        return self.recovered.minor / self.due.minor


def experiments_query() -> Select[Any]:
    """The experiments of the unit's lender."""
    return select(experiments)


async def experiment_list(unit: Unit) -> Sequence[Row[Any]]:
    """The experiments of the unit's lender, running ones first, then newest first."""
    drawn = (
        select(case_arms.c.experiment_id, func.count().label("drawn"))
        .group_by(case_arms.c.experiment_id)
        .subquery()
    )
    rows = await unit.conn.execute(
        select(experiments, func.coalesce(drawn.c.drawn, 0).label("drawn"))
        .outerjoin(drawn, drawn.c.experiment_id == experiments.c.id)
        .order_by(experiments.c.ended_at.is_not(None), experiments.c.started_at.desc())
    )
    return rows.all()


async def lift_report(unit: Unit, experiment_id: UUID, now: datetime) -> LiftReport:
    """Measure every case whose time is over at `now`. Raises `NotFound`.

    The outcome of a case is what came on its loan, and was known, within the days that were fixed
    at the start, as a share of what was due at the draw; more than all counts as all. Money that
    was sent back does not count, nor a debt that was forgiven. An outcome is final once it is
    counted, so looking again adds cases and changes none, which is what the interval supposes.
    """
    row = (
        await unit.conn.execute(
            select(experiments, strategies.c.name.label("strategy"))
            .outerjoin(strategies, strategies.c.id == experiments.c.strategy_id)
            .where(experiments.c.id == experiment_id)
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such experiment.")
    measured = await _measured(unit, row, now)
    treated, control = (
        _figures(arm, [one for one in measured if one.arm is arm])
        for arm in (Arm.TREATED, Arm.CONTROL)
    )
    return LiftReport(
        row,
        treated,
        control,
        lift(treated.share, control.share),
        lift(treated.cleared, control.cleared),
    )


async def _measured(unit: Unit, experiment: Row[Any], now: datetime) -> list[_Measured]:
    ends_at = case_arms.c.drawn_at + timedelta(days=experiment.horizon_days)
    came = and_(
        repayments.c.loan_id == cases.c.loan_id,
        repayments.c.paid_at >= case_arms.c.drawn_at,
        repayments.c.paid_at < ends_at,
        # What is reported later would change an outcome that was looked at already.
        repayments.c.recorded_at < ends_at,
        repayments.c.counted,
        repayments.c.source != "forgiven",
        # Sent back after the measuring time, it was there while it counted.
        or_(repayments.c.reversed_at.is_(None), repayments.c.reversed_at >= ends_at),
    )
    rows = await unit.conn.execute(
        select(
            case_arms.c.arm,
            case_arms.c.due_minor,
            case_arms.c.currency,
            (ends_at <= now).label("over"),
            func.coalesce(func.sum(repayments.c.amount_minor), 0).label("came_minor"),
        )
        .join(cases, cases.c.id == case_arms.c.case_id)
        .outerjoin(repayments, came)
        .where(case_arms.c.experiment_id == experiment.id)
        .group_by(case_arms.c.experiment_id, case_arms.c.case_id)
    )
    return [
        _Measured(
            Arm(row.arm),
            row.over,
            Money(row.due_minor, row.currency),
            Money(min(int(row.came_minor), row.due_minor), row.currency),
        )
        for row in rows
    ]


def _figures(arm: Arm, ones: Sequence[_Measured]) -> ArmFigures:
    over = [one for one in ones if one.over]
    share = Outcomes.of(one.share for one in over)
    cleared = Outcomes.of(float(one.recovered == one.due) for one in over)
    low, high = believable(share)
    return ArmFigures(
        arm,
        len(ones),
        share,
        cleared,
        low,
        high,
        _sums(one.due for one in over),
        _sums(one.recovered for one in over),
    )


def _sums(amounts: Iterable[Money]) -> tuple[Money, ...]:
    found: Counter[str] = Counter()
    for amount in amounts:
        found[amount.currency] += amount.minor
    return tuple(Money(minor, currency) for currency, minor in sorted(found.items()))
