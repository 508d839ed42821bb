"""Cancel queued messages, with their reason, and the links that nobody has seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from app.domain.message import MESSAGE, CancelReason, MessageState
from app.domain.payment import LINK
from app.flows.actors import ROBOT
from app.flows.messages.ask_gate import Asked, verdict_notes
from app.store import timeline
from app.store.arrays import among
from app.store.moves import move_all
from app.store.tables import messages, payment_links
from app.store.timeline import Kind, Line
from app.store.unit import Unit


async def cancel_messages(
    unit: Unit,
    now: datetime,
    message_ids: Sequence[UUID],
    why: CancelReason,
    *,
    refused: Asked | None = None,
) -> list[UUID]:
    """Cancel those that are still queued; returns which. The caller holds the borrower's lock.

    `refused` is the gate's answer where that is why; it is kept in the place of the one before.

    The link of a message that never left is withdrawn: it would otherwise stand in the way of the
    next one as "with the borrower".
    """
    found: list[Row[Any]] = list(
        await unit.conn.execute(
            select(
                messages.c.id,
                messages.c.borrower_id,
                messages.c.lender_id,
                messages.c.link_id,
                messages.c.channel,
            )
            .where(among(messages.c.id, message_ids), messages.c.state == MessageState.QUEUED.value)
            .order_by(messages.c.id)
            .with_for_update(key_share=True)
        )
    )
    if not found:
        return []
    cancelled = await move_all(
        unit,
        messages,
        [row.id for row in found],
        MESSAGE,
        "cancel",
        cancel_reason=why.value,
        ended_at=now,
        next_look_at=None,
        **({} if refused is None else {"verdict": verdict_notes(refused)}),
    )
    unseen = [row.link_id for row in found if row.link_id is not None and row.id in cancelled]
    await move_all(unit, payment_links, unseen, LINK, "withdraw", ended_at=now)
    state = MessageState.CANCELLED.value
    await timeline.write(
        unit,
        now,
        [
            Line(
                row.borrower_id,
                Kind.MESSAGE_CHANGED,
                ROBOT,
                {
                    "message_id": str(row.id),
                    "channel": row.channel,
                    "state": state,
                    "why": why.value,
                },
                lender_id=row.lender_id,
            )
            for row in found
        ],
    )
    return cancelled
