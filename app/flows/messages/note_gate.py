"""Write the gate's verdict about one message on the timeline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app.domain.message import Channel
from app.flows.actors import ROBOT
from app.flows.messages.ask_gate import Asked, verdict_notes
from app.store import timeline
from app.store.timeline import Kind, Line
from app.store.unit import Unit


async def note_gate(
    unit: Unit,
    now: datetime,
    borrower_id: UUID,
    asked: Asked,
    *,
    channel: Channel,
    case_ids: Sequence[UUID],
    message_id: UUID | None,
) -> None:
    """Short when the verdict is stored with a message, whole when there is none."""
    notes = verdict_notes(asked)
    if message_id is not None:
        del notes["checks"]
    details = {
        **notes,
        "channel": channel.value,
        "message_id": str(message_id) if message_id else None,
        "cases": [str(case_id) for case_id in case_ids],
    }
    await timeline.write(unit, now, [Line(borrower_id, Kind.GATE, ROBOT, details)])
