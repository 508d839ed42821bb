"""Click & Pay through the pages: who is there, what is due, the bank, and every way to say no."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest

from app.domain.money import Money
from app.flows.money.report_repayment import RepaymentWanted, report_repayment
from app.pay_ports import PayStatus
from app.web.pages.pay import read_day
from tests.flows.street import BORN, LAST4, Neighbour, Street
from tests.flows.test_reminding import coming, look, someone
from tests.web.conftest import Browser, OpenBrowser
from tests.web.reading import Page

pytestmark = pytest.mark.anyio

# What a page must not say before the person has proved who he is.
_TELLS = ("Núñez", "120", "€", "EUR", "loan", "Loan", "due", "pendiente", "owe", "debt", "deuda")


async def texted(street: Street) -> tuple[Neighbour, str]:
    """Somebody with a text on his phone, and the address in it."""
    who = await street.neighbour()
    await street.money_seen(who)
    await street.tick()
    assert street.texts_to(who) == 1
    return who, f"/p/{street.token_on(who)}"


async def proved(phone: Browser, address: str) -> Page:
    """Open the link in English and answer the check."""
    page = await phone.open(f"{address}?lang=en")
    return await phone.send(page, "check", birth_date=BORN.isoformat())


async def test_before_the_check_the_page_proves_who_asks_and_tells_nothing(
    street: Street, browser: OpenBrowser
) -> None:
    _who, address = await texted(street)
    phone = browser()
    for language in ("en", "es", "pl"):
        page = await phone.open(f"{address}?lang={language}")
        assert page.problems == []
        assert page.lang == language
        assert "Préstamos Sol" in page.text
        assert "+34 910 00 00 00" in page.text
        assert re.search(r"\b[0-9A-F]{3}-[0-9A-F]{3}\b", page.text)
        assert not [word for word in _TELLS if word in page.text]


async def test_behind_a_reminder_stands_what_falls_due_and_no_form(
    street: Street, browser: OpenBrowser
) -> None:
    who = await someone(street)
    await coming(street, who, 3, 33)
    await look(street)
    await street.tick()
    address, phone = f"/p/{street.token_on(who)}", browser()
    before = await phone.open(f"{address}?lang=en")
    assert not [word for word in (*_TELLS, "Coming up") if word in before.text]
    for language, words in (("en", "Coming up"), ("es", "Próximo pago"), ("pl", "płatność")):
        page = await phone.open(f"{address}?lang={language}")
        if page.has("check"):
            page = await phone.send(page, "check", birth_date=BORN.isoformat())
        assert words in page.text
        assert page.problems == []
        assert not page.has("pay")
    page = await phone.open(f"{address}?lang=en")
    day = street.now.date() + timedelta(days=3)
    assert f"due on {day.day} {day:%B %Y}" in page.text
    assert page.text.count("€50.00") == 1, "the next one alone"
    assert "+34 910 00 00 00" in page.text
    await report_repayment(
        street.house, street.now, street.lender_id, "next",
        RepaymentWanted("all", Money(10_000, "EUR"), street.now),
    )  # fmt: skip
    page = await phone.open(f"{address}?lang=en")
    assert "Nothing is due" in page.text


async def test_looking_changes_nothing(street: Street, browser: OpenBrowser) -> None:
    who, address = await texted(street)

    async def book() -> list[object]:
        tables = ("payment_links", "link_sessions", "payments", "tasks", "timeline", "messages")
        return [await street.value(f"SELECT count(*) FROM {name}") for name in tables]

    before = await book()
    phone = browser()
    for path in (address, f"{address}/stop", f"{address}?said=wrong", f"{address}?note=failed"):
        assert (await phone.http.get(path)).status_code == 200
        glance = await phone.http.head(path)
        assert (glance.status_code, glance.content) == (200, b"")
    for path in ("check", "pay", "wrong", "cannot", "paid"):
        assert (await phone.http.get(f"{address}/{path}")).status_code == 404
    assert await book() == before
    assert await street.value("SELECT state FROM payment_links") == "live"
    assert await street.states("tasks", who) == []


async def test_a_wrong_answer_reveals_nothing_and_five_lock(
    street: Street, browser: OpenBrowser
) -> None:
    who, address = await texted(street)
    phone = browser()
    page = await phone.open(f"{address}?lang=en")
    for turn in range(5):
        page = await phone.send(page, "check", birth_date="1951-01-01")
        if turn < 4:
            assert phone.status == 422
            assert "does not match" in page.text
            assert not [word for word in _TELLS if word in page.text]
    assert "closed for your safety" in page.text
    assert not page.has("check")
    # The right answer does not open it any more, here or in another browser.
    other = browser(ip="203.0.113.77")
    page = await other.open(f"{address}?lang=en")
    assert "closed for your safety" in page.text
    assert await street.tasks(who) == ["identity_check_failed"]
    # The way to stop is open to everybody.
    assert (await other.open(f"{address}/stop?lang=en")).has("stop")


async def test_birth_date_or_document_opens_it(street: Street, browser: OpenBrowser) -> None:
    _who, address = await texted(street)
    answers: tuple[dict[str, Any], ...] = (
        {"birth_date": BORN.isoformat()},
        {"birth_date": f"{BORN.day}/{BORN.month}/{BORN.year}"},
        {"document_last4": f" {LAST4.lower()} "},
    )
    for number, answer in enumerate(answers):
        phone = browser(ip=f"203.0.113.{number}")
        page = await phone.open(f"{address}?lang=en")
        page = await phone.send(page, "check", **answer)
        assert "What is due" in page.text
        assert "€120.00" in page.text
        assert page.problems == []
    phone = browser()
    page = await phone.open(f"{address}?lang=en")
    page = await phone.send(page, "check", birth_date="31/02/1985")
    assert "could not be read" in page.text
    page = await phone.send(page, "check", birth_date="")
    assert "fill in one of the fields" in page.text
    assert await street.value("SELECT checks_failed FROM borrowers") == 0


async def test_the_pass_is_good_for_this_browser_this_link_and_half_an_hour(
    street: Street, browser: OpenBrowser
) -> None:
    _who, address = await texted(street)
    phone = browser()
    assert "What is due" in (await proved(phone, address)).text
    assert (await browser().open(f"{address}?lang=en")).has("check")
    street.hands.real += timedelta(minutes=31)
    page = await phone.open(f"{address}?lang=en")
    assert page.has("check")


async def test_pay_all_at_the_own_bank_until_the_receipt(
    street: Street, browser: OpenBrowser
) -> None:
    who, address = await texted(street)
    phone = browser(ip="198.51.100.23", **{"user-agent": "Phone/1.0"})
    page = await proved(phone, address)
    assert page.form("pay").fields["amount"] == "120.00"
    assert page.form("pay").fields["bank_id"] == "caja"
    await phone.send(page, "pay", follow=False)
    assert phone.status == 303
    assert phone.answer is not None
    at_bank = phone.answer.headers["location"]
    assert at_bank.startswith("https://bank.example/")
    order = next(iter(street.bank.payments.values())).order
    assert order.presence.ip == "198.51.100.23"
    assert order.presence.user_agent == "Phone/1.0"
    assert order.amount.plain() == "120.00"

    # A second tap, also in another browser, leads to the same page of the bank.
    page = await phone.open(f"{address}?lang=en")
    await phone.send(page, "pay", follow=False)
    assert phone.answer.headers["location"] == at_bank
    assert len(street.bank.payments) == 1

    back = order.return_url.removeprefix("https://pay.sol.example")
    page = await phone.open(f"{back}?lang=en")
    assert "We are checking" in page.text
    assert page.problems == []
    assert street.bank.say_yes(at_bank)
    await street.minutes_pass(1)
    page = await phone.open(f"{back}?lang=en")
    assert "on its way" in page.text
    street.bank.turn(PayStatus.SETTLED)
    await street.minutes_pass(1, 1, 2, 5)
    page = await phone.open(f"{back}?lang=en")
    for word in ("Paid. Thank you!", "€120.00", "Préstamos Sol SL", "Nothing is due any more"):
        assert word in page.text
    assert page.problems == []
    page = await phone.open(f"{address}?lang=es")
    assert "Pagado" in page.text
    assert await street.due(who) == 0


async def test_the_page_after_the_bank_shows_no_amount_to_strangers(
    street: Street, browser: OpenBrowser
) -> None:
    _who, address = await texted(street)
    phone = browser()
    await phone.send(await proved(phone, address), "pay", follow=False)
    order = next(iter(street.bank.payments.values())).order
    back = order.return_url.removeprefix("https://pay.sol.example")
    page = await browser().open(f"{back}?lang=en")
    assert "We are checking" in page.text
    assert "120" not in page.text
    assert address not in page.links
    # Where the provider names nobody, the browser that left is led on, and nobody else is.
    assert (await phone.http.get("/p/back?payment_id=x")).headers["location"] == back
    stranger = await browser().http.get("/p/back?payment_id=x")
    assert stranger.status_code == 404


@pytest.mark.parametrize("wanted", [True, False])
async def test_who_pays_is_told_only_where_no_order_is_taken_without(
    street: Street, browser: OpenBrowser, wanted: bool
) -> None:
    street.bank.needs_name = wanted
    who, address = await texted(street)
    phone = browser()
    await phone.send(await proved(phone, address), "pay", follow=False)
    order = next(iter(street.bank.payments.values())).order
    told = (order.payer_name != "", order.payer_phone is not None)
    assert told == (wanted, wanted)
    if wanted:
        assert order.payer_phone is not None
        assert order.payer_phone.reveal() == who.phone
        assert who.phone not in repr(order)
        assert order.payer_name not in repr(order)


async def test_pay_a_part_and_refuse_what_cannot_be(street: Street, browser: OpenBrowser) -> None:
    _who, address = await texted(street)
    phone = browser()
    page = await proved(phone, address)
    for typed, words in (
        ("120.01", "more than is due"),
        ("0", "above zero"),
        ("1.234", "could not be read"),
        ("-5", "could not be read"),
        ("many", "could not be read"),
    ):
        page = await phone.send(page, "pay", amount=typed)
        assert phone.status == 422, typed
        assert words in page.text, typed
        assert page.problems == []
    page = await phone.send(page, "pay", bank_id="nowhere")
    assert "choose the bank" in page.text
    await phone.send(page, "pay", amount="50,5", follow=False)
    assert next(iter(street.bank.payments.values())).order.amount.plain() == "50.50"


async def test_a_refusal_at_the_bank_is_told_and_the_link_works_again(
    street: Street, browser: OpenBrowser
) -> None:
    _who, address = await texted(street)
    phone = browser()
    await phone.send(await proved(phone, address), "pay", follow=False)
    order = next(iter(street.bank.payments.values())).order
    street.bank.turn(PayStatus.REJECTED)
    await street.minutes_pass(1)
    back = order.return_url.removeprefix("https://pay.sol.example")
    page = await phone.open(f"{back}?lang=en")
    assert "did not go through" in page.text
    page = await phone.open(f"{address}?lang=en")
    assert page.has("pay")
    assert "did not go through" not in page.title
    await phone.send(page, "pay", follow=False)
    assert len(street.bank.payments) == 2


async def test_without_the_pass_nothing_is_paid(street: Street, browser: OpenBrowser) -> None:
    _who, address = await texted(street)
    phone = browser()
    page = await phone.open(f"{address}?lang=en")
    form = page.form("check").fields
    answer = await phone.http.post(f"{address}/pay", data={**form, "amount": "120.00"})
    assert answer.status_code == 303
    for say in ("cannot", "paid"):
        answer = await phone.http.post(f"{address}/{say}", data=form)
        assert answer.status_code == 303
    assert street.bank.payments == {}
    assert await street.value("SELECT count(*) FROM holds") == 0
    assert await street.value("SELECT count(*) FROM tasks") == 0


async def test_every_form_behind_a_link_needs_its_token(
    street: Street, browser: OpenBrowser
) -> None:
    _who, address = await texted(street)
    phone = browser()
    await proved(phone, address)
    for path in ("check", "pay", "wrong", "cannot", "paid", "stop"):
        answer = await phone.http.post(f"{address}/{path}", data={"csrf": "guessed"})
        assert answer.status_code == 403, path
    assert await street.value("SELECT count(*) FROM holds") == 0
    assert await street.value("SELECT count(*) FROM opt_outs") == 0


@pytest.mark.parametrize(
    ("says", "words", "reason", "hold"),
    [
        ("wrong", "A person at Préstamos Sol will look", "borrower_disputes", "dispute"),
        ("cannot", "will get in touch", "borrower_cannot_pay", "hardship"),
        ("paid", "We look up your payment", "borrower_says_paid", None),
    ],
)
async def test_what_he_says_takes_the_pressure_off(
    says: str, words: str, reason: str, hold: str | None, street: Street, browser: OpenBrowser
) -> None:
    who, address = await texted(street)
    phone = browser()
    page = await proved(phone, address)
    page = await phone.send(page, says)
    assert words in page.text
    assert page.problems == []
    assert not page.has(says)
    assert await street.tasks(who) == [reason]
    assert await street.value("SELECT kind FROM holds") == hold


async def test_cannot_takes_a_day(street: Street, browser: OpenBrowser) -> None:
    _who, address = await texted(street)
    phone = browser()
    page = await proved(phone, address)
    far = street.now.date() + timedelta(days=200)
    page = await phone.send(page, "cannot", until=far.isoformat())
    assert phone.status == 422
    assert "at most 60 days" in page.text
    day = street.now.date() + timedelta(days=9)
    await phone.send(page, "cannot", until=day.isoformat())
    ends_at = await street.value("SELECT ends_at FROM holds")
    assert ends_at.date() == day


async def test_not_for_me_works_without_the_check(street: Street, browser: OpenBrowser) -> None:
    who, address = await texted(street)
    phone = browser()
    page = await phone.open(f"{address}?lang=en")
    page = await phone.send(page, "wrong")
    assert "Thank you for telling us" in page.text
    assert not [word for word in _TELLS if word in page.text]
    assert await street.tasks(who) == ["borrower_disputes"]


async def test_stopping_works_from_any_link_over_or_not(
    street: Street, browser: OpenBrowser
) -> None:
    who, address = await texted(street)
    street.hands.go_on(days=3)
    await street.tick()
    assert await street.value("SELECT state FROM payment_links") == "expired"
    phone = browser()
    page = await phone.open(f"{address}?lang=en")
    assert "This link has ended" in page.text
    page = await phone.open(f"{address}/stop?lang=en")
    assert page.problems == []
    page = await phone.send(page, "stop")
    assert "The messages have been stopped" in page.text
    assert not page.has("stop")
    page = await phone.send(page, "stop-reading")
    assert "The reading has been stopped" in page.text
    assert await street.value("SELECT stopped_at IS NOT NULL FROM opt_outs") is True
    assert await street.states("consents", who) == ["withdrawn"]


async def test_guessing_links_is_slowed_down(street: Street, browser: OpenBrowser) -> None:
    _who, address = await texted(street)
    guesser = browser(ip="192.0.2.200")
    statuses = [
        (await guesser.http.get(f"/p/{'A' * 18}{turn:04d}")).status_code for turn in range(25)
    ]
    assert statuses[0] == 404
    assert statuses[-1] == 429
    assert (await guesser.http.get(address)).status_code == 429
    assert (await browser().http.get(address)).status_code == 200


async def test_a_paused_lender_is_told_in_plain_words(street: Street, browser: OpenBrowser) -> None:
    _who, address = await texted(street)
    phone = browser()
    page = await proved(phone, address)
    await street.rows(
        "INSERT INTO stop_switches (lender_id, channel, halted, set_by, set_at) "
        "VALUES (:lender, 'payment', true, 'test', :now) RETURNING 1",
        lender=street.lender_id,
        now=street.now,
    )
    page = await phone.send(page, "pay")
    assert "paused at the moment" in page.text
    assert street.bank.payments == {}


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("1985-01-31", date(1985, 1, 31)),
        ("31/01/1985", date(1985, 1, 31)),
        ("31.1.1985", date(1985, 1, 31)),
        (" 31-01-1985 ", date(1985, 1, 31)),
        ("1985-02-30", None),
        ("31/13/1985", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_days_as_people_write_them(typed: str, day: date | None) -> None:
    assert read_day(typed) == day
