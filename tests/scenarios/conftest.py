"""A street for stories that go by the calendar. At the end of every story the invariants hold."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.store import invariants
from app.store.unit import Store
from tests.flows.street import Street, make_street


@pytest.fixture
async def street(store: Store) -> AsyncIterator[Street]:
    """One lender, ready to send and to be paid, and nobody in the street yet."""
    made = await make_street(store)
    yield made
    async with store.engine_unit() as unit:
        assert await invariants.broken(unit, made.now) == []
