"""Consent through a provider whose code travels with the borrower's browser, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.domain.consent import Purpose
from app.domain.ids import Phone
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.consents.finish_bank_consent import Back, BankConsentFinished, finish_bank_consent
from app.flows.consents.request_consent import request_consent
from app.ports import Presence
from app.settings import load_settings
from app.web import mount
from app.wiring import make_house
from connectors import _http
from sandbox import psu
from sandbox.bank_list import as_enable_banking_toml
from sandbox.faces.eb_wire import APP_ID, ROOT, customer_key
from sandbox.moods import ConsentMood, Mood
from tests.neighbourhood import PUBLIC, SANDBOX, Neighbourhood
from tests.rig import PACKS
from tests.web.test_consent import Asked, TwoSites

pytestmark = pytest.mark.anyio
HERE = Presence("203.0.113.7", "Mozilla/5.0 (test)")


@pytest.fixture
async def asked(
    hood: Neighbourhood, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Asked]:
    """Ana, asked for both purposes by a lender that reads through Enable Banking."""
    banks, key = tmp_path / "eb.toml", tmp_path / "application.pem"
    banks.write_text(as_enable_banking_toml(), encoding="utf-8")
    key.touch(0o600)
    key.write_bytes(customer_key())
    for name, value in (
        ("APP_ID", APP_ID),
        ("PRIVATE_KEY", str(key)),
        ("BANKS", str(banks)),
        ("BASE_URL", f"{SANDBOX}{ROOT}"),
    ):
        monkeypatch.setenv(f"SALDO_ENABLE_BANKING_{name}", value)
    settings = load_settings(
        public_url=PUBLIC, demo=True, data_dir=tmp_path, aggregation_connector="enable_banking"
    )
    async with _http.client(transport=hood.outside) as http:
        house = make_house(settings, hood.store, hood.clock, PACKS, http)
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


async def test_yes_brings_the_code_back_and_the_session_is_read(asked: Asked) -> None:
    said = await asked.visit(Mood(consent=ConsentMood.GRANTS_BOTH)).consent(asked.link)
    assert said == "gave a consent"
    assert await asked.state() == "completed"
    (row,) = await asked.hood.rows("SELECT state, scoring, connector FROM consents")
    assert tuple(row) == ("active", "stored", "enable_banking")
    reads = [read for read in asked.hood.world.store.reads() if read[2] == "balances"]
    assert [read[5] for read in reads] == [1]  # one, and he was there


async def test_no_at_the_bank_comes_back_as_a_no(asked: Asked) -> None:
    await asked.visit(Mood(consent=ConsentMood.REFUSES_AT_BANK)).consent(asked.link)
    assert await asked.hood.value("SELECT state FROM consents") == "rejected"
    await asked.visit(Mood(consent=ConsentMood.GRANTS_BOTH)).consent(f"{asked.link}?again=1")
    assert await asked.state() == "completed"


async def test_two_taps_at_once_open_one_session_and_end_nothing(asked: Asked) -> None:
    await asked.visit(Mood(consent=ConsentMood.ABANDONS)).consent(asked.link)
    world = asked.hood.world
    (consent,) = world.consents.all()
    page = f"{SANDBOX}/banks/{consent.bank_id}/online/consents/{consent.id}"
    back = psu.allow(world, page, asked.person)
    given = dict(part.split("=") for part in back.partition("?")[2].split("&"))

    async def tap() -> BankConsentFinished:
        return await finish_bank_consent(
            asked.hood.house,
            asked.hood.now,
            return_token=given["state"],
            presence=HERE,
            returned={"code": given["code"]},
        )

    both = await asyncio.gather(tap(), tap())
    assert Back.ENDED not in {one.back for one in both}
    assert (await tap()).back is Back.ACTIVE
    assert await asked.hood.value("SELECT state FROM consents") == "active"


async def test_an_unknown_state_is_an_unknown_link(asked: Asked) -> None:
    phone = asked.browser()
    answer = await phone.http.get("/c/back?state=nobody&code=1")
    assert answer.status_code == 404
