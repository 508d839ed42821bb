"""The house goes through a provider of the sandbox, and a borrower to his bank and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from app.demo import providers
from app.domain.consent import Purpose
from app.flows.consents.begin_bank_consent import begin_bank_consent
from app.flows.consents.choose_consent import choose_consent
from app.flows.consents.finish_bank_consent import Back, finish_bank_consent
from app.flows.consents.request_consent import request_consent
from sandbox import psu
from sandbox.people import Person
from tests.flows.street import HERE
from tests.neighbourhood import SANDBOX, Neighbourhood


def go_through(name: str, folder: Path, environment: pytest.MonkeyPatch) -> None:
    """The house that is built next goes through this provider, as the demo does."""
    providers.write_files([name], SANDBOX, folder)
    for setting, value in providers.settings_of([name], SANDBOX, folder).items():
        environment.setenv(setting, value)


async def at_bank(hood: Neighbourhood, address: str) -> str:
    """The page of the bank that the vendor's own page sends the browser on to."""
    async with httpx.AsyncClient(transport=hood.outside, follow_redirects=False) as browser:
        for _ in range(3):
            if "/banks/" in address:
                return address
            page, _, told = address.partition("#")
            # What stands behind the # is handed over by a script of the vendor's page.
            form = dict(parse_qsl(told))
            answer = await (browser.post(page, data=form) if form else browser.get(page))
            address = f"{SANDBOX}{answer.headers['location'].removeprefix(SANDBOX)}"
    raise AssertionError(address)


async def agrees(
    hood: Neighbourhood, person: Person, ref: str, purposes: Sequence[Purpose]
) -> None:
    """All the way to his bank and back, until his consent is in force."""
    made = await request_consent(
        hood.house, hood.now, lender_id=hood.lender_id, borrower_ref=ref, purposes=purposes
    )
    token = made.link.rsplit("/", 1)[1]
    await choose_consent(
        hood.house, hood.now, token=token, granted=purposes, wording_version="1",
        language=person.language,
    )  # fmt: skip
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
