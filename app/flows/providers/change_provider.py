"""Which of a lender's own providers is in force. Steps of their callers' units, the lender's.

What takes another's place under its name is the same contract with other access data: everything
open goes over to it. What has another name is another contract: what is open with the one before
is still followed with that, and nothing new is begun with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from app.domain.provider_setup import SETUP, SetupState, Slot
from app.store import audit
from app.store.moves import move
from app.store.provider_setups import close, in_force, lock_setup
from app.store.tables import provider_setups
from app.store.unit import Unit

REMOVE: Final = {"act": "remove"}
"""In the notes of a proposal: to take away what is in force."""


async def put_in_force(
    unit: Unit, now: datetime, setup_id: UUID, *, actor: str, reason: str = ""
) -> None:
    """Have it do its job from the next flow on. Raises `IllegalTransition` when it does already."""
    row = await lock_setup(unit, setup_id)
    SETUP.step(SetupState(row.state), "put_in_force")
    before = await in_force(unit, Slot(row.slot))
    if before is not None and before.name == row.name:
        await close(unit, now, before.id, "replace", actor)
    elif before is not None:
        await _retire(unit, now, before.id, actor)
    await move(unit, provider_setups, row.id, SETUP, "put_in_force", in_force_at=now)
    await audit.record(
        unit,
        now,
        actor=actor,
        act="put_provider_in_force",
        subject=row.name,
        before={} if before is None else described(before),
        after=described(row),
        reason=reason,
    )


async def retire(
    unit: Unit, now: datetime, setup_id: UUID, *, actor: str, reason: str = ""
) -> None:
    """Take it away: the installation's does the job again. What is open is still followed."""
    row = await lock_setup(unit, setup_id)
    await _retire(unit, now, row.id, actor)
    await audit.record(
        unit,
        now,
        actor=actor,
        act="remove_provider",
        subject=row.name,
        before=described(row),
        reason=reason,
    )


async def change_by_two(unit: Unit, now: datetime, approval: Any, *, actor: str) -> None:
    """Carry an approved proposal out."""
    if approval.considered.get("act") == REMOVE["act"]:
        await retire(unit, now, approval.subject_id, actor=actor, reason=approval.reason)
    else:
        await put_in_force(unit, now, approval.subject_id, actor=actor, reason=approval.reason)


async def send_back_provider(unit: Unit, now: datetime, approval: Any, *, actor: str) -> None:
    """A proposal was refused or withdrawn: what waited is erased, what is in force stays."""
    row = await lock_setup(unit, approval.subject_id)
    if row.state == SetupState.PROPOSED.value:
        await close(unit, now, row.id, "send_back", actor)
    await audit.record(
        unit, now, actor=actor, act="send_back_provider", subject=row.name, after=described(row)
    )


def described(row: Row[Any]) -> Mapping[str, Any]:
    """For the history: everything but what is secret."""
    told = {name: value for name, value in row.shown.items() if name != "since"}
    return {"slot": row.slot, "connector": row.connector, "number": row.number, **told}


async def _retire(unit: Unit, now: datetime, setup_id: UUID, by: str) -> None:
    await move(unit, provider_setups, setup_id, SETUP, "retire", ended_by=by, ended_at=now)
