"""A street on a fresh database. At the end of every test the invariants hold."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.store import invariants
from app.store.unit import Store
from tests.flows.desk_people import Desk
from tests.flows.lane import Lane, make_lane
from tests.flows.street import Street, make_street


@pytest.fixture
async def street(store: Store) -> AsyncIterator[Street]:
    """One lender, ready to send and to be paid, and nobody in the street yet."""
    made = await make_street(store)
    yield made
    async with store.engine_unit() as unit:
        assert await invariants.broken(unit, made.now) == []


@pytest.fixture
def desk(street: Street) -> Desk:
    """The people of the street's lender."""
    return Desk(street)


@pytest.fixture
async def lane(store: Store) -> AsyncIterator[Lane]:
    """A street whose accounts are read, with nobody in it yet."""
    made = await make_lane(store)
    yield made
    assert await made.upright()
