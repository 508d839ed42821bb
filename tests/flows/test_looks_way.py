"""The look at transactions through each provider that shows them, over its real wire format."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from app.demo import providers
from app.flows.begin_bank_consent import begin_bank_consent
from app.flows.choose_consent import choose_consent
from app.flows.finish_bank_consent import Back, finish_bank_consent
from app.flows.open_cases import open_cases
from app.flows.request_consent import request_consent
from app.store.embedded_setup import DatabaseUrls
from sandbox import psu
from sandbox.people import Person
from tests.flows.street import HERE
from tests.flows.test_bills import PURPOSES, allow, read_all, settled, signal_of
from tests.flows.test_british_way import at_bank
from tests.neighbourhood import SANDBOX, Neighbourhood, neighbourhood

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["enable_banking", "gocardless", "plaid", "tink", "truelayer"])
async def hood(
    request: pytest.FixtureRequest,
    db: DatabaseUrls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Neighbourhood]:
    name = str(request.param)
    providers.write_files([name], SANDBOX, tmp_path)
    for setting, value in providers.settings_of([name], SANDBOX, tmp_path).items():
        monkeypatch.setenv(setting, value)
    async with neighbourhood(db, tmp_path) as built:
        yield built


async def agrees(hood: Neighbourhood, person: Person, ref: str) -> None:
    """All the way to his bank and back, with the look ticked."""
    made = await request_consent(
        hood.house, hood.now, lender_id=hood.lender_id, borrower_ref=ref, purposes=PURPOSES
    )
    token = made.link.rsplit("/", 1)[1]
    await choose_consent(
        hood.house, hood.now, token=token, granted=PURPOSES, wording_version="1", language="es"
    )
    link = await begin_bank_consent(
        hood.house, hood.now, token=token, bank_id=person.bank_id, presence=HERE
    )
    back = urlsplit(psu.allow(hood.world, await at_bank(hood, link), person))
    brought = dict(parse_qsl(back.query))
    returned = brought.pop("state", back.path.rsplit("/", 1)[1])
    done = await finish_bank_consent(
        hood.house, hood.now, return_token=returned, presence=HERE, returned=brought
    )
    assert done.back is Back.ACTIVE


async def test_rent_that_leaves_soon_is_not_asked_for(hood: Neighbourhood) -> None:
    await allow(hood, reads_bills=True, floor_minor=0, floor_currency="EUR", floor_reason="a test")
    person = await settled(hood, "known")
    await agrees(hood, person, "known")
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
