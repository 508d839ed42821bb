"""Consent, scoring and a day of readings through an aggregator that cannot be told who is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.demo import providers
from app.domain.consent import Purpose
from app.flows.cases.open_cases import open_cases
from app.flows.consents.finish_bank_consent import Back, finish_bank_consent
from app.store.embedded_setup import DatabaseUrls
from sandbox.modes import Mode
from tests.flows.test_bank_modes import HERE, agrees, hours_pass, moved_in
from tests.neighbourhood import SANDBOX, Neighbourhood, neighbourhood

pytestmark = pytest.mark.anyio


@pytest.fixture
async def hood(
    db: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Neighbourhood]:
    providers.write_files(["gocardless"], SANDBOX, tmp_path)
    for name, value in providers.settings_of(["gocardless"], SANDBOX, tmp_path).items():
        monkeypatch.setenv(name, value)
    async with neighbourhood(db, tmp_path) as built:
        yield built


async def test_a_read_for_scoring_counts_where_presence_cannot_be_stated(
    hood: Neighbourhood,
) -> None:
    person = await moved_in(hood)
    both = (Purpose.SCORING, Purpose.REPAYMENT_MONITORING)
    done, _ = await agrees(hood, person, purposes=both)
    assert (done.back, done.scoring) == (Back.ACTIVE, "stored")
    await open_cases(hood.house, hood.now)
    await hours_pass(hood, 30)
    rows = await hood.rows("SELECT purpose, attended, outcome FROM read_attempts ORDER BY id")
    assert (rows[0].purpose, rows[0].attended) == ("scoring", False)
    assert len(rows) >= 4
    assert {row.outcome for row in rows} == {"read"}
    assert hood.world.ledger()["wrong"] == []
    (consent,) = await hood.rows("SELECT connector, state FROM consents")
    assert (consent.connector, consent.state) == ("gocardless", "active")


async def test_a_spent_allowance_is_waited_for_whoever_presses(hood: Neighbourhood) -> None:
    person = await moved_in(hood)
    hood.world.set_mode(person.id, Mode.LIMITED_AT_ONCE)
    done, token = await agrees(hood, person)
    assert done.back is Back.WAITING
    for _ in range(20):
        hood.advance(minutes=5)
        done = await finish_bank_consent(hood.house, hood.now, return_token=token, presence=HERE)
        assert done.back is Back.WAITING
    await hours_pass(hood, 20)
    assert hood.world.ledger()["wrong"] == []
    hood.world.set_mode(person.id, Mode.LIMITED_AT_ONCE, on=False)
    await hours_pass(hood, 10)
    (consent,) = await hood.rows("SELECT state FROM consents")
    assert consent.state == "active"
