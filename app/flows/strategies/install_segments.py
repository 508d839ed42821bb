"""Give a lender the rules that ship with Saldo. They count as published by the installation."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from app.domain.conditions import condition_notes
from app.domain.edition import EditionState
from app.domain.segments import Segment, action_notes
from app.reference.segments import shipped_segments
from app.store import audit
from app.store.keys import new_id
from app.store.tables import segments
from app.store.unit import Unit

INSTALLATION: Final = "installation"


async def install_segments(unit: Unit, now: datetime, lender_id: UUID) -> int:
    """Add shipped rules that the lender never had under that name; returns how many.

    A rule that he changed or took out of force has its name already and is left alone.
    """
    added = []
    for shipped in shipped_segments():
        made = await unit.conn.execute(
            insert(segments)
            .values(
                id=new_id(),
                lender_id=lender_id,
                name=shipped.segment.name,
                number=1,
                state=EditionState.PUBLISHED.value,
                rank=shipped.segment.rank,
                conditions=stored_conditions(shipped.segment),
                action=action_notes(shipped.segment.action),
                made_by=INSTALLATION,
                made_at=now,
                published_by=INSTALLATION,
                published_at=now,
            )
            .on_conflict_do_nothing()
            .returning(segments.c.name)
        )
        added += [row.name for row in made]
    if added:
        await audit.record(
            unit,
            now,
            actor=INSTALLATION,
            act="install_segments",
            subject=str(lender_id),
            after={"segments": added},
            lender_id=lender_id,
        )
    return len(added)


def stored_conditions(segment: Segment) -> dict[str, object]:
    """What stands in the column `conditions`: the rule's title and its tree."""
    return {"title": segment.title, "when": condition_notes(segment.when)}
