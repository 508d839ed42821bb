"""A provider whose answers come by calls alone: the token of a consent, the figures of a read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from app.domain.consent import Purpose
from app.flows.cases.open_cases import open_cases
from app.flows.consents.begin_bank_consent import begin_bank_consent
from app.flows.consents.choose_consent import choose_consent
from app.flows.consents.finish_bank_consent import Back, finish_bank_consent
from app.flows.consents.request_consent import request_consent
from app.flows.providers.receive_webhook import receive_webhook
from app.ports import InboundHttp
from app.store.embedded_setup import DatabaseUrls
from sandbox.bank_list import as_unnax_reference, as_unnax_toml
from sandbox.faces.unnax import EVENTS, Unnax
from sandbox.faces.unnax_wire import API_CODE, API_ID, ROOT
from sandbox.psu import consent_at
from tests.flows.test_bank_modes import HERE, hours_pass, moved_in
from tests.neighbourhood import PUBLIC, SANDBOX, Neighbourhood, neighbourhood

pytestmark = pytest.mark.anyio

BOTH = (Purpose.SCORING, Purpose.REPAYMENT_MONITORING)
KEY = "a-key-of-four-and-twenty-letters"
HOOK = f"{PUBLIC}/hooks/unnax?key={KEY}"


@pytest.fixture
async def hood(
    db: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Neighbourhood]:
    (tmp_path / "unnax.toml").write_text(as_unnax_toml(), encoding="utf-8")
    (tmp_path / "reference.toml").write_text(as_unnax_reference(), encoding="utf-8")
    monkeypatch.setenv("SALDO_AGGREGATION_CONNECTOR", "unnax")
    for name, value in {
        "BASE_URL": f"{SANDBOX}{ROOT}",
        "API_ID": API_ID,
        "API_CODE": API_CODE,
        "HOOK_KEY": KEY,
        "BANKS": str(tmp_path / "unnax.toml"),
        "REFERENCE": str(tmp_path / "reference.toml"),
        "READ_SECONDS": "1.5",
    }.items():
        monkeypatch.setenv(f"SALDO_UNNAX_{name}", value)
    async with neighbourhood(db, tmp_path) as built:
        for event in EVENTS:
            built.world.hooks.urls[f"unnax {event}"] = HOOK
        yield built


async def deliver(hood: Neighbourhood) -> None:
    """Unnax calls about whatever there is by now."""
    for made in Unnax(hood.world).calls():
        call = InboundHttp(made.url, made.headers, made.content)
        await receive_webhook(hood.house, hood.now, "unnax", call)


@asynccontextmanager
async def calling(hood: Neighbourhood) -> AsyncIterator[None]:
    """Unnax calls while somebody waits for it."""

    async def go_on() -> None:
        while True:
            await deliver(hood)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_consent_and_reads_by_calls(hood: Neighbourhood) -> None:
    person = await moved_in(hood)
    made = await request_consent(
        hood.house, hood.now, lender_id=hood.lender_id, borrower_ref="B-1", purposes=BOTH
    )
    token = made.link.rsplit("/", 1)[1]
    await choose_consent(
        hood.house, hood.now, token=token, granted=BOTH, wording_version="1", language="es"
    )
    link = await begin_bank_consent(
        hood.house, hood.now, token=token, bank_id=person.bank_id, presence=HERE
    )
    async with httpx.AsyncClient(transport=hood.outside) as browser:
        page = (await browser.get(link)).headers["location"]
    consent = consent_at(hood.world, f"{SANDBOX}{page}")
    hood.world.consents.approve(consent, person, [person.iban], hood.now)
    token_back = urlsplit(consent.redirect_url).path.rsplit("/", 1)[1]
    async with calling(hood):
        await deliver(hood)
        done = await finish_bank_consent(
            hood.house, hood.now, return_token=token_back, presence=HERE, returned={}
        )
        assert (done.back, done.scoring) == (Back.ACTIVE, "stored")
        await open_cases(hood.house, hood.now)
        await hours_pass(hood, 6)
    rows = await hood.rows("SELECT outcome FROM read_attempts")
    assert {row.outcome for row in rows} == {"read"}
    assert len(rows) >= 2
    # Nobody calls any more: the read is spent, and the consent stands.
    await hours_pass_in_silence(hood)
    assert await hood.value("SELECT state FROM consents") == "active"


async def hours_pass_in_silence(hood: Neighbourhood) -> None:
    before = await hood.value("SELECT count(*) FROM read_attempts")
    for _ in range(8):
        await hours_pass(hood, 1)
        rows = await hood.rows("SELECT outcome FROM read_attempts ORDER BY id")
        if len(rows) > before:
            assert rows[-1].outcome != "read"
            return
    pytest.fail("nothing was read in eight hours")
