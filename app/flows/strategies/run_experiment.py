"""Start an experiment and end it. Both are decisions of a person, and both are kept."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, or_, select, true, update

from app.domain.edition import EditionState
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.experiment import ExperimentKind, ExperimentTerms
from app.domain.ids import LenderId
from app.flows.house import House
from app.store import audit
from app.store.keys import new_id
from app.store.tables import experiments, lenders, strategy_versions
from app.store.unit import Unit


async def start_experiment(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    terms: ExperimentTerms,
    strategy_id: UUID | None,
    actor: str,
) -> UUID:
    """Draw every case that opens from now on, on these terms. Returns the experiment's id.

    `strategy_id` is the challenger. Raises `Invalid` for terms that cannot be meant or a strategy
    without a published version, and `Conflict` for a name that was used, or a product that another
    experiment runs on: two at once would each disturb what the other measures.
    """
    terms.check()
    async with house.store.unit(lender_id) as unit:
        # One at a time for a lender: two that start together would not see each other.
        await unit.conn.execute(
            select(lenders.c.id).where(lenders.c.id == lender_id).with_for_update(key_share=True)
        )
        await _check_strategy(unit, terms, strategy_id)
        await _refuse_overlap(unit, terms)
        experiment_id = new_id()
        await unit.conn.execute(
            insert(experiments).values(
                id=experiment_id,
                lender_id=lender_id,
                name=terms.name.strip(),
                kind=terms.kind.value,
                product=terms.product,
                share_basis_points=terms.share_basis_points,
                strategy_id=strategy_id,
                withholds=sorted(one.value for one in terms.withholds),
                horizon_days=terms.horizon_days,
                made_by=actor,
                started_at=now,
            )
        )
        await audit.record(
            unit,
            now,
            actor=actor,
            act="start_experiment",
            subject=str(experiment_id),
            after={
                "name": terms.name.strip(),
                "kind": terms.kind.value,
                "product": terms.product,
                "share_basis_points": terms.share_basis_points,
                "withholds": sorted(terms.withholds),
                "days": terms.horizon_days,
            },
        )
        return experiment_id


async def end_experiment(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    experiment_id: UUID,
    reason: str,
    actor: str,
) -> None:
    """Draw no more cases. Those left alone are treated like any other from now on.

    Cases under a challenger keep it: they were promised nothing else, and may be moved by hand.
    Raises `NotFound`, `Invalid` without a reason, and `Conflict` when it has ended.
    """
    if not reason.strip():
        raise Invalid("reason", "is empty.", mend="Say what was learned.")
    async with house.store.unit(lender_id) as unit:
        row = (
            await unit.conn.execute(select(experiments).where(experiments.c.id == experiment_id))
        ).one_or_none()
        if row is None:
            raise NotFound("There is no such experiment.")
        done = await unit.conn.execute(
            update(experiments)
            .where(experiments.c.id == experiment_id, experiments.c.ended_at.is_(None))
            .values(ended_at=now, ended_by=actor)
        )
        if done.rowcount != 1:
            raise Conflict("This experiment has ended already.")
        await audit.record(
            unit,
            now,
            actor=actor,
            act="end_experiment",
            subject=str(experiment_id),
            before={"name": row.name},
            after={"ended_at": now.isoformat()},
            reason=reason.strip(),
        )


async def _check_strategy(unit: Unit, terms: ExperimentTerms, strategy_id: UUID | None) -> None:
    if (terms.kind is ExperimentKind.CHALLENGER) != (strategy_id is not None):
        raise Invalid(
            "strategy",
            "belongs to a challenger, and a challenger needs one.",
            mend="Name one for a challenger, and only there.",
        )
    if strategy_id is None:
        return
    found = await unit.conn.scalar(
        select(strategy_versions.c.id).where(
            strategy_versions.c.strategy_id == strategy_id,
            strategy_versions.c.state == EditionState.PUBLISHED.value,
        )
    )
    if found is None:
        raise Invalid("strategy", "has no published version.", mend="Publish one first.")


async def _refuse_overlap(unit: Unit, terms: ExperimentTerms) -> None:
    # "" stands for every product: it overlaps with all.
    shared = experiments.c.product.in_(("", terms.product)) if terms.product else true()
    rows = await unit.conn.execute(
        select(experiments.c.name, experiments.c.ended_at).where(
            or_(
                experiments.c.name == terms.name.strip(),
                experiments.c.ended_at.is_(None) & shared,
            )
        )
    )
    for row in rows:
        if row.name == terms.name.strip():
            raise Conflict("An experiment of this name was there before. Take another name.")
        raise Conflict(f"{row.name!r} runs on the same loans. End it first.")
