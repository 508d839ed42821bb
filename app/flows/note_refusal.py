"""Write down that somebody asked for what he may not do, though nothing came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

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
