"""Write down that money was seen, and wake whoever decides and whoever watches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, update

from app.domain.detector import FundsSignal
from app.flows.actors import ROBOT
from app.flows.messages.tell_lender import LenderEvent, Told, tell_lenders
from app.store import timeline
from app.store.arrays import among
from app.store.jobs import DECIDE_SIGNALS
from app.store.keys import new_id
from app.store.tables import funds_signals, signal_cases
from app.store.timeline import Kind, Line
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class NewSignal:
    """A signal of one reading. `replaces` is the live one of the same account, if any."""

    lender_id: UUID
    borrower_id: UUID
    account_id: UUID
    reading_id: UUID
    signal: FundsSignal
    replaces: UUID | None


async def raise_signals(unit: Unit, now: datetime, raised: Sequence[NewSignal]) -> list[UUID]:
    """Store the signals of a batch, defer the decision about them, and notify once.

    At most one signal of an account is live: a part that has become enough, or money seen again
    for a new case, takes the place of the one before. The caller holds the borrowers' locks.
    """
    if not raised:
        return []
    replaced = [one.replaces for one in raised if one.replaces is not None]
    if replaced:
        await unit.conn.execute(
            update(funds_signals)
            .where(among(funds_signals.c.id, replaced), funds_signals.c.ended_at.is_(None))
            .values(ended_at=now, ended_why="replaced")
        )
    ids = [new_id() for _ in raised]
    await unit.conn.execute(
        insert(funds_signals),
        [
            {
                "id": signal_id,
                "lender_id": one.lender_id,
                "borrower_id": one.borrower_id,
                "account_id": one.account_id,
                "reading_id": one.reading_id,
                "raised_at": now,
                "covers": one.signal.kind.value,
                "margin_band": one.signal.margin_band.value,
            }
            for signal_id, one in zip(ids, raised, strict=True)
        ],
    )
    covers = [
        {
            "signal_id": signal_id,
            "lender_id": one.lender_id,
            "case_id": cover.case_id,
            "covers": cover.cover.value,
        }
        for signal_id, one in zip(ids, raised, strict=True)
        for cover in one.signal.covers
    ]
    await unit.conn.execute(insert(signal_cases), covers)
    await _say(unit, now, ids, raised)
    await unit.defer(DECIDE_SIGNALS, ids=[str(signal_id) for signal_id in ids])
    await unit.notify_signal(ids[-1])
    return ids


async def _say(unit: Unit, now: datetime, ids: Sequence[UUID], raised: Sequence[NewSignal]) -> None:
    lines = []
    told = []
    for signal_id, one in zip(ids, raised, strict=True):
        covers = {str(cover.case_id): cover.cover.value for cover in one.signal.covers}
        details = {
            "signal_id": str(signal_id),
            "reading_id": str(one.reading_id),
            "covers": one.signal.kind.value,
            "margin_band": one.signal.margin_band.value,
            "because": one.signal.because,
            "cases": covers,
        }
        lines.append(
            Line(one.borrower_id, Kind.SIGNAL_RAISED, ROBOT, details, lender_id=one.lender_id)
        )
        told.append(
            Told(
                event=LenderEvent.SIGNAL_RAISED,
                subject_id=signal_id,
                payload={
                    "signal_id": str(signal_id),
                    "covers": one.signal.kind.value,
                    "cases": covers,
                    "raised_at": now.isoformat(),
                },
                lender_id=one.lender_id,
            )
        )
    await timeline.write(unit, now, lines)
    await tell_lenders(unit, now, told)
