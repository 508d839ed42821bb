"""Consent through providers with a hosted page of their own, from the link to the first read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.demo import providers
from app.domain.consent import Purpose
from app.domain.ids import Phone
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.consents.request_consent import request_consent
from app.reference.packs import load_packs
from app.settings import load_settings
from app.web import mount
from app.wiring import make_house
from connectors import _http
from sandbox.moods import ConsentMood, Mood
from tests.neighbourhood import PUBLIC, SANDBOX, Neighbourhood
from tests.web.test_consent import Asked, TwoSites

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["plaid", "tink"])
async def asked(
    request: pytest.FixtureRequest,
    hood: Neighbourhood,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Asked]:
    """Ana, asked for both purposes by a lender that reads through this provider."""
    providers.write_files([request.param], SANDBOX, tmp_path)
    for name, value in providers.settings_of([request.param], SANDBOX, tmp_path).items():
        monkeypatch.setenv(name, value)
    settings = load_settings(public_url=PUBLIC, demo=True, data_dir=tmp_path)
    async with _http.client(transport=hood.outside) as http:
        house = make_house(settings, hood.store, hood.clock, load_packs(), http)
        hood = replace(hood, house=house)
        person = hood.world.add_person(opening_minor=500_000, phone="+34600111222")
        wanted = BorrowerWanted("B-1", person.name, "ES", "es", phone=Phone.parse(person.phone))
        await register_borrower(house, hood.now, hood.lender_id, wanted)
        made = await request_consent(
            house,
            hood.now,
            lender_id=hood.lender_id,
            borrower_ref="B-1",
            purposes=(Purpose.SCORING, Purpose.REPAYMENT_MONITORING),
            language="es",
        )
        web = mount(FastAPI(), house, hood.clock, settings)
        yield Asked(hood, person, made.link, TwoSites(web.pages, hood.outside))


async def test_a_no_and_then_a_yes_that_is_read_once(
    asked: Asked, request: pytest.FixtureRequest
) -> None:
    await asked.visit(Mood(consent=ConsentMood.REFUSES_AT_BANK)).consent(asked.link)
    assert await asked.hood.value("SELECT state FROM consents") == "rejected"
    said = await asked.visit(Mood(consent=ConsentMood.GRANTS_BOTH)).consent(f"{asked.link}?again=1")
    assert said == "gave a consent"
    assert await asked.state() == "completed"
    rows = await asked.hood.rows(
        "SELECT state, scoring, connector, valid_until FROM consents ORDER BY created_at, id"
    )
    name = request.node.callspec.params["asked"]
    assert [row[:3] for row in map(tuple, rows)][-1] == ("active", "stored", name)
    assert rows[-1][3] - asked.hood.now.date() <= timedelta(days=180)
    assert len([r for r in asked.hood.world.store.reads() if r[2] == "balances"]) == 1
