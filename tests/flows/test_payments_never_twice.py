"""No euro twice. The borrower here says yes on every page of a bank he was ever sent to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.domain.errors import (
    Conflict,
    Declined,
    Invalid,
    NotAllowed,
    OutcomeUnknown,
    TryLater,
)
from app.domain.ids import Secret
from app.domain.money import Money
from app.flows.ask_bank import ask_bank
from app.flows.cancel_payment import give_up_payment
from app.flows.check_person import check_person
from app.flows.follow_payments import follow_payments, plan_payments
from app.flows.open_link import LinkPage, open_link
from app.flows.return_payment import return_payment
from app.flows.settle_unclear import settle_unclear
from app.flows.start_payment import PayStep, Started, Tap, start_payment
from app.ports import CancelResult, PaymentHandle, PayStatus
from tests.flows.killing import dies
from tests.flows.outside import raising
from tests.flows.street import BORN, HERE, MORNING, Neighbour, Street

pytestmark = pytest.mark.anyio

RECOVERY = (2, 2, 2)


@dataclass(slots=True)
class AtThePage:
    """A borrower who has opened his link and was checked."""

    street: Street
    who: Neighbour
    token: str
    session: str
    pages: list[str] = field(default_factory=list)
    """Every page of a bank he was sent to."""

    async def taps(self, *, minor: int | None = None, bank_id: str | None = None) -> Started:
        """He taps on "pay" and goes where he is sent."""
        amount = None if minor is None else Money(minor, "EUR")
        tap = Tap(HERE, amount, bank_id)
        started = await start_payment(
            self.street.house, self.street.now, self.token, session=self.session, tap=tap
        )
        if started.redirect_url:
            self.pages.append(started.redirect_url)
        return started

    async def sees(self) -> LinkPage:
        """The page behind his link now."""
        view = await open_link(self.street.house, self.street.now, self.token, session=self.session)
        if view.redirect_url:
            self.pages.append(view.redirect_url)
        return view.page

    def says_yes_everywhere(self) -> int:
        """He authorises whatever is still open; returns how many payments that were."""
        return sum(self.street.bank.say_yes(page) for page in dict.fromkeys(self.pages))

    async def payments(self) -> list[str]:
        """States of his payments, oldest first."""
        return await self.street.states("payments", self.who)


async def at_the_page(street: Street, **wanted: Any) -> AtThePage:
    """Somebody with a text on his phone, its link open and the check behind him."""
    street.hands.now = MORNING
    who = await street.neighbour(**wanted)
    await street.money_seen(who)
    await street.tick()
    token = street.token_on(who)
    checked = await check_person(street.house, street.now, token, birth_date=BORN)
    return AtThePage(street, who, token, checked.session)


async def payment_ids(street: Street, who: Neighbour) -> list[Any]:
    query = "SELECT id FROM payments WHERE borrower_id = :id ORDER BY created_at, id"
    return [row.id for row in await street.rows(query, id=who.id)]


async def settle(street: Street) -> None:
    """The bank moves whatever was authorised, and we look."""
    for payment in street.bank.accepted:
        payment.status = PayStatus.SETTLED
    await street.minutes_pass(2, 2)


async def test_one_payment_wherever_the_tapping_process_dies(street: Street) -> None:
    dead: list[AtThePage] = []
    while True:
        ana = await at_the_page(street)
        struck = await dies(street, len(dead) + 1, ana.taps())
        # The page hangs, he taps again at once.
        await ana.taps()
        dead.append(ana)
        if not struck:
            break
    assert len(dead) > 30, "the killer must have had something to do"
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
    dead: list[AtThePage] = []
    while True:
        ana = await at_the_page(street)
        await ana.taps()
        ana.says_yes_everywhere()
        street.bank.turn(PayStatus.SETTLED)
        ids = await payment_ids(street, ana.who)
        struck = await dies(street, len(dead) + 1, follow_payments(street.house, street.now, ids))
        dead.append(ana)
        if not struck:
            break
    assert len(dead) > 30
    await street.minutes_pass(*RECOVERY)
    for point, ana in enumerate(dead, start=1):
        assert await ana.payments() == ["settled"], f"death at point {point}"
        assert await street.due(ana.who) == 0
        booked = "SELECT sum(applied_minor) FROM repayments WHERE payment_id = :id"
        ids = await payment_ids(street, ana.who)
        assert await street.value(booked, id=ids[0]) == 12_000
        assert await street.tasks(ana.who) == []


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
    await street.days_pass(5.2, minutes=240)
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


async def ana_taps_again(ana: AtThePage) -> Started:
    """Days later: another browser session, the same link."""
    checked = await check_person(ana.street.house, ana.street.now, ana.token, birth_date=BORN)
    ana.session = checked.session
    return await ana.taps()


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
