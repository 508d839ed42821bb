"""A provider that takes nothing back: one payment at a time, and money that comes late is seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from app.boundary import guard
from app.domain.errors import OutcomeUnknown
from app.flows.consents.check_person import check_person
from app.flows.messages.open_link import LinkPage, open_link
from app.flows.payments.cancel_payment import give_up_payment
from app.flows.payments.start_payment import PayStep, reference_of
from app.pay_ports import PayStatus
from app.store.keys import new_id
from tests.flows.at_the_page import AtThePage, at_the_page, payment_ids
from tests.flows.outside import StayingBank, raising
from tests.flows.street import BORN, Street

pytestmark = pytest.mark.anyio


async def ana_at(street: Street, bank: StayingBank) -> AtThePage:
    """Somebody at her page whose payments go through this provider."""
    street.bank = bank
    street.house = replace(street.house, payments={"berlin_group": guard(bank, "berlin_group")})
    return await at_the_page(street)


async def later(ana: AtThePage, minutes: int) -> None:
    """Time passes, in which nobody looks at the payment; her session is real time, so she is
    checked again.
    """
    street = ana.street
    street.hands.go_on(minutes=minutes)
    checked = await check_person(street.house, street.now, ana.token, birth_date=BORN)
    ana.session = checked.session


async def gives_up(ana: AtThePage) -> bool:
    """She wants to pay another amount."""
    street = ana.street
    return await give_up_payment(street.house, street.now, ana.token, session=ana.session)


async def test_nobody_gets_a_second_one_before_the_first_is_out_of_the_way(street: Street) -> None:
    bank = StayingBank()
    ana = await ana_at(street, bank)
    first = await ana.taps()
    assert (await ana.taps(minor=3_000)).redirect_url == first.redirect_url
    assert not await gives_up(ana)
    await later(ana, 40)
    assert (await ana.taps(bank_id="otra")).redirect_url == first.redirect_url
    # She was sent there again: from now on she has an hour to finish.
    await later(ana, 40)
    view = await open_link(street.house, street.now, ana.token, session=ana.session)
    assert view.page is LinkPage.TO_BANK
    assert view.free_at == street.now + timedelta(minutes=20)
    assert not await gives_up(ana)
    await later(ana, 20)
    assert await gives_up(ana)
    assert await ana.payments() == ["left_open"]
    assert await ana.sees() is LinkPage.PAY
    assert (await ana.taps(minor=3_000)).redirect_url == "https://bank.example/P2"
    assert len(bank.payments) == 2
    bank.say_yes("https://bank.example/P2")
    bank.turn(PayStatus.SETTLED)
    await street.minutes_pass(2)
    assert await ana.payments() == ["left_open", "settled"]
    assert await street.due(ana.who) == 9_000
    assert await street.tasks(ana.who) == []


async def test_a_late_yes_is_booked_and_what_is_too_much_is_given_back(street: Street) -> None:
    bank = StayingBank()
    ana = await ana_at(street, bank)
    await ana.taps()
    await later(ana, 61)
    assert await gives_up(ana)
    await ana.taps()
    await later(ana, 5)
    await ana.taps()
    # She finds the first page in another window and confirms there.
    bank.say_yes("https://bank.example/P1")
    with capture_logs() as logs:
        await street.minutes_pass(56)
    assert "payment_left_open_moves" in [line["event"] for line in logs]
    assert await ana.payments() == ["authorised", "open"]
    # Nobody is sent to the second any more.
    await later(ana, 0)
    assert await ana.sees() is LinkPage.ON_ITS_WAY
    assert (await ana.taps()).step is PayStep.ON_ITS_WAY
    # But she has that page, too.
    bank.say_yes("https://bank.example/P2")
    await street.minutes_pass(61)
    assert await ana.payments() == ["authorised", "authorised"]
    assert await street.value("SELECT state FROM cases") == "in_flight"
    for one in bank.payments.values():
        one.status = PayStatus.SETTLED
    await street.minutes_pass(61, 61)
    assert await ana.payments() == ["settled", "settled"]
    assert await street.due(ana.who) == 0
    assert await street.tasks(ana.who) == ["overpaid"]
    too_much = "SELECT situation ->> 'overpaid_minor' FROM tasks"
    assert await street.value(too_much) == "12000"
    assert await street.value("SELECT state FROM cases") == "closed"


async def test_a_late_no_changes_nothing_for_the_one_that_moves(street: Street) -> None:
    bank = StayingBank()
    ana = await ana_at(street, bank)
    await ana.taps()
    await later(ana, 61)
    assert await gives_up(ana)
    await ana.taps()
    bank.say_yes("https://bank.example/P2")
    await street.minutes_pass(1)
    bank.payments["P1"].status = PayStatus.REJECTED
    await street.minutes_pass(61)
    assert await ana.payments() == ["rejected", "authorised"]
    assert await street.value("SELECT state FROM cases") == "in_flight"
    assert await street.states("payment_links", ana.who) == ["spent"]
    assert await street.tasks(ana.who) == []


async def test_the_lender_reports_the_money_while_the_page_stands_open(street: Street) -> None:
    bank = StayingBank()
    ana = await ana_at(street, bank)
    await ana.taps()
    await street.repaid(ana.who, "cash")
    assert await ana.sees() is LinkPage.STAYS
    assert (await ana.taps()).step is PayStep.CHECKING
    await street.minutes_pass(61)
    assert await ana.payments() == ["left_open"]
    # Weeks later the forgotten page is paid.
    street.hands.go_on(days=20)
    bank.payments["P1"].status = PayStatus.SETTLED
    await street.minutes_pass(1, 60 * 24)
    assert await ana.payments() == ["settled"]
    assert await street.tasks(ana.who) == ["overpaid"]


async def test_one_that_is_left_open_is_not_watched_for_ever(street: Street) -> None:
    bank = StayingBank()
    ana = await ana_at(street, bank)
    await ana.taps()
    street.hands.go_on(hours=26)
    await street.minutes_pass(1, 1)
    assert await ana.payments() == ["left_open"]
    street.hands.go_on(days=91)
    await street.minutes_pass(1)
    assert await street.value("SELECT next_look_at FROM payments") is None


async def test_nobody_is_sent_to_a_page_on_which_he_is_confirming_already(street: Street) -> None:
    bank = StayingBank(under_way=frozenset({"OPEN"}))
    ana = await ana_at(street, bank)
    assert (await ana.taps()).step is PayStep.TO_BANK
    await street.minutes_pass(1)  # the bank says that somebody is at it
    assert await ana.sees() is LinkPage.AT_BANK
    assert (await ana.taps()).step is PayStep.PREPARING
    await later(ana, 61)
    assert not await gives_up(ana)
    bank.under_way = frozenset()
    assert await ana.sees() is LinkPage.TO_BANK
    assert await gives_up(ana)


async def test_nobody_is_sent_to_a_page_that_is_over(street: Street) -> None:
    bank = StayingBank(page_lasts=timedelta(minutes=30), free_after=timedelta(minutes=15))
    ana = await ana_at(street, bank)
    await ana.taps()
    await later(ana, 20)
    assert (await ana.taps()).redirect_url == "https://bank.example/P1"
    await later(ana, 10)
    assert await ana.sees() is LinkPage.STAYS
    await street.minutes_pass(5)
    assert await ana.payments() == ["left_open"]
    assert await ana.sees() is LinkPage.PAY


async def test_a_page_that_is_paid_twice_makes_a_second_payment(street: Street) -> None:
    bank = StayingBank(pays_twice=True)
    ana = await ana_at(street, bank)
    await ana.taps()
    # A no before any yes ends nothing there: the same page can be paid.
    bank.turn(PayStatus.REJECTED)
    await street.minutes_pass(1)
    assert await ana.payments() == ["open"]
    bank.turn(PayStatus.AUTHORISED)
    await street.minutes_pass(1)
    bank.turn(PayStatus.SETTLED)
    await street.minutes_pass(1)
    assert await ana.payments() == ["settled"]
    bank.second["P1"] = PayStatus.AUTHORISED
    with capture_logs() as logs:
        await street.minutes_pass(61, 1)
    assert [one["log_level"] for one in logs if one["event"] == "payment_page_paid_again"] == [
        "error"
    ]
    assert await ana.payments() == ["settled", "authorised"]
    bank.second["P1"] = PayStatus.SETTLED
    await street.minutes_pass(61, 61)
    assert await ana.payments() == ["settled", "settled"]
    assert await street.value("SELECT sum(applied_minor) FROM repayments") == 12_000
    assert await street.tasks(ana.who) == ["overpaid"]


async def test_an_order_whose_answer_was_lost_is_given_up(street: Street) -> None:
    bank = StayingBank()
    ana = await ana_at(street, bank)
    bank.after = raising(OutcomeUnknown("the answer was lost"))
    assert (await ana.taps()).step is PayStep.TRY_LATER
    bank.after = StayingBank().after
    assert (await ana.taps()).redirect_url == "https://bank.example/P2"
    assert await ana.payments() == ["abandoned", "open"]
    waits = "SELECT count(*) FROM outbox WHERE kind = 'cancel_payment'"
    assert await street.value(waits) == 0


async def test_an_answer_that_comes_too_late_leaves_nothing_to_do(street: Street) -> None:
    bank = StayingBank()
    ana = await ana_at(street, bank)

    async def minutes_later() -> None:
        bank.after = StayingBank().after
        street.hands.go_on(minutes=2)
        await street.tick()

    bank.after = minutes_later
    assert (await ana.taps()).step is PayStep.PREPARING
    await street.minutes_pass(1)
    waits = "SELECT state FROM outbox WHERE kind = 'cancel_payment'"
    assert await street.value(waits) == "done"
    assert await ana.payments() == ["abandoned"]


@pytest.mark.parametrize("minor", [12_000, 5_000])
async def test_the_ledger_is_the_proof_where_the_bank_gives_none(
    street: Street, minor: int
) -> None:
    """Its word stays "on its way"; the lender's report of the whole money settles the payment."""
    bank = StayingBank()
    ana = await ana_at(street, bank)
    await ana.taps()
    ana.says_yes_everywhere()
    await street.minutes_pass(1)
    ours = (await payment_ids(street, ana.who))[0]
    report = await street.repaid(ana.who, "line 7", minor=minor, payment_id=ours)
    whole = minor == 12_000
    assert report.case_closed is whole
    assert await ana.payments() == ["settled" if whole else "authorised"]
    await street.minutes_pass(1, 1)
    assert await ana.payments() == ["settled" if whole else "authorised"]
    assert await street.due(ana.who) == 12_000 - minor
    assert await street.tasks(ana.who) == []
    if whole:
        # It is asked for once more, and then no more.
        assert await street.value("SELECT next_look_at FROM payments") is None
    else:
        street.hands.go_on(days=6)
        await street.minutes_pass(1)
        assert await street.tasks(ana.who) == ["payment_unclear"]
        await street.repaid(ana.who, "line 8", minor=7_000, payment_id=ours)
        assert await ana.payments() == ["settled"]
        assert await street.tasks(ana.who) == []


def test_our_reference_fits_wherever_it_goes() -> None:
    payment_id = new_id()
    assert reference_of(payment_id, 35) == f"S{payment_id.hex.upper()}"
    short = {reference_of(new_id(), 18) for _ in range(200)}
    assert len(short) == 200
    assert {len(one) for one in short} == {18}
    assert all(one.isalnum() and one.isupper() for one in short)
