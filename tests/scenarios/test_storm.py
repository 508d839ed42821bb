"""A seeded minute of storm: the demo runs, its processes die, and nothing leaves twice."""

from __future__ import annotations

import pytest

from tests.scenarios.storm import run

SEED = 11
KILLS = 5
CALM_S = 15.0


@pytest.mark.storm
@pytest.mark.timeout(420)
def test_a_minute_of_storm() -> None:
    found = run(SEED, KILLS, people=24, calm_s=CALM_S)
    assert found.wrong == [], f"seed {SEED}, killed {found.kills}, status {found.status}"
    assert found.status["signals"] > 0, "nothing happened that could have gone wrong"
    assert len(found.kills) >= KILLS // 2
