"""A lender's own providers: what is in force, what waits, what is still followed. No secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.approval import ApprovalKind
from app.domain.provider_setup import SetupState, Slot
from app.store.approvals import waiting
from app.store.provider_setups import OpenWork, open_work, setups_of
from app.store.tables import lenders, provider_setups
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class ProviderLine:
    """One set-up. `values` are plain settings, `since` says when each secret or file was changed.

    `work` is what is open with it; `proposal_id` what waits for a second person about it.
    """

    id: UUID
    slot: Slot
    connector: str
    name: str
    state: SetupState
    values: Mapping[str, str]
    since: Mapping[str, datetime]
    made_by: str
    made_at: datetime
    tested_at: datetime
    in_force_at: datetime | None
    work: OpenWork
    proposal_id: UUID | None


async def provider_lines(unit: Unit, slot: Slot | None = None) -> tuple[ProviderLine, ...]:
    """Those of the unit's lender that are not closed, the newest first."""
    return tuple([await _line(unit, row) for row in await setups_of(unit, slot)])


async def every_provider(unit: Unit) -> list[dict[str, Any]]:
    """Those of all lenders that are not closed. For whoever runs the installation; no secrets."""
    rows = await unit.conn.execute(
        select(
            lenders.c.slug.label("lender"),
            provider_setups.c.slot,
            provider_setups.c.name,
            provider_setups.c.state,
            provider_setups.c.made_by,
            provider_setups.c.in_force_at,
        )
        .join(lenders, lenders.c.id == provider_setups.c.lender_id)
        .where(provider_setups.c.state != SetupState.CLOSED.value)
        .order_by(lenders.c.slug, provider_setups.c.slot, provider_setups.c.made_at)
    )
    return [dict(row._mapping) for row in rows]


async def _line(unit: Unit, row: Row[Any]) -> ProviderLine:
    since = row.shown.get("since", {})
    return ProviderLine(
        id=row.id,
        slot=Slot(row.slot),
        connector=row.connector,
        name=row.name,
        state=SetupState(row.state),
        values={name: value for name, value in row.shown.items() if isinstance(value, str)},
        since={name: datetime.fromisoformat(at) for name, at in since.items()},
        made_by=row.made_by,
        made_at=row.made_at,
        tested_at=row.tested_at,
        in_force_at=row.in_force_at,
        work=await open_work(unit, row.name),
        proposal_id=await waiting(unit, ApprovalKind.PROVIDER, row.id),
    )
