"""Who changed which setting, switch, role or user. Append-only, beside the change itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from app.store.keys import new_id
from app.store.tables import audit
from app.store.unit import Unit


async def record(
    unit: Unit,
    now: datetime,
    *,
    actor: str,
    act: str,
    subject: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    lender_id: UUID | None = None,
) -> None:
    """Write one line in the caller's transaction: no change without its line, no line without it.

    `before` and `after` are small plain JSON and never hold a secret. An engine unit names the
    lender.
    """
    await unit.conn.execute(
        insert(audit).values(
            id=new_id(),
            lender_id=lender_id or unit.lender_id,
            at=now,
            actor=actor,
            act=act,
            subject=subject,
            before=dict(before or {}),
            after=dict(after or {}),
            reason=reason,
        )
    )


async def latest(unit: Unit, *, limit: int = 30) -> list[dict[str, Any]]:
    """The newest lines of the unit's lender, newest first."""
    rows = await unit.conn.execute(
        select(audit).order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit)
    )
    return [dict(row._mapping) for row in rows]
