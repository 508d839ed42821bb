"""Sent to the bank, and thought better of it; and what was said before is not forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import cast
from zoneinfo import ZoneInfo

import pytest

from app.boundary import guard
from app.domain.errors import TryLater
from app.pay_ports import CancelResult, PaymentPort, PayStatus
from app.reference.formats import clock_time
from tests.flows.outside import StayingBank
from tests.flows.street import Street
from tests.web.conftest import Browser, OpenBrowser
from tests.web.reading import Page
from tests.web.test_pay import proved, texted

pytestmark = pytest.mark.anyio


async def at_the_bank(street: Street, phone: Browser) -> tuple[str, Page]:
    """Somebody who tapped, is sent to his bank, and comes back to the link."""
    _who, address = await texted(street)
    await phone.send(await proved(phone, address), "pay", follow=False)
    return address, await phone.open(f"{address}?lang=en")


async def test_another_amount_is_chosen_after_the_bank_took_the_first_back(
    street: Street, browser: OpenBrowser
) -> None:
    phone = browser()
    address, page = await at_the_bank(street, phone)
    assert "Not confirmed at your bank yet" in page.text
    assert "€120.00" in page.text
    assert page.problems == []
    page = await phone.send(page, "another")
    assert "was taken back. You can choose again." in page.text
    assert page.problems == []
    assert street.bank.payments["P1"].status is PayStatus.CANCELLED
    await phone.send(page, "pay", amount="30", follow=False)
    assert [one.order.amount.plain() for one in street.bank.payments.values()] == [
        "120.00",
        "30.00",
    ]
    page = await phone.open(f"{address}?lang=es")
    assert "30,00" in page.text


async def test_a_bank_that_keeps_the_payment_leaves_one_payment(
    street: Street, browser: OpenBrowser
) -> None:
    phone = browser()
    _address, page = await at_the_bank(street, phone)
    street.bank.on_cancel = CancelResult.NEEDS_PAYER
    page = await phone.send(page, "another")
    assert "has not taken back the payment" in page.text
    assert page.has("another")
    await phone.send(page, "pay", follow=False)
    assert len(street.bank.payments) == 1


async def test_a_bank_that_does_not_answer_is_told_and_changes_nothing(
    street: Street, browser: OpenBrowser
) -> None:
    phone = browser()
    _address, page = await at_the_bank(street, phone)

    async def no_answer() -> None:
        raise TryLater("it does not answer", operation="cancel_payment")

    street.bank.before_cancel = no_answer
    page = await phone.send(page, "another")
    assert phone.status == 200
    assert "has not taken back the payment" in page.text
    assert await street.value("SELECT state FROM payments") == "open"


async def test_authorised_in_the_meantime_it_is_on_its_way(
    street: Street, browser: OpenBrowser
) -> None:
    phone = browser()
    _address, page = await at_the_bank(street, phone)
    street.bank.say_yes("https://bank.example/P1")
    await street.minutes_pass(1)
    page = await phone.send(page, "another")
    assert "on its way" in page.text
    assert not page.has("another")
    assert street.bank.payments["P1"].status is not PayStatus.CANCELLED


async def test_only_the_browser_that_answered_the_check_may_give_up(
    street: Street, browser: OpenBrowser
) -> None:
    address, _page = await at_the_bank(street, browser())
    stranger = browser(ip="203.0.113.9")
    page = await stranger.open(f"{address}?lang=en")
    form = page.form("check").fields
    answer = await stranger.http.post(f"{address}/another", data=form)
    assert answer.status_code == 303
    answer = await stranger.http.post(f"{address}/another", data={"csrf": "guessed"})
    assert answer.status_code == 403
    assert (await stranger.http.get(f"{address}/another")).status_code == 404
    assert await street.value("SELECT state FROM payments") == "open"


def an_hour_from(street: Street) -> str:
    return clock_time(street.now + timedelta(hours=1), ZoneInfo("Europe/Madrid"))


async def test_a_payment_that_nobody_can_take_back(street: Street, browser: OpenBrowser) -> None:
    bank = StayingBank()
    street.bank = bank
    cast(dict[str, PaymentPort], street.house.payments)["berlin_group"] = guard(bank, "")
    phone = browser()
    who, address = await texted(street)
    await phone.send(await proved(phone, address), "pay", follow=False)
    page = await phone.open(f"{address}?lang=en")
    assert f"From {an_hour_from(street)} you can choose another amount" in page.text
    assert not page.has("another")
    assert page.problems == []
    await phone.send(page, "pay", follow=False)
    assert len(bank.payments) == 1
    street.hands.now += timedelta(minutes=60)
    page = await phone.open(f"{address}?lang=en")
    assert "or you would pay twice" in page.text
    assert page.problems == []
    page = await phone.send(page, "another")
    assert "Do not confirm the payment that had begun any more" in page.text
    await phone.send(page, "pay", amount="30", follow=False)
    assert len(bank.payments) == 2
    free = an_hour_from(street)
    # Less is due now than this one would pay: nobody is sent to it, and no other can begin.
    await street.repaid(who, "cash", minor=10_000)
    page = await phone.open(f"{address}?lang=en")
    assert "Please do not confirm this payment any more" in page.text
    assert f"From {free} you can choose" in page.text
    assert not page.has("pay")
    assert not page.has("another")
    assert page.problems == []


@pytest.mark.parametrize(
    ("says", "title"),
    [
        ("wrong", "This is wrong"),
        ("cannot", "I cannot pay now"),
        ("paid", "I have already paid"),
    ],
)
async def test_what_was_said_stands_on_the_page_until_it_is_dealt_with(
    says: str, title: str, street: Street, browser: OpenBrowser
) -> None:
    who, address = await texted(street)
    phone = browser()
    await phone.send(await proved(phone, address), says)
    page = await phone.open(f"{address}?lang=en")
    assert f"You told us: “{title}”" in page.text
    assert not page.has(says)
    assert page.has("pay")
    assert page.problems == []
    # A stranger with the same link reads nothing of it.
    other = await browser(ip="203.0.113.8").open(f"{address}?lang=en")
    assert "You told us" not in other.text
    await street.rows(
        "UPDATE tasks SET state = 'done', ended_at = :now WHERE borrower_id = :id RETURNING 1",
        now=street.now,
        id=who.id,
    )
    page = await phone.open(f"{address}?lang=en")
    assert "You told us" not in page.text
    assert page.has(says)
