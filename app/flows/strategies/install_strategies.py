"""Give a lender the strategies that ship with Saldo, and a default. Steps of a caller's unit."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from app.domain.edition import EditionState
from app.domain.stages import StrategyBody, body_notes
from app.reference.strategies import DEFAULT, shipped_strategies
from app.store import audit
from app.store.keys import new_id
from app.store.tables import strategies, strategy_choices, strategy_versions
from app.store.unit import Unit

# Who stands behind what shipped: the operator who installed this release.
INSTALLATION: Final = "installation"


async def install_strategies(unit: Unit, now: datetime, lender_id: UUID) -> int:
    """Add what the lender does not have yet; returns how many strategies that were.

    A shipped strategy counts as published by the installation. One of the same name is the
    lender's own business from then on: a later release does not change what he runs.
    """
    added = 0
    for body in shipped_strategies().values():
        added += await install_strategy(unit, now, lender_id, body) is not None
    return added


async def install_strategy(
    unit: Unit, now: datetime, lender_id: UUID, body: StrategyBody
) -> UUID | None:
    """Add one strategy, in force, unless there is one of this name; its id if it was added."""
    strategy_id = new_id()
    made = await unit.conn.execute(
        insert(strategies)
        .values(
            id=strategy_id, lender_id=lender_id, name=body.name, origin="shipped", created_at=now
        )
        .on_conflict_do_nothing(index_elements=["lender_id", "name"])
        .returning(strategies.c.id)
    )
    if made.first() is None:
        return None
    await unit.conn.execute(
        insert(strategy_versions).values(
            id=new_id(),
            lender_id=lender_id,
            strategy_id=strategy_id,
            number=1,
            state=EditionState.PUBLISHED.value,
            body=body_notes(body),
            made_by=INSTALLATION,
            made_at=now,
            published_by=INSTALLATION,
            published_at=now,
            note="Shipped with Saldo.",
        )
    )
    if body.name == DEFAULT:
        await unit.conn.execute(
            insert(strategy_choices)
            .values(
                lender_id=lender_id,
                scope="lender",
                target="",
                strategy_id=strategy_id,
                set_by=INSTALLATION,
                set_at=now,
            )
            .on_conflict_do_nothing(index_elements=["lender_id", "scope", "target"])
        )
    await audit.record(
        unit,
        now,
        actor=INSTALLATION,
        act="publish_strategy",
        subject=str(strategy_id),
        after={"name": body.name, "number": 1, "default": body.name == DEFAULT},
        lender_id=lender_id,
    )
    return strategy_id
