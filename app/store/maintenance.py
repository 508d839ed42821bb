"""Announced maintenance of banks and providers, lender by lender. Business time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update

from app.domain.maintenance import Span
from app.store import driver
from app.store.health import BankKey
from app.store.keys import new_id
from app.store.tables import maintenance_windows
from app.store.unit import Unit

Rests = dict[UUID, dict[BankKey, list[Span]]]
"""By lender and bank, all that is not over. A bank id of '' speaks of all the provider's banks."""


async def rests_to_come(unit: Unit, now: datetime) -> Rests:
    """What is not over at `now`, of every lender that the unit may see."""
    found = await driver.rows(
        unit,
        "SELECT lender_id, connector, bank_id, starts_at, ends_at FROM maintenance_windows "
        "WHERE ends_at > %(now)b AND lifted_at IS NULL",
        {"now": now},
    )
    rests: Rests = {}
    for lender_id, connector, bank_id, starts_at, ends_at in found:
        spans = rests.setdefault(lender_id, {}).setdefault((connector, bank_id), [])
        spans.append((starts_at, ends_at))
    return rests


async def add_rest(
    unit: Unit,
    now: datetime,
    *,
    key: BankKey,
    span: Span,
    reason: str,
    set_by: str,
) -> UUID:
    """Write one down for the unit's lender. Returns its id."""
    rest_id = new_id()
    await unit.conn.execute(
        insert(maintenance_windows).values(
            id=rest_id,
            lender_id=unit.lender_id,
            connector=key[0],
            bank_id=key[1],
            starts_at=span[0],
            ends_at=span[1],
            reason=reason,
            set_by=set_by,
            set_at=now,
        )
    )
    return rest_id


async def lift_rest(unit: Unit, now: datetime, rest_id: UUID, by: str) -> Row[Any] | None:
    """End one before its time; None where there is none that is not over yet."""
    found = await unit.conn.execute(
        update(maintenance_windows)
        .where(
            maintenance_windows.c.id == rest_id,
            maintenance_windows.c.lender_id == unit.lender_id,
            maintenance_windows.c.lifted_at.is_(None),
            maintenance_windows.c.ends_at > now,
        )
        .values(lifted_at=now, lifted_by=by)
        .returning(maintenance_windows)
    )
    row: Row[Any] | None = found.one_or_none()
    return row


async def rests_of_lender(unit: Unit, now: datetime) -> Sequence[Row[Any]]:
    """The rows that are not over, the next first."""
    rows = await unit.conn.execute(
        select(maintenance_windows)
        .where(maintenance_windows.c.ends_at > now, maintenance_windows.c.lifted_at.is_(None))
        .order_by(maintenance_windows.c.starts_at, maintenance_windows.c.id)
    )
    return rows.all()
