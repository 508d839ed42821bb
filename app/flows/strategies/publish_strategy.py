"""A version of a strategy comes into force: one person proposes it, another publishes it.

New cases get it; running ones keep theirs until somebody moves them (move_cases.py).
Rolling back is the same with a version that was in force before.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from app.domain.approval import ApprovalKind
from app.domain.edition import EDITION, EditionState
from app.domain.errors import Conflict, Invalid, NotAllowed
from app.domain.ids import LenderId, UserId
from app.domain.stages import parse_body
from app.domain.strategy_diff import differences, sides
from app.flows.approvals.propose_approval import propose
from app.flows.house import House
from app.flows.strategies.check_strategy import findings_of
from app.flows.strategies.write_strategy import check_not_stale
from app.store import audit
from app.store.moves import move
from app.store.strategy_editions import lock_strategy, published_version, version_of
from app.store.tables import strategy_versions
from app.store.unit import Unit


async def propose_version(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    version_id: UUID,
    reason: str,
    user_id: UserId,
    actor: str,
) -> UUID:
    """Put a draft, or a version that was in force before, before a second person.

    Returns the proposal's id. What changes stands beside it. Raises `Invalid` when something
    blocks, `Conflict` for a stale draft, `IllegalTransition` for a version that is proposed or in
    force, `NotAllowed` without the right.
    """
    async with house.store.unit(lender_id) as unit:
        row = await version_of(unit, version_id)
        await lock_strategy(unit, row.strategy_id)
        row = await version_of(unit, version_id)
        EDITION.step(EditionState(row.state), "propose")
        in_force = await published_version(unit, row.strategy_id)
        number = 0 if in_force is None else in_force.number
        if row.published_at is None:
            await check_not_stale(unit, row)
        body = parse_body(row.body)
        blocking = [one for one in await findings_of(unit, house, body) if one.blocks]
        if blocking:
            more = f" ({len(blocking)} findings)" if len(blocking) > 1 else ""
            raise Invalid(blocking[0].field, f"{blocking[0].words}{more}", mend="Mend the draft.")
        diff = [] if in_force is None else differences(parse_body(in_force.body), body)
        await move(unit, strategy_versions, version_id, EDITION, "propose", based_on=number)
        proposed = await propose(
            unit,
            now,
            kind=ApprovalKind.STRATEGY,
            subject_id=version_id,
            reason=reason,
            considered={
                "title": f"{row.name}, version {row.number}",
                "link": f"/strategies/versions/{version_id}",
                "in_force": f"version {number}" if number else "none",
                "changes": [one.words() for one in diff],
            },
            proposer_id=user_id,
            actor=actor,
        )
        return proposed.id


async def publish_version(unit: Unit, now: datetime, approval: Any, *, actor: str) -> None:
    """Carry out an approved proposal: the version comes into force, the one before retires.

    Raises `NotAllowed` for somebody who wrote it, `Conflict` when another one came into force since
    it was proposed, and `IllegalTransition` when it was published already.
    """
    row = await version_of(unit, approval.subject_id)
    await lock_strategy(unit, row.strategy_id)
    row = await version_of(unit, approval.subject_id)
    if actor in row.writers:
        raise NotAllowed("Who wrote a strategy does not publish it.", code="OwnWork")
    EDITION.step(EditionState(row.state), "publish")
    await check_not_stale(unit, row)
    before = await published_version(unit, row.strategy_id)
    if before is not None:
        await move(unit, strategy_versions, before.id, EDITION, "retire", retired_at=now)
    await move(
        unit,
        strategy_versions,
        row.id,
        EDITION,
        "publish",
        published_by=actor,
        published_at=now,
        retired_at=None,
    )
    await audit.record(
        unit,
        now,
        actor=actor,
        act="publish_strategy",
        subject=str(row.strategy_id),
        **_old_and_new(row, before),
        reason=approval.reason,
        lender_id=row.lender_id,
    )


def _old_and_new(row: Row[Any], before: Row[Any] | None) -> dict[str, dict[str, Any]]:
    """Number and every place that is another one now, as the history shows them."""
    old = None if before is None else parse_body(before.body)
    was, is_now = sides(differences(old, parse_body(row.body)))
    number = None if before is None else before.number
    return {
        "before": {"name": row.name, "number": number, **was},
        "after": {"name": row.name, "number": row.number, **is_now},
    }


async def send_back_version(unit: Unit, now: datetime, approval: Any, *, actor: str) -> None:
    """After a refusal or a withdrawal: a draft again, or retired again if it was in force."""
    row = await version_of(unit, approval.subject_id)
    await lock_strategy(unit, row.strategy_id)
    if row.state != EditionState.PROPOSED.value:
        raise Conflict("This version is not proposed any more.")
    await move(unit, strategy_versions, row.id, EDITION, "send_back")
    await audit.record(
        unit,
        now,
        actor=actor,
        act="send_back_strategy",
        subject=str(row.strategy_id),
        after={"name": row.name, "number": row.number},
        lender_id=row.lender_id,
    )
