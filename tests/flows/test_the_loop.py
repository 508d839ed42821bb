"""From money seen to money back, and every way it can end before."""

from __future__ import annotations

import pytest

from app.flows.consents.check_person import Outcome, check_person
from app.flows.messages.open_link import LinkPage, open_link
from app.flows.payments.start_payment import PayStep, Tap, start_payment
from app.pay_ports import PayStatus
from tests.flows.street import BORN, HERE, Street

pytestmark = pytest.mark.anyio


async def test_money_seen_becomes_a_text_a_payment_and_a_closed_case(street: Street) -> None:
    ana = await street.neighbour(dues=(12_000,))
    await street.money_seen(ana)
    await street.tick()
    assert len(street.carrier.taken) == 1
    token = street.token_on(ana)

    before = await open_link(street.house, street.now, token)
    assert before.page is LinkPage.CHECK
    assert before.dues == ()
    checked = await check_person(street.house, street.now, token, birth_date=BORN)
    assert checked.outcome is Outcome.PASSED
    view = await open_link(street.house, street.now, token, session=checked.session)
    assert view.page is LinkPage.PAY
    assert [line.amount.minor for line in view.dues] == [12_000]

    started = await start_payment(
        street.house, street.now, token, session=checked.session, tap=Tap(HERE)
    )
    assert started.step is PayStep.TO_BANK
    street.bank.say_yes(started.redirect_url)
    street.hands.go_on(seconds=10)
    await street.tick()
    assert await street.states("payments", ana) == ["authorised"]
    assert await street.value("SELECT state FROM cases WHERE id = :id", id=ana.cases[0]) == (
        "in_flight"
    )
    street.bank.turn(PayStatus.SETTLED)
    street.hands.go_on(seconds=10)
    await street.tick()
    assert await street.due(ana) == 0
    closed = (await street.rows("SELECT state, close_reason FROM cases"))[0]
    assert tuple(closed) == ("closed", "paid_through_saldo")
    assert await street.tasks(ana) == []
    await street.tick()
    assert {"payment.authorised", "payment.settled", "case.closed"} <= set(street.system.events())
    page = await open_link(street.house, street.now, token, session=checked.session)
    assert page.page is LinkPage.PAID
