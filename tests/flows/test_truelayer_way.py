"""A consent whose grant lasts for an hour: exchanged by one at a time, kept before it is used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from app.demo import providers
from app.domain.consent import Purpose
from app.domain.errors import ConsentGone, TryLater
from app.domain.ids import LenderId, Secret
from app.flows.cases.open_cases import open_cases
from app.flows.consents.begin_bank_consent import begin_bank_consent
from app.flows.consents.choose_consent import choose_consent
from app.flows.consents.finish_bank_consent import Back, BankConsentFinished, finish_bank_consent
from app.flows.consents.fresh_grant import fresh_grant
from app.flows.consents.request_consent import request_consent
from app.flows.consents.withdraw_consent import withdraw_all
from app.ports import Grant
from app.store.consents import claim_renewal, load_consent, token_of
from app.store.embedded_setup import DatabaseUrls
from sandbox.faces.tl_connections import KIND, Connection, Connections
from sandbox.modes import Mode
from sandbox.people import Person
from tests.flows.test_bank_modes import HERE, hours_pass, moved_in
from tests.neighbourhood import SANDBOX, Neighbourhood, neighbourhood

pytestmark = pytest.mark.anyio

BOTH = (Purpose.SCORING, Purpose.REPAYMENT_MONITORING)


@pytest.fixture
async def hood(
    db: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Neighbourhood]:
    providers.write_files(["truelayer"], SANDBOX, tmp_path)
    for name, value in providers.settings_of(["truelayer"], SANDBOX, tmp_path).items():
        monkeypatch.setenv(name, value)
    async with neighbourhood(db, tmp_path) as built:
        yield built


async def agrees(hood: Neighbourhood, person: Person) -> BankConsentFinished:
    """The whole way through the vendor's link and his bank."""
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
    query = dict(parse_qsl(urlsplit(link).query))
    opened = Connections(hood.world).open_link(query)
    consent = hood.world.consents.get(opened.bank_id, opened.id)
    assert consent is not None
    hood.world.consents.approve(consent, person, [p.iban for p in person.accounts], hood.now)
    brought = dict(parse_qsl(urlsplit(consent.redirect_url).query))
    return await finish_bank_consent(
        hood.house, hood.now, return_token=brought.pop("state"), presence=HERE, returned=brought
    )


def connection(hood: Neighbourhood) -> Connection:
    (found,) = hood.world.store.all_of(KIND, Connection)
    return found


async def grant(hood: Neighbourhood) -> Grant:
    (row,) = await hood.rows("SELECT id FROM consents")
    async with hood.house.store.unit(hood.lender_id) as unit:
        consent = await load_consent(unit, row.id)
        token = token_of(unit, consent)
    assert token is not None
    return Grant(consent.bank_id, token)


async def fresh(hood: Neighbourhood, held: Grant, **how: Any) -> Grant:
    (row,) = await hood.rows("SELECT id FROM consents")
    return await fresh_grant(hood.house, LenderId(hood.lender_id), row.id, "truelayer", held, **how)


async def test_a_day_of_reads_with_a_grant_that_changes(hood: Neighbourhood) -> None:
    person = await moved_in(hood, second=True)
    done = await agrees(hood, person)
    assert (done.back, done.scoring) == (Back.ACTIVE, "stored")
    assert connection(hood).renewed == 0
    first = await grant(hood)
    await open_cases(hood.house, hood.now)
    await hours_pass(hood, 30)
    rows = await hood.rows("SELECT account_id, outcome, attended FROM read_attempts ORDER BY id")
    assert {row.outcome for row in rows} == {"read"}
    assert len({row.account_id for row in rows}) == 2
    assert len(rows) >= 8
    assert rows[0].attended
    assert await grant(hood) != first
    # One exchange for each moment of reading, and one for the daily look.
    assert 4 <= connection(hood).renewed <= len(rows)
    assert hood.world.ledger()["wrong"] == []
    assert await hood.value("SELECT state FROM consents") == "active"
    assert await hood.value("SELECT count(*) FROM consents WHERE renewing_since IS NOT NULL") == 0

    borrower_id = await hood.value("SELECT id FROM borrowers")
    await withdraw_all(
        hood.house, hood.now, lender_id=hood.lender_id, borrower_id=borrower_id, via="page"
    )
    await hours_pass(hood, 2)
    assert connection(hood).deleted
    assert await hood.value("SELECT count(*) FROM consents WHERE token_enc IS NOT NULL") == 0


async def test_one_exchanges_and_the_others_wait(hood: Neighbourhood) -> None:
    await agrees(hood, await moved_in(hood))
    old = await grant(hood)
    assert await fresh(hood, old) == old  # not due
    hood.advance(hours=2)

    async def attempt() -> Grant | TryLater:
        try:
            return await fresh(hood, old)
        except TryLater as later:
            return later

    came = await asyncio.gather(*(attempt() for _ in range(4)))
    new = await grant(hood)
    assert connection(hood).renewed == 1
    assert new != old
    assert new in came
    assert all(one == new or isinstance(one, TryLater) for one in came)
    # Whoever comes later with the old one is given the new one, and nothing is exchanged.
    assert await fresh(hood, old) == new
    assert connection(hood).renewed == 1
    # To know how the consent stands it is exchanged in any case.
    assert await fresh(hood, new, ask=True) != new
    assert connection(hood).renewed == 2


async def test_a_claim_of_a_process_that_died_counts_for_a_minute(hood: Neighbourhood) -> None:
    await agrees(hood, await moved_in(hood))
    held = await grant(hood)
    (row,) = await hood.rows("SELECT id FROM consents")
    hood.advance(hours=2)
    at = hood.house.real_now()
    async with hood.house.store.unit(hood.lender_id) as unit:
        assert await claim_renewal(unit, row.id, at - timedelta(seconds=50), at) is not None
    with pytest.raises(TryLater):
        await fresh(hood, held)
    assert connection(hood).renewed == 0
    async with hood.house.store.unit(hood.lender_id) as unit:
        await claim_renewal(unit, row.id, at - timedelta(seconds=70), at)
    assert await fresh(hood, held) != held


async def test_a_lost_exchange_is_told_apart_from_an_end(hood: Neighbourhood) -> None:
    person = await moved_in(hood)
    await agrees(hood, person)
    held = await grant(hood)
    hood.advance(hours=2)
    hood.world.set_mode(person.id, Mode.CONSENT_ANSWER_LOST)
    with pytest.raises(TryLater):
        await fresh(hood, held)
    assert connection(hood).renewed == 1
    assert await grant(hood) == held
    assert await hood.value("SELECT state FROM consents") == "active"
    # It was spent there all the same: the next exchange is refused by an explicit word.
    with pytest.raises(ConsentGone):
        await fresh(hood, held)


async def test_taken_back_at_the_bank_is_seen_by_the_daily_look(hood: Neighbourhood) -> None:
    person = await moved_in(hood)
    await agrees(hood, person)
    hood.world.revoke_all(person.id)
    await hours_pass(hood, 26)
    assert await hood.value("SELECT state FROM consents") == "revoked_at_bank"
    assert hood.world.ledger()["wrong"] == []


async def test_a_token_that_was_forgotten_is_not_brought_back(hood: Neighbourhood) -> None:
    await agrees(hood, await moved_in(hood))
    held = await grant(hood)
    hood.advance(hours=2)
    (row,) = await hood.rows("SELECT id FROM consents")
    await hood.rows("UPDATE consents SET token_enc = NULL RETURNING id")
    with pytest.raises(TryLater):
        await fresh(hood, held)
    async with hood.house.store.unit(hood.lender_id) as unit:
        assert token_of(unit, await load_consent(unit, row.id)) is None
    assert connection(hood).renewed == 0
    assert held.token != Secret("")
