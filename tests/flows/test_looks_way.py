"""The look at transactions through each provider that shows them, over its real wire format."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.flows.cases.open_cases import open_cases
from app.store.embedded_setup import DatabaseUrls
from tests.flows.test_bills import PURPOSES, allow, read_all, settled, signal_of
from tests.flows.through_providers import agrees, go_through
from tests.neighbourhood import Neighbourhood, neighbourhood

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["enable_banking", "gocardless", "plaid", "tink", "truelayer"])
async def hood(
    request: pytest.FixtureRequest,
    db: DatabaseUrls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Neighbourhood]:
    go_through(str(request.param), tmp_path, monkeypatch)
    async with neighbourhood(db, tmp_path) as built:
        yield built


async def test_rent_that_leaves_soon_is_not_asked_for(hood: Neighbourhood) -> None:
    await allow(hood, reads_bills=True, floor_minor=0, floor_currency="EUR", floor_reason="a test")
    person = await settled(hood, "known")
    await agrees(hood, person, "known", PURPOSES)
    # A copy is not complete at once; everything else was looked at while he was there.
    hood.advance(minutes=3)
    await hood.settle()
    looks = await hood.rows(
        "SELECT outcome, detail FROM read_attempts WHERE purpose = 'bills' ORDER BY attempted_at"
    )
    assert [tuple(row) for row in looks][-1] == ("read", "")
    assert all(row.detail == "TryLater" for row in looks[:-1])
    await open_cases(hood.house, hood.now)
    await read_all(hood)
    (signal,) = await signal_of(hood, "known")
    assert signal[0] == "part", "the rent of the day after tomorrow is left to him"
    assert hood.world.over_allowance() == []
    assert hood.world.ledger()["wrong"] == []
