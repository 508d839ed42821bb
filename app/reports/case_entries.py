"""The timeline of one case in slices, each line with the whole verdict it speaks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select, tuple_

from app.reports.book import timeline_query
from app.store.tables import messages, timeline
from app.store.timeline import Kind
from app.store.unit import Unit

LINES_AT_MOST: Final = 80


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline, with the whole verdict of the message it speaks of."""

    id: UUID
    at: datetime
    kind: str
    actor: str
    details: Mapping[str, Any]
    whole_case: bool
    verdict: Mapping[str, Any] | None = None


async def entries_of(
    unit: Unit, borrower_id: UUID, case_id: UUID, before: str = ""
) -> tuple[tuple[Entry, ...], str]:
    """One slice of the timeline, newest first, and the key of the next one ("" at the end).

    A key that cannot be read begins anew.
    """
    query = timeline_query(borrower_id, case_id)
    key = _read_key(before)
    if key is not None:
        query = query.where(tuple_(timeline.c.at, timeline.c.id) < tuple_(*key))
    rows = (
        await unit.conn.execute(
            query.order_by(timeline.c.at.desc(), timeline.c.id.desc()).limit(LINES_AT_MOST + 1)
        )
    ).all()
    shown = rows[:LINES_AT_MOST]
    verdicts = await _verdicts(unit, shown)
    entries = tuple(
        Entry(
            row.id,
            row.at,
            row.kind,
            row.actor,
            row.details,
            row.case_id is None,
            verdicts.get(str(row.details.get("message_id")))
            if row.kind == Kind.GATE.value
            else None,
        )
        for row in shown
    )
    older = ""
    if len(rows) > LINES_AT_MOST:
        older = f"{shown[-1].at.isoformat()}~{shown[-1].id}"
    return entries, older


def _read_key(text: str) -> tuple[datetime, UUID] | None:
    at, _, row_id = text.partition("~")
    try:
        return datetime.fromisoformat(at), UUID(row_id)
    except ValueError:
        return None


async def _verdicts(unit: Unit, rows: Sequence[Row[Any]]) -> dict[str, Mapping[str, Any]]:
    """The gate's whole verdict stands on the message; the line holds only its end."""
    wanted = [
        UUID(row.details["message_id"])
        for row in rows
        if row.kind == Kind.GATE.value and row.details.get("message_id")
    ]
    if not wanted:
        return {}
    found = await unit.conn.execute(
        select(messages.c.id, messages.c.verdict).where(messages.c.id.in_(wanted))
    )
    return {str(row.id): row.verdict for row in found if row.verdict}
