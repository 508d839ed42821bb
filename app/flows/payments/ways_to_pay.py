"""Whether a lender can be paid in a currency at all: asked before anybody is sent to a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from sqlalchemy import Row

from app.domain.payee import Carried, Unpayable, why_unpayable
from app.flows.house import House
from app.store.payees import payees_of
from app.store.unit import Unit

Moved: TypeAlias = tuple[tuple[Carried, ...], ...] | None
"""What each bank of a payment provider moves; None: no provider is set up."""


def moved_by(house: House) -> Moved:
    """What the provider of this house moves. For a lender's own one, go through his door first."""
    port = house.payments.get(house.payment_name)
    return None if port is None else tuple(bank.pays for bank in port.banks())


async def unpayable(
    unit: Unit, lender: Row[Any], currencies: Iterable[str], moved: Moved
) -> Mapping[str, Unpayable]:
    """Those of the currencies in which nobody can pay this lender, and why. `lender` is its row."""
    wanted = set(currencies)
    accounts = await payees_of(unit, lender, wanted)
    found = {one: why_unpayable(one, accounts.get(one), moved) for one in wanted}
    return {one: why for one, why in found.items() if why is not None}
