"""A small seeded share of the random histories (tests/scenarios/histories.py)."""

from __future__ import annotations

import pytest

from app.store.embedded_setup import DatabaseUrls
from app.store.unit import Store
from tests.scenarios.histories import live_in_town
from tests.scenarios.pure_histories import live_purely

SEED = 3


@pytest.mark.anyio
@pytest.mark.timeout(300)
@pytest.mark.long
async def test_ten_days_in_a_small_town(store: Store, db: DatabaseUrls) -> None:
    _, found = await live_in_town(store, db.superuser, SEED, people=7, days=10)
    assert found.wrong == []
    assert found.cases >= 5, "nothing fell due that could have gone wrong"
    assert found.judged["contacts"] >= 5, "nothing left that could have been wrong"
    assert found.judged["moves"] > 50


def test_histories_of_the_pure_code() -> None:
    found = live_purely(25, SEED)
    assert found.wrong == []
    assert found.histories == 25
    assert found.did["left: sms"] > 10
    assert found.did["promised"] > 10
