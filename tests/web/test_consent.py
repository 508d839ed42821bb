"""Consent through the pages and a real bank's pages: yes, no, half-way, and stopping again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from app.domain.consent import Purpose
from app.domain.ids import Phone
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.books.register_loan import LoanWanted, register_loan
from app.flows.consents.request_consent import request_consent
from app.store.loans import Scheduled
from app.web import mount
from app.web.wording import wording_in
from sandbox import psu
from sandbox.moods import ConsentMood, Mood, Reaction
from sandbox.people import Person
from sandbox.visits import Visit
from sandbox.walker import Walker
from tests.neighbourhood import PUBLIC, SANDBOX, Neighbourhood
from tests.web.conftest import Browser

pytestmark = pytest.mark.anyio


class TwoSites(httpx.AsyncBaseTransport):
    """Saldo's pages and the world's, each under its own address."""

    def __init__(self, pages: FastAPI, outside: httpx.ASGITransport) -> None:
        self._sites = {PUBLIC: httpx.ASGITransport(app=pages), SANDBOX: outside}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        site = f"{request.url.scheme}://{request.url.netloc.decode()}"
        return await self._sites[site].handle_async_request(request)


@dataclass(slots=True)
class Asked:
    """Somebody with a consent link, and everything his visit needs."""

    hood: Neighbourhood
    person: Person
    link: str
    transport: TwoSites

    def visit(self, mood: Mood) -> Visit:
        """A robot with this mood, in a browser of its own."""
        return Visit(Walker(self.transport), self.person, mood)

    def browser(self, *, language: str = "en") -> Browser:
        """A browser in the test's hand."""
        return Browser(
            httpx.AsyncClient(
                transport=self.transport, base_url=PUBLIC, headers={"accept-language": language}
            )
        )

    @property
    def path(self) -> str:
        return self.link.removeprefix(PUBLIC)

    async def choices(self) -> dict[str, bool]:
        """The latest choice for each purpose."""
        rows = await self.hood.rows(
            "SELECT purpose, granted FROM consent_choices ORDER BY chosen_at, id"
        )
        return {row.purpose: row.granted for row in rows}

    async def give_address(self) -> None:
        """From now on the lender's system knows an e-mail address of his."""
        wanted = _wanted(self.person, "ana@correo.example")
        await register_borrower(self.hood.house, self.hood.now, self.hood.lender_id, wanted)

    async def state(self) -> str:
        """The request's state."""
        return str(await self.hood.value("SELECT state FROM consent_requests"))


def _wanted(person: Person, email: str | None = None) -> BorrowerWanted:
    return BorrowerWanted(
        external_ref="B-1",
        name=person.name,
        phone=Phone.parse(person.phone),
        email=email,
        country="ES",
        language="es",
        birth_date=person.birth_date,
    )


@pytest.fixture
async def asked(hood: Neighbourhood) -> Asked:
    """Ana, asked for both purposes."""
    person = hood.world.add_person(opening_minor=500_000, phone="+34600111222")
    await register_borrower(hood.house, hood.now, hood.lender_id, _wanted(person))
    made = await request_consent(
        hood.house,
        hood.now,
        lender_id=hood.lender_id,
        borrower_ref="B-1",
        purposes=(Purpose.SCORING, Purpose.REPAYMENT_MONITORING),
        language="es",
        return_url="https://sol.example/thanks",
    )
    web = mount(FastAPI(), hood.house, hood.clock, hood.house.settings)
    return Asked(hood, person, made.link, TwoSites(web.pages, hood.outside))


async def test_the_page_says_everything_and_nothing_is_ticked(asked: Asked) -> None:
    phone = asked.browser()
    page = await phone.open(f"{asked.path}?lang=en")
    assert page.problems == []
    for words in (
        "Préstamos Sol",
        "The balance of your accounts, and nothing else",
        "at most four times in 24 hours",
        "Until 1 June 2026",
        "erased after 30 days",
        "At any time",
    ):
        assert words in page.text, words
    boxes = page.form("choose").boxes
    assert [(name, value) for name, value, _ in boxes] == [
        ("purpose", "scoring"),
        ("purpose", "repayment_monitoring"),
    ]
    assert not any(ticked for _, _, ticked in boxes)
    # Yes and no are buttons of the same form and the same look.
    assert page.form("choose").buttons == [("answer", "yes"), ("answer", "no")]


async def test_the_language_is_his_choice_then_the_lenders_word(asked: Asked) -> None:
    phone = asked.browser(language="pl")
    assert (await phone.open(asked.path)).lang == "es"
    assert (await phone.open(f"{asked.path}?lang=pl")).lang == "pl"
    assert (await phone.open(f"{asked.path}?lang=xx")).lang == "es"


async def test_yes_to_both_leads_through_the_bank_to_an_active_consent(asked: Asked) -> None:
    said = await asked.visit(Mood(consent=ConsentMood.GRANTS_BOTH)).consent(asked.link)
    assert said == "gave a consent"
    assert await asked.choices() == {"scoring": True, "repayment_monitoring": True}
    assert await asked.state() == "completed"
    assert await asked.hood.value("SELECT state FROM consents") == "active"
    kept = await asked.hood.rows("SELECT DISTINCT wording_version, language FROM consent_choices")
    assert [tuple(row) for row in kept] == [(wording_in("es").consent_version, "es")]
    assert await asked.hood.value("SELECT scoring FROM consents") == "stored"
    page = await asked.browser().open(f"{asked.path}?lang=en")
    assert "Thank you, that is all" in page.text
    assert "•••• " in page.text
    assert "https://sol.example/thanks" in page.links
    assert page.problems == []


async def test_no_is_one_tap_and_asks_no_bank(asked: Asked) -> None:
    phone = asked.browser()
    page = await phone.open(f"{asked.path}?lang=en")
    page = await phone.send(page, "choose", answer="no")
    assert "Nothing will be read" in page.text
    assert "changes nothing about your loan" in page.text
    assert await asked.choices() == {"scoring": False, "repayment_monitoring": False}
    assert await asked.state() == "completed"
    assert await asked.hood.value("SELECT count(*) FROM consents") == 0


async def test_yes_with_nothing_ticked_is_a_slip_and_no_answer(asked: Asked) -> None:
    phone = asked.browser()
    page = await phone.open(f"{asked.path}?lang=en")
    page = await phone.send(page, "choose", answer="yes")
    assert phone.status == 422
    assert "Nothing is ticked" in page.text
    assert await asked.choices() == {}


async def test_scoring_alone_reads_once_and_monitors_nothing(asked: Asked) -> None:
    said = await asked.visit(Mood(consent=ConsentMood.ONLY_SCORING)).consent(asked.link)
    assert said == "gave a consent"
    assert await asked.choices() == {"scoring": True, "repayment_monitoring": False}
    page = await asked.browser().open(f"{asked.path}?lang=en")
    assert "Your balance was read once" in page.text
    assert (
        await asked.hood.value("SELECT count(*) FROM accounts WHERE next_read_at IS NOT NULL") == 0
    )


async def test_a_purpose_that_was_not_asked_for_cannot_be_granted(asked: Asked) -> None:
    phone = asked.browser()
    page = await phone.open(f"{asked.path}?lang=en")
    form = {**page.form("choose").fields, "answer": "yes", "purpose": ["marketing", "scoring"]}
    await phone.http.post(page.form("choose").action, data=form)
    assert await asked.choices() == {"scoring": True, "repayment_monitoring": False}


async def test_no_at_the_bank_is_respected_and_may_be_taken_back(asked: Asked) -> None:
    said = await asked.visit(Mood(consent=ConsentMood.REFUSES_AT_BANK)).consent(asked.link)
    assert said == "refused the consent at the bank"
    assert await asked.hood.value("SELECT state FROM consents") == "rejected"
    assert await asked.state() == "rejected"
    page = await asked.browser().open(f"{asked.path}?lang=en")
    assert page.has("choose")
    said = await asked.visit(Mood(consent=ConsentMood.GRANTS_BOTH)).consent(asked.link)
    assert said == "gave a consent"


async def test_half_way_the_link_lets_him_start_over(asked: Asked) -> None:
    await asked.visit(Mood(consent=ConsentMood.ABANDONS)).consent(asked.link)
    page = await asked.browser().open(f"{asked.path}?lang=en")
    assert "You are half-way" in page.text
    assert page.has("bank")
    assert page.problems == []
    page = await asked.browser().open(f"{asked.path}?lang=en&again=1")
    assert page.has("choose")


async def test_coming_back_is_only_a_hint(asked: Asked) -> None:
    """The return address alone puts nothing into force; the bank's word does."""
    phone = asked.browser()
    page = await phone.open(f"{asked.path}?lang=en")
    form = {**page.form("choose").fields, "answer": "yes", "purpose": "repayment_monitoring"}
    await phone.http.post(page.form("choose").action, data=form)
    page = await phone.open(f"{asked.path}?lang=en")
    assert asked.person.bank_id in page.form("bank").options["bank_id"]
    page = await phone.send(page, "bank", bank_id="")
    assert "choose your bank" in page.text
    await phone.send(page, "bank", bank_id=asked.person.bank_id, follow=False)
    assert phone.answer is not None
    assert phone.answer.headers["location"].startswith(SANDBOX)
    back = await _return_address(asked)
    page = await phone.open(f"{back}?lang=en")
    assert "Welcome back" in page.text
    assert page.problems == []
    assert await asked.hood.value("SELECT state FROM consents") == "pending"
    page = await phone.send(page, "consent")
    assert "Waiting for your bank" in page.text
    assert await asked.hood.value("SELECT state FROM consents") == "pending"


async def test_the_look_for_scoring_waits_for_his_tap_when_we_asked_the_bank_first(
    asked: Asked,
) -> None:
    phone = asked.browser()
    page = await phone.open(f"{asked.path}?lang=en")
    both = ["scoring", "repayment_monitoring"]
    form = {**page.form("choose").fields, "answer": "yes", "purpose": both}
    await phone.http.post(page.form("choose").action, data=form)
    page = await phone.open(f"{asked.path}?lang=en")
    await phone.send(page, "bank", bank_id=asked.person.bank_id, follow=False)
    assert phone.answer is not None
    psu.allow(asked.hood.world, phone.answer.headers["location"], asked.person)
    await asked.hood.live(minutes=40)
    assert await asked.hood.value("SELECT scoring FROM consents WHERE state = 'active'") == "due"
    page = await phone.open(f"{await _return_address(asked)}?lang=en")
    assert "Welcome back" in page.text
    page = await phone.send(page, "consent")
    assert "Thank you, that is all" in page.text
    assert await asked.hood.value("SELECT scoring FROM consents") == "stored"


async def _return_address(asked: Asked) -> str:
    """Where the bank will send him, as the bank was told."""
    return str(asked.hood.world.consents.all()[-1].redirect_url).removeprefix(PUBLIC)


async def test_an_expired_link_gives_nothing_and_still_stops(asked: Asked) -> None:
    await asked.visit(Mood(consent=ConsentMood.GRANTS_BOTH)).consent(asked.link)
    asked.hood.advance(days=20)
    phone = asked.browser()
    page = await phone.open(f"{asked.path}/stop?lang=en")
    assert page.problems == []
    page = await phone.send(page, "stop-reading")
    assert "The reading has been stopped" in page.text
    assert await asked.hood.value("SELECT state FROM consents") == "withdrawn"
    assert await asked.hood.value("SELECT count(*) FROM readings WHERE figure_enc IS NOT NULL") == 0
    page = await phone.open(f"{asked.path}?lang=en")
    assert "This permission has ended" in page.text


async def test_a_link_that_was_never_answered_ends(asked: Asked) -> None:
    asked.hood.advance(days=20)
    phone = asked.browser()
    page = await phone.open(f"{asked.path}?lang=en")
    assert "This link has ended" in page.text
    assert not page.has("choose")
    page = await phone.open(f"{asked.path}/stop?lang=en")
    page = await phone.send(page, "stop")
    assert "The messages have been stopped" in page.text
    assert "e-mail" not in page.text.lower(), "he has no address"


async def test_each_of_the_three_is_stopped_apart(asked: Asked) -> None:
    await asked.visit(Mood(consent=ConsentMood.GRANTS_BOTH)).consent(asked.link)
    await asked.give_address()
    phone = asked.browser()
    page = await phone.open(f"{asked.path}/stop?lang=en")
    page = await phone.send(page, "stop-emails")
    assert "The e-mails have been stopped" in page.text
    assert page.has("stop")
    assert page.has("stop-reading")
    assert page.problems == []
    stopped = "SELECT string_agg(channel, ',' ORDER BY channel) FROM opt_outs"
    assert await asked.hood.value(stopped) == "email"
    page = await phone.send(page, "stop")
    assert "The messages have been stopped" in page.text
    assert await asked.hood.value(stopped) == "email,sms"
    assert await asked.hood.value("SELECT state FROM consents") == "active"


async def test_every_form_needs_its_token(asked: Asked) -> None:
    phone = asked.browser()
    for path in ("choose", "bank", "stop"):
        answer = await phone.http.post(f"{asked.path}/{path}", data={"csrf": "guessed"})
        assert answer.status_code == 403, path
    assert await asked.choices() == {}


@pytest.mark.long
async def test_from_the_consent_to_the_receipt_by_a_robot(asked: Asked) -> None:
    """The demo's people live on the marks in our forms; this is where they break first."""
    hood = asked.hood
    await asked.visit(Mood(consent=ConsentMood.GRANTS_BOTH)).consent(asked.link)
    await register_loan(
        hood.house,
        hood.now,
        hood.lender_id,
        LoanWanted(
            borrower_ref="B-1",
            external_ref="L-1",
            product="Loan",
            currency="EUR",
            as_of=hood.now,
            schedule=(Scheduled(1, (hood.now - timedelta(days=3)).date(), 2_000, 0),),
        ),
    )
    await hood.live(hours=10)
    texts = [sms for sms in hood.world.texts.all() if not sms.inbound]
    assert len(texts) == 1
    link = re.search(r"https?://\S+/p/\S+", texts[0].body)
    assert link is not None
    said = await asked.visit(Mood()).pay_link(link[0], Reaction.PAYS_SOON)
    assert said == "authorised a payment"
    await hood.live(step=timedelta(minutes=5), hours=2)
    assert await hood.value("SELECT state FROM payments") == "settled"
    # Banco Luz takes instant payments, so that is what was ordered.
    assert await hood.value("SELECT instant FROM payments") is True
    assert await hood.value("SELECT close_reason FROM cases") == "paid_through_saldo"


async def test_the_look_at_payments_is_a_choice_of_its_own_and_none_alone(asked: Asked) -> None:
    hood = asked.hood
    await hood.rows("UPDATE lenders SET reads_bills = true RETURNING 1")
    made = await request_consent(
        hood.house,
        hood.now,
        lender_id=hood.lender_id,
        borrower_ref="B-1",
        purposes=(Purpose.REPAYMENT_MONITORING, Purpose.BILLS),
        language="en",
    )
    browser = asked.browser()
    page = await browser.open(made.link.removeprefix(PUBLIC))
    said = browser.answer.text if browser.answer else ""
    assert "went out in the last 90 days" in said
    assert "and nothing else" not in said, "what is read is said as it is"
    assert "checked" not in said
    again = await browser.send(page, "choose", purpose="bills", answer="yes")
    assert "only counts together" in (browser.answer.text if browser.answer else "")
    assert await asked.choices() == {}
    await browser.send(again, "choose", purpose=["repayment_monitoring", "bills"], answer="yes")
    assert await asked.choices() == {"repayment_monitoring": True, "bills": True}
