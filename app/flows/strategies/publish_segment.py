"""Write a segment, and put it in force by two people. Steps of the decision carry it out.

An edition is written once: another change is another edition. Taking a rule out of force is an
edition too, one that says so, because leaving people alone that a rule looked after is a decision.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, insert, select

from app.domain.approval import ApprovalKind
from app.domain.conditions import condition_words
from app.domain.edition import EDITION, EditionState
from app.domain.errors import Conflict, Invalid, NotAllowed, NotFound
from app.domain.ids import LenderId, UserId
from app.domain.segments import MOST_SEGMENTS, Segment, Start, action_notes
from app.flows.approvals.propose_approval import propose
from app.flows.house import House
from app.flows.strategies.install_segments import stored_conditions
from app.store import audit
from app.store.keys import new_id
from app.store.moves import move
from app.store.segments import segment_of
from app.store.tables import lenders, segments, strategies
from app.store.unit import Unit

REMOVED: Final = "removed"
"""Mark in `conditions` of an edition that takes its rule out of force."""


async def propose_segment(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    segment: Segment,
    removed: bool = False,
    reason: str,
    user_id: UserId,
    actor: str,
) -> UUID:
    """Write an edition and put it before a second person; returns the proposal's id.

    `removed`: the rule goes out of force. Raises `Invalid`, `Conflict` when an edition of the same
    name waits already, `NotFound` for a strategy it would start, `NotAllowed` without the right.
    """
    async with house.store.unit(lender_id) as unit:
        await _one_at_a_time(unit)
        rows = (
            await unit.conn.execute(
                select(segments.c.name, segments.c.number, segments.c.state).where(
                    segments.c.lender_id == lender_id
                )
            )
        ).all()
        same = [row for row in rows if row.name == segment.name]
        in_force = [row for row in rows if row.state == EditionState.PUBLISHED.value]
        if any(row.state == EditionState.PROPOSED.value for row in same):
            raise Conflict("An edition of this rule waits for a decision already.")
        if removed and not any(row.name == segment.name for row in in_force):
            raise NotFound("There is no such rule in force.")
        if len({row.name for row in in_force}) >= MOST_SEGMENTS and not same:
            raise Invalid(
                "name", f"there are {MOST_SEGMENTS} rules already.", mend="Take one out first."
            )
        if isinstance(segment.action, Start) and not removed:
            await _check_strategy(unit, segment.action.strategy)
        edition_id = new_id()
        conditions = stored_conditions(segment)
        await unit.conn.execute(
            insert(segments).values(
                id=edition_id,
                lender_id=lender_id,
                name=segment.name,
                number=max((row.number for row in same), default=0) + 1,
                state=EditionState.PROPOSED.value,
                rank=segment.rank,
                conditions={**conditions, REMOVED: True} if removed else conditions,
                action=action_notes(segment.action),
                writers=[actor],
                made_by=actor,
                made_at=now,
            )
        )
        proposed = await propose(
            unit,
            now,
            kind=ApprovalKind.SEGMENT,
            subject_id=edition_id,
            reason=reason,
            considered={
                "title": segment.title,
                "link": f"/segments/{edition_id}",
                "taken_out": removed,
                "when": condition_words(segment.when),
                "then": action_notes(segment.action),
                "rank": segment.rank,
            },
            proposer_id=user_id,
            actor=actor,
        )
        return proposed.id


async def publish_segment(unit: Unit, now: datetime, approval: Any, *, actor: str) -> None:
    """Carry out an approved proposal: the edition comes into force, the one before retires.

    Every open case is asked anew at the next look. Raises `NotAllowed` for its writer,
    `IllegalTransition` when it was decided already.
    """
    await _one_at_a_time(unit)
    row = await _edition(unit, approval.subject_id)
    if actor in row.writers:
        raise NotAllowed("Who wrote a rule does not publish it.", code="OwnWork")
    EDITION.step(EditionState(row.state), "publish")
    before = (
        await unit.conn.execute(
            select(segments).where(
                segments.c.name == row.name, segments.c.state == EditionState.PUBLISHED.value
            )
        )
    ).one_or_none()
    if before is not None:
        await move(unit, segments, before.id, EDITION, "retire", retired_at=now)
    await move(unit, segments, row.id, EDITION, "publish", published_by=actor, published_at=now)
    removed = bool(row.conditions.get(REMOVED))
    if removed:
        await move(unit, segments, row.id, EDITION, "retire", retired_at=now)
    await audit.record(
        unit,
        now,
        actor=actor,
        act="retire_segment" if removed else "publish_segment",
        subject=row.name,
        before={} if before is None else _shown(before),
        after={"number": row.number} if removed else _shown(row),
        reason=approval.reason,
        lender_id=row.lender_id,
    )


def _shown(row: Row[Any]) -> dict[str, Any]:
    """What an edition says, as the history shows it."""
    segment = segment_of(row)
    return {
        "number": row.number,
        "title": segment.title,
        "rank": segment.rank,
        "when": condition_words(segment.when),
        "then": action_notes(segment.action),
    }


async def send_back_segment(unit: Unit, now: datetime, approval: Any, *, actor: str) -> None:
    """After a refusal or a withdrawal: a draft, from which another edition can be written."""
    row = await _edition(unit, approval.subject_id)
    await move(unit, segments, row.id, EDITION, "send_back")
    await audit.record(
        unit,
        now,
        actor=actor,
        act="send_back_segment",
        subject=row.name,
        after={"name": row.name, "number": row.number},
        lender_id=row.lender_id,
    )


async def _one_at_a_time(unit: Unit) -> None:
    """Editions of one lender's rules are numbered and published one after the other."""
    await unit.conn.scalar(
        select(lenders.c.id).where(lenders.c.id == unit.lender_id).with_for_update(key_share=True)
    )


async def _edition(unit: Unit, edition_id: UUID) -> Row[Any]:
    row = (
        await unit.conn.execute(select(segments).where(segments.c.id == edition_id))
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such rule.")
    return row


async def _check_strategy(unit: Unit, name: str) -> None:
    found = await unit.conn.scalar(
        select(func.count()).select_from(strategies).where(strategies.c.name == name)
    )
    if not found:
        raise NotFound(f"There is no strategy named {name}.")
