"""Each lender's rule for a funds signal, with the protected floor of his jurisdiction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.domain.detector import FundsPolicy, ThresholdKind
from app.domain.jurisdiction import Pack
from app.domain.money import Money
from app.flows.house import House
from app.store.arrays import among
from app.store.tables import lenders
from app.store.unit import Unit


@dataclass(frozen=True, slots=True)
class FundsRules:
    """One lender's rules in every currency his loans may have."""

    row: Any
    pack: Pack
    now: datetime
    made: dict[str, FundsPolicy]

    def of(self, currency: str) -> FundsPolicy:
        """The policy for debts in `currency`."""
        policy = self.made.get(currency)
        if policy is None:
            policy = self.made[currency] = self._make(currency)
        return policy

    def _make(self, currency: str) -> FundsPolicy:
        row = self.row
        fixed = row.threshold_minor
        return FundsPolicy(
            floor=self._floor(currency),
            threshold=ThresholdKind(row.threshold_kind),
            fixed=None if fixed is None else Money(fixed, currency),
            share_bp=row.threshold_basis_points or 10_000,
        )

    def _floor(self, currency: str) -> Money | None:
        """The lender's own floor where compliance set one, else the pack's; None: nobody's."""
        if self.row.floor_minor is not None and self.row.floor_currency == currency:
            return Money(self.row.floor_minor, currency)
        level = self.pack.floor_on(self.now.date())
        return level.monthly if level and level.monthly.currency == currency else None


async def funds_rules(
    unit: Unit, house: House, lender_ids: Iterable[UUID], now: datetime
) -> dict[UUID, FundsRules]:
    """The rules of these lenders as they stand at `now`."""
    rows = await unit.conn.execute(
        select(
            lenders.c.id,
            lenders.c.jurisdiction,
            lenders.c.threshold_kind,
            lenders.c.threshold_minor,
            lenders.c.threshold_basis_points,
            lenders.c.floor_minor,
            lenders.c.floor_currency,
        ).where(among(lenders.c.id, set(lender_ids)))
    )
    return {row.id: FundsRules(row, house.packs.of(row.jurisdiction), now, {}) for row in rows}
