"""Loans in pounds by each aggregator that reads and pays in Britain, at a bank without IBANs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.domain.ids import Phone
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.books.register_loan import LoanWanted, register_loan
from app.flows.cases.open_cases import open_cases
from app.flows.consents.check_person import check_person
from app.flows.money.set_payee import set_payee
from app.flows.payments.start_payment import PayStep, Tap, start_payment
from app.store.embedded_setup import DatabaseUrls
from app.store.loans import Scheduled
from sandbox import psu
from sandbox.modes import BankMode
from sandbox.people import Person
from tests.flows.street import HERE
from tests.flows.test_bank_modes import MONITORING
from tests.flows.test_other_currencies import look_now
from tests.flows.through_providers import agrees, at_bank, go_through
from tests.neighbourhood import PUBLIC, Neighbourhood, neighbourhood

pytestmark = pytest.mark.anyio

DUE = 12_345
STEP = timedelta(hours=2)


@pytest.fixture(params=["plaid", "tink", "truelayer"])
async def hood(
    request: pytest.FixtureRequest,
    db: DatabaseUrls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Neighbourhood]:
    go_through(str(request.param), tmp_path, monkeypatch)
    lender: dict[str, Any] = {
        "jurisdiction": "GB",
        "time_zone": "Europe/London",
        "creditor_name": "Loans Ltd",
    }
    async with neighbourhood(db, tmp_path, **lender) as built:
        yield built


async def lent(hood: Neighbourhood, person: Person) -> None:
    wanted = BorrowerWanted(
        "B-1",
        person.name,
        "GB",
        "en",
        phone=Phone.parse(person.phone),
        email="amelia@post.example",
        birth_date=person.birth_date,
    )
    lender = (hood.house, hood.now, hood.lender_id)
    await register_borrower(*lender, wanted)
    plan = (Scheduled(1, hood.now.date(), DUE),)
    await register_loan(*lender, LoanWanted("B-1", "L-1", "Loan", "GBP", hood.now, plan))
    await set_payee(*lender, "GBP", actor="test", sort_code="20-00-00", account_number="55779911")


async def test_from_the_consent_to_the_ledger_without_an_iban(hood: Neighbourhood) -> None:
    person = hood.world.add_person("Amelia Carver", bank_id="wharf", opening_minor=1_000)
    await lent(hood, person)
    await agrees(hood, person, "B-1", MONITORING)
    await open_cases(hood.house, hood.now)
    (account,) = await hood.rows("SELECT id, iban_enc, iban_masked, currency, usable FROM accounts")
    assert (account.iban_enc, account.currency, account.usable) == (None, "GBP", True)
    assert account.iban_masked == f"••-••-{person.iban[12:14]} ••••{person.iban[-4:]}"
    await look_now(hood)
    assert hood.world.texts.all() == []
    hood.world.town.set_balance(person.iban, 900_000)
    await look_now(hood)
    (sms,) = hood.world.texts.all()
    token = sms.body.split(f"{PUBLIC}/p/")[1].split()[0]
    passed = await check_person(hood.house, hood.now, token, birth_date=person.birth_date)
    started = await start_payment(
        hood.house, hood.now, token, session=passed.session, tap=Tap(HERE, bank_id="wharf")
    )
    assert started.step is PayStep.TO_BANK
    psu.pay(hood.world, await at_bank(hood, started.redirect_url), person)
    await hood.live(hours=4, step=STEP)
    assert await hood.value("SELECT state FROM payments") == "settled"
    assert await hood.value("SELECT state FROM cases") == "closed"
    ledger = hood.world.ledger()
    assert ledger["wrong"] == []
    (paid,) = ledger["payments"]
    assert (paid["amount_minor"], paid["currency"]) == (DUE, "GBP")
    assert paid["creditor_iban"] == "20000055779911"
    assert hood.world.town.balance(person.iban) == 900_000 - DUE


async def test_renewed_with_an_iban_it_is_the_same_account(hood: Neighbourhood) -> None:
    person = hood.world.add_person("Amelia Carver", bank_id="wharf", opening_minor=1_000)
    await lent(hood, person)
    await agrees(hood, person, "B-1", MONITORING)
    await open_cases(hood.house, hood.now)
    await look_now(hood)
    (first,) = await hood.rows("SELECT id, last_read_at FROM accounts")
    assert first.last_read_at is not None
    hood.world.town.set_bank_mode("wharf", BankMode.IBANS_STATED)
    hood.advance(hours=1)
    await agrees(hood, person, "B-1", MONITORING)
    (second,) = await hood.rows("SELECT id, iban_enc, iban_masked FROM accounts")
    assert second.id == first.id
    assert second.iban_enc is not None
    assert second.iban_masked.startswith("••-••-")
    states = await hood.rows("SELECT state FROM consents ORDER BY created_at")
    assert [row.state for row in states] == ["superseded", "active"]
