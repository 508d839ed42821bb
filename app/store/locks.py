"""The one lock that everything about a person queues behind.

Whoever decides whether to send or to pay takes the borrower's row first, then his loans, cases,
payments and messages, always in this order. That is what makes "never twice" true: between the
look and the write nobody else can change what was looked at.

The lock is FOR NO KEY UPDATE: it excludes every other holder, but not an insert of a row that
merely points at the borrower (a timeline line, an attempt), which would need no decision.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.errors import NotFound
from app.store.arrays import among
from app.store.tables import borrowers
from app.store.unit import Unit


async def lock_borrower(unit: Unit, borrower_id: UUID) -> Row[Any]:
    """Lock one borrower until the unit ends and return the row. Raises `NotFound`.

    Locking again inside the same unit costs a look-up and nothing else.
    """
    found = await lock_borrowers(unit, (borrower_id,))
    if not found:
        raise NotFound("There is no such borrower.")
    return found[borrower_id]


async def lock_borrowers(unit: Unit, borrower_ids: Iterable[UUID]) -> dict[UUID, Row[Any]]:
    """Lock several, in the order of their ids: two batches cannot wait for each other."""
    return await _lock(unit, borrower_ids, skip_locked=False)


async def lock_free_borrowers(unit: Unit, borrower_ids: Iterable[UUID]) -> dict[UUID, Row[Any]]:
    """Lock those that nobody else has locked, without waiting for the others."""
    return await _lock(unit, borrower_ids, skip_locked=True)


async def _lock(
    unit: Unit, borrower_ids: Iterable[UUID], *, skip_locked: bool
) -> dict[UUID, Row[Any]]:
    rows = await unit.conn.execute(
        select(borrowers)
        .where(among(borrowers.c.id, set(borrower_ids)))
        .order_by(borrowers.c.id)
        .with_for_update(key_share=True, skip_locked=skip_locked)
    )
    return {row.id: row for row in rows}
