"""Two lenders with contracts of their own at one provider: each is served by his alone."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from app.domain.consent import Purpose
from app.domain.errors import Conflict, Invalid, Misconfigured, NotAllowed, NotFound
from app.domain.provider_setup import Slot
from app.domain.roles import Role
from app.flows.approvals.decide_approval import Word
from app.flows.consents.withdraw_consent import withdraw_all
from app.flows.providers.receive_webhook import receive_webhook
from app.flows.tidy import tidy
from app.pay_ports import PayStatus
from app.ports import DeliveryState, InboundHttp
from app.store.unit import Store
from tests.flows.account_bank import AccountBank
from tests.flows.at_the_page import at_the_page
from tests.flows.contracts import (
    SECRET,
    admin_of,
    brings,
    second_street,
    sets_up,
    takes_away,
    with_contracts,
)
from tests.flows.desk_people import Desk
from tests.flows.lane import Lane, make_lane
from tests.flows.outside import Carrier, PayBank, PostOffice
from tests.flows.street import Street

pytestmark = pytest.mark.anyio


async def calls(street: Street, name: str, *events: dict[str, Any], **how: str) -> None:
    """A provider calls the address of this name."""
    body = json.dumps(events if how.get("many") else events[0]).encode()
    signature = how.get("signature", "good")
    inbound = InboundHttp("https://pay.sol.example/x", {"signature": signature}, body)
    await receive_webhook(street.house, street.now, name, inbound)
    await street.work_off()


async def test_texts_and_answers_stay_with_their_lender(street: Street) -> None:
    shop = with_contracts(street)
    shop.accounts |= {"sol": Carrier(), "luna": Carrier()}
    other = await second_street(street)
    installations = street.carrier
    own = await brings(street, Slot.MESSAGES, "sol")
    its = await brings(other, Slot.MESSAGES, "luna")
    street.carrier, other.carrier = shop.accounts["sol"], shop.accounts["luna"]
    ana = await street.neighbour(phone="+34600111222")
    eva = await other.neighbour(phone="+34600111222")
    await street.money_seen(ana)
    await other.money_seen(eva)
    await street.tick()
    assert (street.texts_to(ana), other.texts_to(eva), installations.taken) == (1, 1, [])
    assert own.name in street.carrier.taken[0].sms.status_url
    assert its.name in other.carrier.taken[0].sms.status_url

    # What one of them answers says nothing of the other, nor of the installation's.
    breakers = await street.rows("SELECT connector FROM provider_health WHERE service = 'texts'")
    assert {row.connector for row in breakers} == {own.name, its.name}

    # Both carriers call their text SM1; each speaks of its own lender's alone.
    street.carrier.taken[0].state = other.carrier.taken[0].state = DeliveryState.DELIVERED
    await calls(street, own.name, {"id": "1", "kind": "message_status", "ref": "SM1"})
    assert await street.states("messages", ana) == ["delivered"]
    assert await street.states("messages", eva) == ["sent"]

    # Nobody vouches for what is said through another lender's provider.
    stop = {"kind": "inbound_text", "from": "+34600111222", "stop": True}
    await calls(street, its.name, {"id": "2", **stop})
    stopped = await street.rows("SELECT borrower_id FROM opt_outs")
    assert [row.borrower_id for row in stopped] == [eva.id]
    with pytest.raises(NotAllowed):
        await calls(street, own.name, {"id": "3", **stop}, signature="bad")
    with pytest.raises(NotFound):
        await calls(street, "berlin_group-aaaaaaaaaaaa", {"id": "4", **stop})
    with pytest.raises(RuntimeError, match="another lender"):
        await (await street.house.of(street.lender_id)).of(other.lender_id)


async def test_payments_change_hands_by_two(street: Street) -> None:
    shop = with_contracts(street)
    shop.accounts |= {"sol": PayBank(), "estrella": PayBank(), "luna": PayBank()}
    other, desk, shared = await second_street(street), Desk(street), street.bank
    admin = await admin_of(street)
    before = await at_the_page(street)
    await before.taps()
    first = await sets_up(street, Slot.PAYMENTS, "sol", by=admin)
    with pytest.raises(Conflict):
        await sets_up(street, Slot.PAYMENTS, "sol", by=admin)
    ana, eva = await at_the_page(street), await at_the_page(other)
    await ana.taps()
    assert len(shared.payments) == 2, "one person alone changes nothing"
    with pytest.raises(NotAllowed):
        await desk.says(Word.APPROVE, first.proposal_id, by="ada-2", role=Role.ADMIN)
    await desk.says(Word.APPROVE, first.proposal_id)
    theirs = await sets_up(other, Slot.PAYMENTS, "luna")
    await Desk(other).says(Word.APPROVE, theirs.proposal_id)

    bea = await at_the_page(street)
    await bea.taps()
    await eva.taps()
    own, hers = shop.accounts["sol"], shop.accounts["luna"]
    assert [len(bank.payments) for bank in (own, hers, shared)] == [1, 1, 2]
    # What was begun with the installation's is followed there.
    for bank, people in ((shared, (before, ana)), (own, (bea,)), (hers, (eva,))):
        for one in people:
            one.street.bank = bank
            assert one.says_yes_everywhere() == 1
        for payment in bank.payments.values():
            payment.status = PayStatus.SETTLED
    await street.minutes_pass(6)
    for one in (before, ana, eva, bea):
        assert await one.payments() == ["settled"]

    # Another contract: what is open with the one before is still followed with that one.
    street.bank = own
    cas = await at_the_page(street)
    await cas.taps()
    second = await sets_up(street, Slot.PAYMENTS, "estrella", by=admin)
    await desk.says(Word.APPROVE, second.proposal_id)
    assert second.name != first.name
    assert cas.says_yes_everywhere() == 1
    own.turn(PayStatus.SETTLED)
    await street.minutes_pass(6)
    assert await cas.payments() == ["settled"]
    removal = await takes_away(street, second.id, by=admin)
    assert removal is not None
    await desk.says(Word.REFUSE, removal)
    assert (await street.house.of(street.lender_id)).payment_name == second.name
    # A provider's call comes to the set-up's own address, and only for its own payments.
    await calls(
        street, first.name, {"id": str(uuid4()), "kind": "payment", "payment": "P1"}, many="1"
    )
    assert await street.value("SELECT result FROM inbox") == "looked"
    history = [row.act for row in await street.rows("SELECT act FROM audit ORDER BY at, id")]
    assert history.count("set_up_provider") == 3
    assert history.count("put_provider_in_force") == 3
    assert history.count("send_back_provider") == 1


async def test_wrong_access_data_is_kept_nowhere_and_the_right_is_never_shown(
    street: Street,
) -> None:
    shop = with_contracts(street)
    shop.accounts |= {"sol": Carrier(), "luna": Carrier()}
    with pytest.raises(Invalid, match="provider"):
        await sets_up(street, Slot.MESSAGES, "sol", secret="guessed")
    with pytest.raises(NotAllowed):
        supervisor = await Desk(street).person("sue", Role.SUPERVISOR)
        await sets_up(street, Slot.MESSAGES, "sol", by=supervisor)
    assert await street.value("SELECT count(*) FROM provider_setups") == 0
    made = await brings(street, Slot.MESSAGES, "sol", files={"cert": b"-----BEGIN"})
    made_at = street.now
    street.hands.go_on(hours=1)
    # Other access data of the same contract; what is left empty stays as it was.
    again = await brings(street, Slot.MESSAGES, "luna", secret="", same_contract=True)
    assert again.name == made.name
    rows = await street.rows("SELECT * FROM provider_setups ORDER BY number")
    assert [(row.state, row.number) for row in rows] == [("closed", 1), ("in_force", 2)]
    assert rows[0].settings_enc is None
    shown = rows[1].shown
    assert (shown["account"], shown["set"], shown["changed"]) == ("luna", ["secret", "cert"], [])
    assert set(shown["since"].values()) == {made_at.isoformat()}
    everything = [rows, await street.rows("SELECT * FROM audit"), street.house.book]
    assert SECRET not in repr(everything)
    assert "BEGIN" not in repr(everything)
    ana = await street.neighbour()
    await street.money_seen(ana)
    await street.tick()
    street.carrier = shop.accounts["luna"]
    assert street.texts_to(ana) == 1
    assert shop.made == ["luna"], "made once, and of what is in force alone"
    # The connections of what was replaced are closed when nobody can be using them any more.
    await brings(street, Slot.MESSAGES, "sol", same_contract=True)
    await street.house.of(street.lender_id)
    assert (shop.made, shop.closed) == (["luna", "sol"], [])
    street.hands.go_on(minutes=2)
    await street.house.of(street.lender_id)
    assert shop.closed == ["luna"]


async def test_what_cannot_be_used_is_replaced_by_nobody(street: Street) -> None:
    shop = with_contracts(street)
    shop.accounts["sol"] = PostOffice()
    await brings(street, Slot.EMAILS, "sol")
    shop.broken.add("sol")
    house = await street.house.of(street.lender_id)
    assert house.carries_email()
    with pytest.raises(Misconfigured):
        house.email(house.email_name)
    shop.broken.clear()
    street.hands.go_on(minutes=2)
    house = await street.house.of(street.lender_id)
    assert house.email(house.email_name) is not None


async def test_accounts_are_read_with_the_contract_they_were_opened_with(store: Store) -> None:
    lane = await make_lane(store)
    street, shared = lane.street, lane.bank
    shop = with_contracts(street)
    own, hers = AccountBank(), AccountBank()
    shop.accounts |= {"sol": own, "luna": hers}
    other = await second_street(street)
    ana = await street.neighbour()
    shared.holds(5_000)
    await lane.agree(ana, (Purpose.REPAYMENT_MONITORING,))
    made = await brings(street, Slot.AGGREGATION, "sol")
    eva = await street.neighbour()
    mine = Lane(street, own)
    own.holds(7_000)
    await mine.agree(eva, (Purpose.REPAYMENT_MONITORING,))
    theirs = await brings(other, Slot.AGGREGATION, "luna")
    bea = await other.neighbour()
    hers.holds(9_000)
    await Lane(other, hers).agree(bea, (Purpose.REPAYMENT_MONITORING,))
    accounts = await street.rows(
        "SELECT id, connector FROM accounts WHERE borrower_id = ANY(:ids) AND iban_masked <> ''",
        ids=[ana.id, eva.id, bea.id],
    )
    names = {row.connector for row in accounts}
    assert names == {"berlin_group", made.name, theirs.name}
    for bank in (shared, own, hers):
        bank.reads.clear()
    await lane.set_next_read([row.id for row in accounts], lane.now)
    await lane.plan()
    await lane.work()
    assert [len(bank.reads) for bank in (shared, own, hers)] == [1, 1, 1]

    # Taken away: the consent is still followed with it, and given back with it; then it is erased.
    admin = await admin_of(street)
    assert await takes_away(street, made.id, by=admin) is None
    assert (await street.house.of(street.lender_id)).aggregation_name == "berlin_group"
    state = f"SELECT state FROM provider_setups WHERE id = '{made.id}'"
    street.hands.go_on(days=2)
    await tidy(street.house, street.now)
    assert await street.value(state) == "retired"
    await withdraw_all(
        street.house, street.now, lender_id=street.lender_id, borrower_id=eva.id, via="page"
    )
    await tidy(street.house, street.now)
    assert await street.value(state) == "retired", "it has to be given back first"
    await street.tick()
    assert own.ended == ["consent-1"]
    assert "consent-1" not in shared.ended
    assert (await tidy(street.house, street.now)).providers == 1
    (row,) = await street.rows("SELECT * FROM provider_setups WHERE state <> 'in_force'")
    assert (row.state, row.settings_enc) == ("closed", None)


async def test_whoever_agrees_sees_where_the_money_would_go(street: Street) -> None:
    """Euros and pounds alike, masked, on the proposal and in the audit."""
    shop = with_contracts(street)
    shop.accounts |= {"sol": PayBank()}
    values = {"payout_iban": "ES7921000813610123456789", "payout_uk_account": "20-00-00 55779911"}
    with pytest.raises(Invalid) as caught:
        wrong = {**values, "payout_uk_account": "20-00-00 5577991"}
        await sets_up(street, Slot.PAYMENTS, "sol", values=wrong)
    assert caught.value.field == "payout_uk_account"
    await sets_up(street, Slot.PAYMENTS, "sol", values=values)
    (proposal,) = await street.rows("SELECT considered FROM approvals")
    assert proposal.considered["payout_iban"] == "ES•• •••• 6789"
    assert proposal.considered["payout_uk_account"] == "••-••-00 ••••9911"
    for row in await street.rows("SELECT before::text || after::text AS said FROM audit"):
        assert "55779911" not in row.said
        assert "0123456789" not in row.said


@pytest.mark.parametrize("slot", [Slot.AGGREGATION, Slot.MESSAGES, Slot.EMAILS])
async def test_nobody_alone_sends_borrowers_or_their_links_elsewhere(
    street: Street, slot: Slot
) -> None:
    """With an account of his own an admin reads each number and link, wherever it stands."""
    shop, desk = with_contracts(street), Desk(street)
    shop.accounts |= {"sol": Carrier(), "evil": Carrier()}
    first = await sets_up(street, slot, "sol")
    assert slot not in (await street.house.of(street.lender_id)).own.chosen
    await desk.says(Word.APPROVE, first.proposal_id)
    made = await sets_up(street, slot, "evil", values={"base_url": "pages.evil.example"})
    in_use = (await street.house.of(street.lender_id)).own.chosen[slot]
    assert in_use == first.name, "the admin alone changes nothing"
    proposal = await street.rows(
        "SELECT considered FROM approvals WHERE id = :id", id=made.proposal_id
    )
    assert proposal[0].considered["leads_to"] == "pages.evil.example"
    assert "pages.evil.example" in proposal[0].considered["title"]
    with pytest.raises(NotAllowed):
        await desk.says(Word.APPROVE, made.proposal_id, by="ada-2", role=Role.ADMIN)
    await desk.says(Word.REFUSE, made.proposal_id)
    assert (await street.house.of(street.lender_id)).own.chosen[slot] == first.name
    again = await sets_up(street, slot, "evil", values={"base_url": "pages.evil.example"})
    await desk.says(Word.APPROVE, again.proposal_id)
    assert (await street.house.of(street.lender_id)).own.chosen[slot] == again.name
    # Whoever keeps it with other access data leads there once more.
    more = await sets_up(
        street, slot, "evil", values={"base_url": "pages.evil.example"}, same_contract=True
    )
    state = "SELECT state FROM approvals WHERE id = :id"
    assert await street.value(state, id=more.proposal_id) == "proposed"
