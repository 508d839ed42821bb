"""Erase balance figures, and what was learned from them, when their time has come.

Verdicts and reasons stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.flows.house import House
from app.store.income_profiles import forget_old
from app.store.readings import erase_expired

_MOST: Final = 5000


@dataclass(frozen=True, slots=True)
class FiguresErased:
    """How many figures, and how many profiles of income."""

    erased: int
    forgotten: int = 0


async def erase_figures(house: House, now: datetime) -> FiguresErased:
    """Erase at most a few thousand per tick; the rest at the next one."""
    unread_since = now - timedelta(days=house.settings.reading_expiry_days)
    async with house.store.engine_unit() as unit:
        return FiguresErased(
            await erase_expired(unit, now, limit=_MOST),
            await forget_old(unit, unread_since, limit=_MOST),
        )
