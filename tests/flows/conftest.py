"""A street on a fresh database."""

from __future__ import annotations

import pytest

from app.store.unit import Store
from tests.flows.street import Street, make_street


@pytest.fixture
async def street(store: Store) -> Street:
    """One lender, ready to send and to be paid, and nobody in the street yet."""
    return await make_street(store)
