"""Erase balance figures whose time has come. Verdicts and reasons stay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.flows.house import House
from app.store.readings import erase_expired

_MOST: Final = 5000


@dataclass(frozen=True, slots=True)
class FiguresErased:
    """How many."""

    erased: int


async def erase_figures(house: House, now: datetime) -> FiguresErased:
    """Erase at most a few thousand per tick; the rest at the next one."""
    async with house.store.engine_unit() as unit:
        return FiguresErased(await erase_expired(unit, now, limit=_MOST))
