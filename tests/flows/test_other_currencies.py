"""Pounds and zloty from the signal to the ledger, and loans that nobody can pay through Saldo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.demo import providers
from app.domain.errors import NotAllowed
from app.domain.ids import Phone
from app.domain.payee import AccountForm, Carried
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.books.register_loan import LoanWanted, register_loan
from app.flows.cases.open_cases import open_cases
from app.flows.consents.begin_bank_consent import begin_bank_consent
from app.flows.consents.check_person import check_person
from app.flows.consents.choose_consent import choose_consent
from app.flows.consents.finish_bank_consent import Back, finish_bank_consent
from app.flows.consents.request_consent import request_consent
from app.flows.messages.open_link import LinkPage, open_link
from app.flows.money.set_payee import set_payee
from app.flows.payments.start_payment import PayStep, Tap, start_payment
from app.store.embedded_setup import DatabaseUrls
from app.store.loans import Scheduled
from sandbox import psu
from sandbox.people import Person
from tests.flows.at_the_page import at_the_page
from tests.flows.street import BORN, HERE, Neighbour, Street
from tests.flows.test_bank_modes import MONITORING
from tests.neighbourhood import PUBLIC, SANDBOX, Neighbourhood, neighbourhood

pytestmark = pytest.mark.anyio

POLISH = "61 1090 1014 0000 0712 1981 2874"
DUE = 12_345
STEP = timedelta(hours=2)


@pytest.fixture(params=["wharf", "odra"])
async def bank_id(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def hood(
    db: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bank_id: str
) -> AsyncIterator[Neighbourhood]:
    """The British bank is read by its own interface and paid from through Tink; the Polish one
    does both by itself.
    """
    if bank_id == "wharf":
        providers.write_files(["tink"], SANDBOX, tmp_path)
        for name, value in providers.settings_of(["tink"], SANDBOX, tmp_path).items():
            if name != "SALDO_AGGREGATION_CONNECTOR":
                monkeypatch.setenv(name, value)
    lender: dict[str, Any] = {
        "wharf": {"jurisdiction": "GB", "time_zone": "Europe/London"},
        "odra": {"jurisdiction": "PL", "time_zone": "Europe/Warsaw"},
    }[bank_id]
    async with neighbourhood(db, tmp_path, creditor_name="Loans Ltd", **lender) as built:
        yield built


async def lent(hood: Neighbourhood, person: Person, currency: str) -> None:
    """A borrower with an overdue loan in this currency, whose account may be read."""
    country = {"GBP": "GB", "PLN": "PL"}[currency]
    await register_borrower(
        hood.house,
        hood.now,
        hood.lender_id,
        BorrowerWanted(
            "B-1",
            person.name,
            country,
            "en",
            phone=Phone.parse(person.phone),
            birth_date=person.birth_date,
        ),
    )
    await register_loan(
        hood.house,
        hood.now,
        hood.lender_id,
        LoanWanted("B-1", "L-1", "Loan", currency, hood.now, (Scheduled(1, hood.now.date(), DUE),)),
    )
    made = await request_consent(
        hood.house, hood.now, lender_id=hood.lender_id, borrower_ref="B-1", purposes=MONITORING
    )
    token = made.link.rsplit("/", 1)[1]
    await choose_consent(
        hood.house, hood.now, token=token, granted=MONITORING, wording_version="1", language="en"
    )
    page = await begin_bank_consent(
        hood.house, hood.now, token=token, bank_id=person.bank_id, presence=HERE
    )
    back = psu.allow(hood.world, page, person)
    returned = back.rsplit("/", 1)[1].partition("?")[0]
    done = await finish_bank_consent(hood.house, hood.now, return_token=returned, presence=HERE)
    assert done.back is Back.ACTIVE
    await open_cases(hood.house, hood.now)


async def accounts_are_said(hood: Neighbourhood) -> None:
    lender = (hood.house, hood.now, hood.lender_id)
    british: dict[str, Any] = {"sort_code": "20-00-00", "account_number": "55779911"}
    await set_payee(*lender, "GBP", actor="test", **british)
    await set_payee(*lender, "PLN", actor="test", iban=POLISH)


async def test_from_the_signal_to_the_ledger(hood: Neighbourhood, bank_id: str) -> None:
    currency, account = {
        "wharf": ("GBP", "20000055779911"),
        "odra": ("PLN", "PL" + POLISH.replace(" ", "")),
    }[bank_id]
    person = hood.world.add_person("Amelia Carver", bank_id=bank_id, opening_minor=1_000)
    await accounts_are_said(hood)
    await lent(hood, person, currency)
    await look_now(hood)
    assert hood.world.texts.all() == []
    hood.world.town.set_balance(person.iban, 900_000)
    await look_now(hood)
    (sms,) = hood.world.texts.all()
    token = sms.body.split(f"{PUBLIC}/p/")[1].split()[0]
    passed = await check_person(hood.house, hood.now, token, birth_date=person.birth_date)
    view = await open_link(hood.house, hood.now, token, session=passed.session)
    assert [str(total.currency) for total in view.totals] == [currency]
    assert [bank.id for bank in view.banks[currency]] == [bank_id]
    tap = Tap(HERE, bank_id=bank_id)
    started = await start_payment(hood.house, hood.now, token, session=passed.session, tap=tap)
    assert started.step is PayStep.TO_BANK
    page = started.redirect_url
    if bank_id == "wharf":
        assert await hood.value("SELECT length(end_to_end_ref) FROM payments") == 18
        page = f"{SANDBOX}{await visited(hood, page)}"
    psu.pay(hood.world, page, person)
    await hood.live(hours=4, step=STEP)
    assert await hood.value("SELECT state FROM payments") == "settled"
    assert await hood.value("SELECT state FROM cases") == "closed"
    assert await hood.value("SELECT sum(amount_minor - paid_minor)::bigint FROM instalments") == 0
    ledger = hood.world.ledger()
    assert ledger["wrong"] == []
    (paid,) = ledger["payments"]
    assert (paid["amount_minor"], paid["currency"]) == (DUE, currency)
    assert paid["creditor_iban"] == account
    assert hood.world.town.balance(person.iban) == 900_000 - DUE
    (booked,) = await hood.rows("SELECT amount_minor, currency FROM repayments")
    assert tuple(booked) == (DUE, currency)


async def look_now(hood: Neighbourhood) -> None:
    """An hour later the account is read, whatever its plan says."""
    hood.advance(hours=1)
    await hood.rows("UPDATE accounts SET next_read_at = :now RETURNING 1", now=hood.now)
    await hood.settle()


async def visited(hood: Neighbourhood, address: str) -> str:
    """Where Tink's page sends the payer on to."""
    async with httpx.AsyncClient(transport=hood.outside) as browser:
        return str((await browser.get(address)).headers["location"])


# ---------------------------------------------------------------- what cannot be paid


async def lent_in(street: Street, currency: str) -> Neighbour:
    who = await street.neighbour()
    put = "UPDATE loans SET currency = :currency WHERE borrower_id = :id RETURNING 1"
    await street.rows(put, currency=currency, id=who.id)
    return who


async def because(street: Street) -> list[str]:
    return [
        row.because
        for row in await street.rows(
            "SELECT situation->>'because' AS because FROM tasks ORDER BY created_at, id"
        )
    ]


async def test_nobody_is_texted_about_what_cannot_be_paid(street: Street) -> None:
    """Readings and signals go on; a person is told in words why the rest is his."""
    who = await lent_in(street, "GBP")
    await street.money_seen(who)
    await street.tick()
    assert street.carrier.taken == []
    assert await street.tasks(who) == ["collector_acts"]
    assert await because(street) == ["No account is set that GBP could be paid to."]
    assert await street.value("SELECT count(*) FROM funds_signals") == 1

    british: dict[str, Any] = {"sort_code": "200000", "account_number": "55779911"}
    lender = (street.house, street.now, street.lender_id)
    await set_payee(*lender, "GBP", actor="test", **british)
    other = await lent_in(street, "GBP")
    await street.money_seen(other)
    await street.tick()
    assert (await because(street))[-1] == "The payment provider makes no payments in GBP."

    street.bank.pays = (Carried("GBP"),)
    third = await lent_in(street, "GBP")
    await street.money_seen(third)
    await street.tick()
    assert (await because(street))[-1].endswith("wants the account for GBP named in another way.")
    assert street.carrier.taken == []

    # The day the provider moves it, the next signal is a text.
    street.bank.pays = (Carried("GBP", AccountForm.SORT_CODE),)
    last = await lent_in(street, "GBP")
    await street.money_seen(last)
    await street.tick()
    assert street.texts_to(last) == 1
    assert len(await because(street)) == 3


async def test_a_link_that_was_sent_before_leads_to_a_page_that_says_so(street: Street) -> None:
    """The provider of that day is another one by now."""
    ana = await at_the_page(street)
    street.bank.pays = ()
    view = await open_link(street.house, street.now, ana.token, session=ana.session)
    assert view.page is LinkPage.PAY
    assert view.banks == {"EUR": ()}
    with pytest.raises(NotAllowed) as caught:
        await ana.taps(bank_id="caja")
    assert caught.value.code == "NoAccount"
    assert await ana.payments() == []


async def test_a_text_that_waits_does_not_leave_for_a_page_without_a_way_to_pay(
    street: Street,
) -> None:
    who = await street.neighbour()
    await street.money_seen(who)
    await street.work()
    assert await street.states("messages", who) == ["queued"]
    street.bank.pays = ()
    await street.tick()
    assert street.carrier.taken == []
    (message,) = await street.rows("SELECT state, cancel_reason FROM messages")
    assert tuple(message) == ("cancelled", "unpayable")
    assert await street.tasks(who) == ["collector_acts"]
    assert await because(street) == ["The payment provider makes no payments in EUR."]


async def test_of_two_currencies_the_one_that_can_be_paid_is(street: Street) -> None:
    ana = await at_the_page(street, dues=(12_000, 5_000))
    first: dict[str, Any] = {"id": ana.who.loans[0]}
    await street.rows("UPDATE loans SET currency = 'PLN' WHERE id = :id RETURNING 1", **first)
    started = await ana.taps(bank_id="caja")
    assert started.step is PayStep.TO_BANK
    (payment,) = await street.rows("SELECT amount_minor, currency FROM payments")
    assert tuple(payment) == (5_000, "EUR")


async def test_what_is_said_twice_counts_as_it_was_said_last(street: Street) -> None:
    lender = (street.house, street.now, street.lender_id)
    await set_payee(*lender, "GBP", actor="test", sort_code="200000", account_number="11111111")
    await set_payee(*lender, "GBP", actor="test", sort_code="200000", account_number="55779911")
    await set_payee(*lender, "EUR", actor="test", iban="ES9121000418450200051332")
    street.bank.pays = (Carried("GBP", AccountForm.SORT_CODE), Carried("EUR"))
    who = await lent_in(street, "GBP")
    await street.money_seen(who)
    await street.tick()
    token = street.token_on(who)
    passed = await check_person(street.house, street.now, token, birth_date=BORN)
    await start_payment(
        street.house, street.now, token, session=passed.session, tap=Tap(HERE, bank_id="caja")
    )
    (ordered,) = street.bank.payments.values()
    assert ordered.order.creditor_account.reveal() == "20000055779911"
    audit = await street.rows("SELECT act, after::text AS after FROM audit ORDER BY at, id")
    said = [row.after for row in audit if row.act == "set_payee"]
    assert len(said) == 3
    assert not any("5577" in one for one in said)
    ours = "SELECT count(*) FROM payees"
    assert await street.value(ours) == 1
