"""One payment, told by many: the bank, the lender, an older word, and nobody at all."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.errors import (
    Invalid,
    NotAllowed,
    TryLater,
)
from app.domain.ids import Secret
from app.flows.consents.check_person import check_person
from app.flows.payments.ask_bank import ask_bank
from app.flows.payments.follow_payments import follow_payments
from app.flows.payments.return_payment import return_payment
from app.flows.payments.settle_unclear import settle_unclear
from app.flows.payments.start_payment import PayStep
from app.pay_ports import PaymentHandle, PayStatus
from tests.flows.at_the_page import (
    RECOVERY,
    ana_taps_again,
    at_the_page,
    payment_ids,
    settle,
)
from tests.flows.outside import raising
from tests.flows.street import BORN, Street

pytestmark = pytest.mark.anyio


async def _nothing() -> None:
    return None


async def test_the_lender_reports_the_money_while_he_is_at_the_bank(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    await street.repaid(ana.who, "cash")
    # Nobody is sent there any more, and the bank takes the payment back.
    assert (await ana.taps()).step is PayStep.CHECKING
    await street.minutes_pass(1)
    assert street.bank.payments["P1"].status is PayStatus.CANCELLED
    assert ana.says_yes_everywhere() == 0
    assert await ana.payments() == ["cancelled"]
    assert await street.value("SELECT state FROM cases") == "closed"


async def test_the_lender_reports_other_money_while_ours_is_on_its_way(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    ana.says_yes_everywhere()
    await street.minutes_pass(1)
    await street.repaid(ana.who, "cash")
    assert await street.value("SELECT state FROM cases") == "closed"
    await settle(street)
    assert await ana.payments() == ["settled"]
    assert await street.tasks(ana.who) == ["overpaid"]
    too_much = await street.value("SELECT situation ->> 'overpaid_minor' FROM tasks")
    assert too_much == "12000"


@pytest.mark.parametrize("lender_first", [True, False])
async def test_both_report_the_same_money(street: Street, *, lender_first: bool) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    ana.says_yes_everywhere()
    await street.minutes_pass(1)
    ours = (await payment_ids(street, ana.who))[0]
    if lender_first:
        await street.repaid(ana.who, "statement line 7", payment_id=ours)
        await settle(street)
    else:
        await settle(street)
        await street.repaid(ana.who, "statement line 7", minor=12_000, payment_id=ours)
    assert await street.due(ana.who) == 0
    assert await street.tasks(ana.who) == []
    assert await street.value("SELECT count(*) FROM repayments WHERE counted") == 1


async def test_no_report_takes_the_name_of_our_own_entry(street: Street) -> None:
    """With another amount our payment could not be booked any more, however often we tried."""
    ana = await at_the_page(street)
    await ana.taps()
    ana.says_yes_everywhere()
    await street.minutes_pass(1)
    ref = await street.value("SELECT end_to_end_ref FROM payments")
    with pytest.raises(Invalid, match="begins with"):
        await street.repaid(ana.who, f"saldo:{ref}", minor=1)
    await settle(street)
    assert await ana.payments() == ["settled"]
    assert await street.due(ana.who) == 0


async def test_two_workers_book_the_same_settlement_once(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    ana.says_yes_everywhere()
    street.bank.turn(PayStatus.SETTLED)
    ids = await payment_ids(street, ana.who)
    came = await asyncio.gather(*(follow_payments(street.house, street.now, ids) for _ in range(5)))
    assert sum(one.changed for one in came) == 1
    assert await street.value("SELECT count(*) FROM repayments") == 1
    await street.tick()
    assert street.system.events().count("payment.settled") == 1


async def test_an_older_word_of_the_bank_arrives_after_a_newer_one(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    ana.says_yes_everywhere()
    ids = await payment_ids(street, ana.who)
    asked: list[str] = []

    async def overtaken() -> None:
        """The first to ask is answered "on its way", and sleeps while a second one hears "no"."""
        street.bank.after_now = _nothing
        street.bank.turn(PayStatus.REJECTED)
        asked.append("first")
        await follow_payments(street.house, street.now, ids)

    street.bank.after_now = overtaken
    await follow_payments(street.house, street.now, ids)
    assert asked == ["first"]
    assert await ana.payments() == ["rejected"]
    assert await street.tasks(ana.who) == [], "an old word alarms nobody"


async def test_money_that_moves_on_a_payment_held_for_ended_alarms(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    street.bank.turn(PayStatus.REJECTED)
    await street.minutes_pass(1)
    street.bank.turn(PayStatus.SETTLED)
    payment_id = (await payment_ids(street, ana.who))[0]
    handle = PaymentHandle("caja", Secret("P1"))
    named = (street.lender_id, payment_id, "berlin_group", handle)
    await ask_bank(street.house, street.now, *named)
    assert await ana.payments() == ["rejected"]
    assert await street.tasks(ana.who) == ["payment_unclear"]


async def test_the_link_runs_out_while_a_payment_waits_at_the_bank(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    street.hands.go_on(hours=25)
    await street.tick()
    await street.minutes_pass(1)
    assert street.bank.payments["P1"].status is PayStatus.CANCELLED
    assert await ana.payments() == ["cancelled"]
    assert await street.states("payment_links", ana.who) == ["expired"]
    assert await street.tasks(ana.who) == ["link_unpaid"]
    with pytest.raises(NotAllowed):
        await ana.taps()


async def test_who_tapped_in_the_last_minute_may_finish(street: Street) -> None:
    ana = await at_the_page(street)
    street.hands.go_on(hours=23, minutes=59)
    ana.session = (await check_person(street.house, street.now, ana.token, birth_date=BORN)).session
    await ana.taps()
    await street.minutes_pass(5)
    assert await street.states("payment_links", ana.who) == ["expired"]
    assert ana.says_yes_everywhere() == 1
    await settle(street)
    assert await ana.payments() == ["settled"]
    assert await street.tasks(ana.who) == []


async def test_money_that_came_back_opens_the_case_and_sends_nothing(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    ana.says_yes_everywhere()
    await street.minutes_pass(1)
    await settle(street)
    texts = street.texts_to(ana.who)
    payment_id = (await payment_ids(street, ana.who))[0]
    for _ in range(2):
        await return_payment(
            street.house,
            street.now,
            lender_id=street.lender_id,
            payment_id=payment_id,
            reason="AC04",
            actor="api",
        )
    assert await ana.payments() == ["returned"]
    assert await street.due(ana.who) == 12_000
    assert await street.value("SELECT state FROM cases") == "open"
    assert await street.tasks(ana.who) == ["payment_returned"]
    street.hands.go_on(hours=50)
    await street.money_seen_again(ana.who)
    await street.minutes_pass(*RECOVERY)
    assert street.texts_to(ana.who) == texts


async def test_a_payment_whose_end_nobody_tells_becomes_a_person_s(street: Street) -> None:
    ana = await at_the_page(street)
    await ana.taps()
    ana.says_yes_everywhere()
    await street.minutes_pass(1)
    street.bank.before_now = raising(TryLater("503"))
    await street.days_pass(5.5, minutes=720)
    assert await ana.payments() == ["unclear"]
    assert await street.tasks(ana.who) == ["payment_unclear"]
    assert (await ana_taps_again(ana)).step is PayStep.ON_ITS_WAY
    payment_id = (await payment_ids(street, ana.who))[0]
    await settle_unclear(
        street.house,
        street.now,
        lender_id=street.lender_id,
        payment_id=payment_id,
        paid=True,
        reason="It stands on the statement of Monday.",
        actor="eva@sol.example",
    )
    assert await street.due(ana.who) == 0
    assert await street.tasks(ana.who) == []


async def test_the_oldest_due_is_paid_first_and_only_what_is_due(street: Street) -> None:
    ana = await at_the_page(street, dues=(7_000, 5_000))
    for wrong in (0, -5, 12_001):
        with pytest.raises(Invalid):
            await ana.taps(minor=wrong)
    await ana.taps(minor=8_000)
    parts = await street.rows("SELECT amount_minor FROM payment_cases ORDER BY amount_minor")
    assert [row.amount_minor for row in parts] == [1_000, 7_000]


async def test_without_the_check_nobody_taps(street: Street) -> None:
    ana = await at_the_page(street)
    ana.session = "guess"
    with pytest.raises(NotAllowed):
        await ana.taps()
    street.hands.go_on(minutes=31)
    ana.session = (await check_person(street.house, street.now, ana.token, birth_date=BORN)).session
    street.hands.go_on(minutes=31)
    with pytest.raises(NotAllowed):
        await ana.taps()
