"""Write down that somebody asked for what he may not do, though nothing came of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.errors import NotAllowed
from app.domain.ids import LenderId
from app.flows.house import House
from app.store import audit

ACT: Final = "refused"
_LONGEST: Final = 300


async def note_refusal(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    actor: str,
    wanted: str,
    subject: str,
    refusal: NotAllowed,
) -> None:
    """One line in the audit, in a transaction of its own: the refused one left nothing behind.

    `wanted` names the act, `subject` what it was about (an id, or the address that was asked).
    """
    async with house.store.unit(lender_id) as unit:
        await audit.record(
            unit,
            now,
            actor=actor,
            act=ACT,
            subject=subject[:_LONGEST],
            after={"wanted": wanted, "code": refusal.code},
            reason=refusal.message,
        )


@asynccontextmanager
async def refusals_noted(
    house: House,
    now: datetime,
    *,
    lender_id: LenderId,
    actor: str,
    wanted: str,
    subject: UUID | str,
) -> AsyncIterator[None]:
    """Whatever is refused inside (`NotAllowed`) is written down, and raised on."""
    try:
        yield
    except NotAllowed as refusal:
        await note_refusal(
            house,
            now,
            lender_id=lender_id,
            actor=actor,
            wanted=wanted,
            subject=str(subject),
            refusal=refusal,
        )
        raise
