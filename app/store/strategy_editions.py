"""The versions of a strategy while people write them: found, numbered, locked, in force."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select

from app.domain.edition import EditionState
from app.domain.errors import NotFound
from app.store.tables import strategies, strategy_versions
from app.store.unit import Unit


def stamp_of(body: Mapping[str, Any]) -> str:
    """What a body looked like when a page was opened: another stamp, another body."""
    plain = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()[:24]


async def lock_strategy(unit: Unit, strategy_id: UUID) -> Row[Any]:
    """Lock one strategy until the unit ends: its versions change one after the other.

    Raises `NotFound`.
    """
    row = (
        await unit.conn.execute(
            select(strategies).where(strategies.c.id == strategy_id).with_for_update(key_share=True)
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such strategy.")
    return row


async def version_of(unit: Unit, version_id: UUID) -> Row[Any]:
    """One version with the name of its strategy. Raises `NotFound`."""
    row = (
        await unit.conn.execute(
            select(strategy_versions, strategies.c.name, strategies.c.origin)
            .join(strategies, strategies.c.id == strategy_versions.c.strategy_id)
            .where(strategy_versions.c.id == version_id)
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such version.")
    return row


async def published_version(unit: Unit, strategy_id: UUID) -> Row[Any] | None:
    """The version in force, with the name of its strategy; None when there is none yet."""
    return (
        await unit.conn.execute(
            select(strategy_versions, strategies.c.name, strategies.c.origin)
            .join(strategies, strategies.c.id == strategy_versions.c.strategy_id)
            .where(
                strategy_versions.c.strategy_id == strategy_id,
                strategy_versions.c.state == EditionState.PUBLISHED.value,
            )
        )
    ).one_or_none()


async def next_number(unit: Unit, strategy_id: UUID) -> int:
    """The number of the next version. The caller holds the strategy's lock."""
    highest = await unit.conn.scalar(
        select(func.max(strategy_versions.c.number)).where(
            strategy_versions.c.strategy_id == strategy_id
        )
    )
    return int(highest or 0) + 1
