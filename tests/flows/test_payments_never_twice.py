"""No euro twice. The borrower here says yes on every page of a bank he was ever sent to."""

from __future__ import annotations

import asyncio
from functools import partial
from uuid import UUID

import pytest

from app.domain.errors import (
    Conflict,
    Declined,
    OutcomeUnknown,
    TryLater,
)
from app.flows.consents.check_person import check_person
from app.flows.messages.open_link import LinkPage, open_link
from app.flows.payments.cancel_payment import give_up_payment
from app.flows.payments.follow_payments import follow_payments, plan_payments
from app.flows.payments.start_payment import PayStep, Started
from app.pay_ports import CancelResult, PayStatus
from tests.flows.at_the_page import (
    RECOVERY,
    AtThePage,
    at_the_page,
    many_at_the_page,
    payment_ids,
    settle,
)
from tests.flows.killing import dies, one_for_each_death
from tests.flows.outside import raising
from tests.flows.street import BORN, Street

pytestmark = pytest.mark.anyio


async def test_one_payment_wherever_the_tapping_process_dies(street: Street) -> None:
    await street.without_webhooks()

    dead: list[AtThePage] = []
    ready = partial(many_at_the_page, street)
    async for ana in one_for_each_death(street, ready, AtThePage.taps):
        # The page hangs, he taps again at once.
        await ana.taps()
        dead.append(ana)
    assert len(dead) > 6, "the killer must have had something to do"
    await street.minutes_pass(*RECOVERY)
    for ana in dead:
        # His session is real time and may be over: he proves himself again.
        checked = await check_person(street.house, street.now, ana.token, birth_date=BORN)
        ana.session = checked.session
        await ana.taps()
        await ana.sees()
        assert ana.says_yes_everywhere() == 1
    await settle(street)
    for point, ana in enumerate(dead, start=1):
        assert await street.due(ana.who) == 0, f"death at point {point}"
        assert (await ana.payments()).count("settled") == 1
        live = "SELECT count(*) FROM payment_cases WHERE live AND case_id = :id"
        assert await street.value(live, id=ana.who.cases[0]) == 0
        assert await street.tasks(ana.who) == []


async def test_money_is_booked_once_wherever_the_following_process_dies(street: Street) -> None:
    await street.without_webhooks()

    async def paid(count: int) -> list[tuple[AtThePage, UUID]]:
        people = await many_at_the_page(street, count)
        for ana in people:
            await ana.taps()
            ana.says_yes_everywhere()
            street.bank.turn(PayStatus.SETTLED)
        return [(ana, (await payment_ids(street, ana.who))[0]) for ana in people]

    async def follow(paid: tuple[AtThePage, UUID]) -> None:
        await follow_payments(street.house, street.now, [paid[1]])

    dead = [one async for one in one_for_each_death(street, paid, follow)]
    assert len(dead) > 4
    await street.minutes_pass(*RECOVERY)
    for point, (ana, payment_id) in enumerate(dead, start=1):
        assert await ana.payments() == ["settled"], f"death at point {point}"
        assert await street.due(ana.who) == 0
        booked = "SELECT sum(applied_minor) FROM repayments WHERE payment_id = :id"
        assert await street.value(booked, id=payment_id) == 12_000
        assert await street.tasks(ana.who) == []


@pytest.mark.long
async def test_one_payment_wherever_the_planning_process_dies(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    street.hands.go_on(minutes=1)
    point = 1
    while await dies(street, point, plan_payments(street.house, street.now)):
        point += 1
    ana.says_yes_everywhere()
    await settle(street)
    assert await ana.payments() == ["settled"]


async def test_ten_taps_at_once_are_one_payment(street: Street) -> None:
    ana = await at_the_page(street)
    started = await asyncio.gather(*(ana.taps() for _ in range(10)))
    steps = [one.step for one in started]
    assert PayStep.TO_BANK in steps
    assert set(steps) <= {PayStep.TO_BANK, PayStep.PREPARING}
    assert len(street.bank.payments) == 1
    again = await ana.taps()
    assert again.redirect_url == "https://bank.example/P1"
    assert ana.says_yes_everywhere() == 1


async def test_two_browsers_two_banks_and_the_bank_is_slow(street: Street) -> None:
    """The second browser taps while the bank is being asked for the first."""
    ana = await at_the_page(street)
    second: list[Started] = []

    async def meanwhile() -> None:
        street.bank.after = _nothing
        second.append(await ana.taps(bank_id="otra"))

    street.bank.after = meanwhile
    first = await ana.taps()
    assert (first.step, second[0].step) == (PayStep.TO_BANK, PayStep.PREPARING)
    assert len(street.bank.payments) == 1


async def _nothing() -> None:
    return None


async def test_an_answer_that_comes_after_it_was_given_up(street: Street) -> None:
    """The first initiation was abandoned, a second one made; then the first answer arrives."""
    ana = await at_the_page(street)
    second: list[Started] = []

    async def minutes_later() -> None:
        street.bank.after = _nothing
        street.hands.go_on(minutes=2)
        await street.tick()
        assert await ana.payments() == ["abandoned"]
        second.append(await ana.taps())

    street.bank.after = minutes_later
    first = await ana.taps()
    assert first.step is PayStep.PREPARING
    assert first.redirect_url == ""
    assert second[0].step is PayStep.TO_BANK
    await street.minutes_pass(1)
    # The one whose id became known late is taken back at the bank.
    assert street.bank.payments["P1"].status is PayStatus.CANCELLED
    assert ana.says_yes_everywhere() == 1
    await settle(street)
    assert await ana.payments() == ["abandoned", "settled"]
    assert await street.due(ana.who) == 0


async def test_an_answer_that_is_lost_can_be_authorised_by_nobody(street: Street) -> None:
    ana = await at_the_page(street)
    street.bank.after = raising(OutcomeUnknown("the answer was lost"))
    assert (await ana.taps()).step is PayStep.TRY_LATER
    street.bank.after = _nothing
    assert (await ana.taps()).step is PayStep.TO_BANK
    assert ana.pages == ["https://bank.example/P2"]
    assert await ana.payments() == ["abandoned", "open"]


async def test_a_bank_that_made_nothing_is_asked_again(street: Street) -> None:
    ana = await at_the_page(street)
    street.bank.before = raising(TryLater("503"))
    assert (await ana.taps()).step is PayStep.TRY_LATER
    assert await ana.payments() == ["requested"]
    street.bank.before = _nothing
    await street.minutes_pass(1)
    # The sweep went on with it; the page now leads to the bank.
    assert await ana.sees() is LinkPage.TO_BANK
    assert len(street.bank.payments) == 1
    assert ana.says_yes_everywhere() == 1


async def test_nobody_is_sent_to_the_bank_for_a_tap_of_long_ago(street: Street) -> None:
    ana = await at_the_page(street)
    street.bank.before = raising(TryLater("503"))
    await ana.taps()
    await street.minutes_pass(5, 6)
    assert await ana.payments() == ["cancelled"]
    assert street.bank.payments == {}


async def test_a_bank_that_says_no_is_a_task_and_no_dead_end(street: Street) -> None:
    ana = await at_the_page(street)
    street.bank.before = raising(Declined("not here", reason="PRODUCT_INVALID"))
    assert (await ana.taps()).step is PayStep.DECLINED
    assert await street.tasks(ana.who) == ["payment_rejected"]
    street.bank.before = _nothing
    assert (await ana.taps(bank_id="otra")).step is PayStep.TO_BANK


async def test_refused_at_the_bank_the_same_link_works_again(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    street.bank.turn(PayStatus.REJECTED)
    await street.minutes_pass(1)
    view = await open_link(street.house, street.now, ana.token, session=ana.session)
    assert (view.page, view.refused) == (LinkPage.PAY, True)
    assert await street.tasks(ana.who) == []
    assert (await ana.taps()).step is PayStep.TO_BANK
    assert ana.says_yes_everywhere() == 1
    await settle(street)
    assert await ana.payments() == ["rejected", "settled"]


async def test_taken_back_after_a_yes_is_a_task_and_the_case_is_open(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    ana.says_yes_everywhere()
    await street.minutes_pass(1)
    assert await ana.sees() is LinkPage.ON_ITS_WAY
    assert await street.states("payment_links", ana.who) == ["spent"]
    street.bank.turn(PayStatus.REJECTED)
    await street.minutes_pass(1)
    assert await street.tasks(ana.who) == ["payment_rejected"]
    assert await street.value("SELECT state FROM cases") == "open"
    assert await street.states("payment_links", ana.who) == ["live"]
    assert await ana.sees() is LinkPage.PAY


async def test_another_amount_frees_the_way_at_the_bank_first(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    assert await give_up_payment(street.house, street.now, ana.token, session=ana.session)
    assert street.bank.payments["P1"].status is PayStatus.CANCELLED
    started = await ana.taps(minor=3_000)
    assert started.step is PayStep.TO_BANK
    assert ana.says_yes_everywhere() == 1
    await settle(street)
    assert await street.due(ana.who) == 9_000
    assert await street.value("SELECT state FROM cases") == "open"


async def test_a_yes_overtakes_the_wish_for_another_amount(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()

    async def he_says_yes() -> None:
        ana.says_yes_everywhere()

    street.bank.before_cancel = he_says_yes
    assert not await give_up_payment(street.house, street.now, ana.token, session=ana.session)
    assert await ana.payments() == ["authorised"]
    assert (await ana.taps(minor=3_000)).step is PayStep.ON_ITS_WAY
    assert len(street.bank.payments) == 1
    with pytest.raises(Conflict):
        await give_up_payment(street.house, street.now, ana.token, session=ana.session)


async def test_a_bank_that_wants_the_payer_to_cancel_leaves_it_live(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    street.bank.on_cancel = CancelResult.NEEDS_PAYER
    assert not await give_up_payment(street.house, street.now, ana.token, session=ana.session)
    assert (await ana.taps(minor=3_000)).redirect_url == "https://bank.example/P1"
    assert len(street.bank.payments) == 1
