"""Cases with an agency: two people place one, nothing of ours presses, the gate asks the agency."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.domain.approval import ApprovalKind, ApprovalState
from app.domain.errors import Conflict, IllegalTransition, Invalid, NotAllowed, NotFound
from app.domain.hold import BY_HAND, RULES, HoldBlock, HoldKind
from app.domain.message import Channel
from app.domain.money import Money
from app.domain.placement import agency_terms
from app.domain.promise_terms import Part, PromiseSource
from app.domain.roles import Role
from app.domain.task import TaskOutcome, TaskReason
from app.flows.approvals.decide_approval import Word
from app.flows.cases.agency_window import ask_for_agency
from app.flows.cases.place_case import AGENCY
from app.flows.cases.recall_case import recall_case
from app.flows.cases.write_agency import write_agency
from app.flows.work.lift_hold import lift_hold
from app.flows.work.open_task import open_task
from app.flows.work.record_contact import ContactMade, record_contact
from app.flows.work.set_hold import set_hold
from app.flows.work.take_promise import take_promise
from tests.flows.at_the_page import at_the_page, settle
from tests.flows.collector import answer
from tests.flows.desk_people import CONSIDERED, Desk
from tests.flows.street import Neighbour, Street
from tests.flows.test_holds import may_call
from tests.flows.test_stepping import fresh, on_day
from tests.rig import make_lender

pytestmark = pytest.mark.anyio


@pytest.fixture
def desk(street: Street) -> Desk:
    """The people of the street's lender."""
    return Desk(street)


async def kinds(street: Street, who: Neighbour) -> list[str]:
    rows = await street.rows(
        "SELECT kind FROM timeline WHERE borrower_id = :id AND kind IN"
        " ('case_placed', 'case_recalled', 'placement_ended', 'hold_set', 'hold_lifted')"
        " ORDER BY at, id",
        id=who.id,
    )
    return [row.kind for row in rows]


async def by_agency(street: Street, placement: Any, case_id: Any, **more: Any) -> Any:
    given: dict[str, Any] = {
        "channel": Channel.CALL, "outbound": True, "made_at": street.now, "conversation": False,
        **more,
    }  # fmt: skip
    return await record_contact(
        street.house, street.now, lender_id=street.lender_id, case_id=case_id,
        made=ContactMade(**given), user_id=None, actor="api", placement_id=placement,
    )  # fmt: skip


async def recalled(street: Street, desk: Desk, placement: Any, **who: Any) -> None:
    by = who.get("by", "mia")
    await recall_case(
        street.house, street.now, lender_id=street.lender_id, placement_id=placement,
        reason="They were rude.", actor=by,
        user_id=await desk.person(by, who.get("role", Role.COLLECTION_MANAGER)),
    )  # fmt: skip


async def test_placed_by_two_and_nothing_of_ours_presses_until_one_takes_it_back(
    street: Street, desk: Desk
) -> None:
    who = await street.neighbour()
    await street.money_seen(who)
    await street.work_off()
    async with street.store.unit(street.lender_id) as unit:
        await open_task(
            unit, street.now, borrower_id=who.id, case_id=who.cases[0],
            reason=TaskReason.CALL_BORROWER, cause="x",
        )  # fmt: skip
    agency = await desk.agency()
    asked = await desk.propose_placement(who.cases[0], agency)
    assert asked.proposed is not None
    assert await may_call(street, who), "nothing changes before somebody else agrees"
    for user, role in (("max", Role.COLLECTION_MANAGER), ("coral", Role.COMPLIANCE)):
        with pytest.raises(NotAllowed):
            await desk.says(Word.APPROVE, asked.proposed.id, by=user, role=role)
    assert await street.value("SELECT count(*) FROM placements") == 0
    done = await desk.says(Word.APPROVE, asked.proposed.id)
    assert done.state is ApprovalState.APPROVED
    placed = (await street.rows("SELECT * FROM placements"))[0]
    assert (placed.state, placed.amount_minor, placed.commission_basis_points) == (
        "placed", 12_000, 2_000,
    )  # fmt: skip

    # What was queued is gone, and neither a call nor a text follows, whatever money is seen.
    assert await street.states("messages", who) == ["cancelled"]
    assert await street.tasks(who) == []
    assert not await may_call(street, who)
    await street.money_seen_again(who)
    await street.days_pass(2, minutes=240)
    assert street.texts_to(who) == 0
    assert await street.tasks(who) == []
    with pytest.raises(NotAllowed, match="recalled"):
        async with street.store.unit(street.lender_id) as unit:
            await lift_hold(
                unit, street.now, hold_id=placed.hold_id, lifted_by="x", role=Role.COMPLIANCE
            )

    await recalled(street, desk, placed.id)
    assert await kinds(street, who) == ["case_placed", "case_recalled"]
    with pytest.raises(IllegalTransition):
        await recalled(street, desk, placed.id)
    row = (await street.rows("SELECT * FROM placements"))[0]
    assert (row.state, row.ended_by, row.ended_why) == ("recalled", "mia", "They were rude.")
    assert await may_call(street, who)
    acts = [one.act for one in await street.rows("SELECT act FROM audit ORDER BY at, id")]
    assert [act for act in acts if "agency" in act or "placement" in act] == [
        "add_agency", "propose_placement", "approved_placement", "recall_placement",
    ]  # fmt: skip
    assert acts.count("refused") == 2
    await street.tick()
    events = street.system.events()
    assert events.count("case.placed") == events.count("case.recalled") == 1
    assert "hold.set" not in events


async def test_he_pays_while_it_is_placed_and_the_placement_is_over(
    street: Street, desk: Desk
) -> None:
    ana = await at_the_page(street)
    who = ana.who
    await desk.placed(who.cases[0], await desk.agency())
    await ana.taps()
    assert ana.says_yes_everywhere() == 1
    await settle(street)
    row = (await street.rows("SELECT * FROM placements"))[0]
    assert (row.state, row.ended_why) == ("ended", "paid_through_saldo")
    assert await street.due(who) == 0
    assert "placement.ended" in street.system.events()
    assert await street.value("SELECT count(*) FROM holds WHERE lifted_at IS NULL") == 0


async def test_who_is_spared_is_not_placed_and_the_hold_is_named(
    street: Street, desk: Desk
) -> None:
    who = await street.neighbour()
    agency = await desk.agency()
    asked = await desk.propose_placement(who.cases[0], agency)
    assert asked.proposed is not None

    async def refused_because(named: str) -> None:
        again = await desk.propose_placement(who.cases[0], agency)
        assert again.proposed is None
        assert named in again.refused
        # What was proposed before is not carried out either.
        with pytest.raises(Conflict, match=named):
            await desk.says(Word.APPROVE, asked.proposed.id)  # type: ignore[union-attr]

    for kind in BY_HAND:
        async with street.store.unit(street.lender_id) as unit:
            await set_hold(
                unit, street.now, borrower_id=who.id, case_id=None, kind=kind, reason="x",
                ends_at=None, set_by="eva",
            )  # fmt: skip
        await refused_because(kind.replace("_", " "))
        await street.rows("UPDATE holds SET lifted_at = :now RETURNING id", now=street.now)
    await street.rows("UPDATE cases SET state = 'in_flight' RETURNING id")
    await refused_because("payment is on its way")
    await street.rows("UPDATE cases SET state = 'open' RETURNING id")
    await promised(street, who)
    await refused_because("promise")
    assert await street.value("SELECT count(*) FROM placements") == 0

    await street.rows("UPDATE promises SET state = 'cancelled' RETURNING id")
    await desk.says(Word.APPROVE, asked.proposed.id)
    again = await desk.propose_placement(who.cases[0], agency)
    assert "Norte has this case already" in again.refused


async def test_a_proposal_about_a_paid_case_is_taken_back(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    agency = await desk.agency()
    await desk.propose_placement(who.cases[0], agency)
    await street.repaid(who, "all")
    assert await street.value("SELECT state FROM approvals") == "withdrawn"
    assert "closed" in (await desk.propose_placement(who.cases[0], agency)).refused


async def promised(street: Street, who: Neighbour) -> None:
    await take_promise(
        street.house, street.now, lender_id=street.lender_id, case_id=who.cases[0],
        parts=[Part((street.now + timedelta(days=5)).date(), Money(12_000, "EUR"))],
        source=PromiseSource.DESK, made_by="eva",
    )  # fmt: skip


async def test_the_gate_counts_both_and_asks_the_agency_too(street: Street, desk: Desk) -> None:
    """Spain: one call a day. Whoever makes it, the other one waits."""
    who = await street.neighbour()
    placement = await desk.placed(who.cases[0], await desk.agency())

    async def window(channel: Channel = Channel.CALL) -> Any:
        return await ask_for_agency(
            street.house, street.now, lender_id=street.lender_id, placement_id=placement,
            channel=channel, actor="api",
        )  # fmt: skip

    assert (await window()).allowed
    street.hands.go_on(minutes=1)
    calls = 0
    while (await window()).allowed:
        await by_agency(street, placement, who.cases[0], outcome=TaskOutcome.NO_ANSWER)
        calls += 1
        street.hands.go_on(minutes=2)
        assert calls < 20
    assert calls
    refused = await window()
    assert refused.because
    # Our own limits are used up by the agency's calls, after the recall as well.
    await recalled(street, desk, placement)
    assert not await may_call(street, who)
    with pytest.raises(Conflict, match="over"):
        await window()

    rows = await street.rows("SELECT source, placement_id FROM contacts")
    assert {(row.source, row.placement_id) for row in rows} == {("agency", placement)}
    with pytest.raises(Invalid, match="made_at"):
        await by_agency(street, placement, who.cases[0], made_at=street.now - timedelta(days=3))
    street.hands.go_on(minutes=2)
    with pytest.raises(Invalid, match="made_at"):
        await by_agency(street, placement, who.cases[0])


async def test_a_dispute_told_to_the_agency_stops_the_agency(street: Street, desk: Desk) -> None:
    who = await street.neighbour(dues=(7_000, 5_000))
    placement = await desk.placed(who.cases[0], await desk.agency())
    street.hands.go_on(minutes=1)
    with pytest.raises(NotFound):
        await by_agency(street, placement, who.cases[1])
    await by_agency(street, placement, who.cases[0], outcome=TaskOutcome.DISPUTE, conversation=True)
    answer = await ask_for_agency(
        street.house, street.now, lender_id=street.lender_id, placement_id=placement,
        channel=Channel.EMAIL, actor="api",
    )  # fmt: skip
    assert not answer.allowed
    assert "dispute" in answer.because


async def test_the_robot_proposes_and_people_choose_the_agency(street: Street, desk: Desk) -> None:
    """The strategy's end: without an agency a person looks; with one, two people decide."""
    who, due = await fresh(street)
    await ends_by_placement(street)
    for day in range(24, 40):
        done = await on_day(street, due, day)
        if done.calls:
            await answer(street, who, TaskOutcome.NO_ANSWER)
        if done.ends:
            break
    assert await street.value("SELECT count(*) FROM approvals") == 0
    assert "review_case" in await street.tasks(who)

    agency = await desk.agency()
    proposed = await desk.robot_proposes(who.cases[0], ApprovalKind.PLACEMENT)
    with pytest.raises(Invalid, match="agency_id"):
        await desk.endorses(proposed.id)
    with pytest.raises(Invalid, match="considered"):
        await desk.says(Word.APPROVE, proposed.id)
    await desk.endorses(proposed.id, agency_id=agency)
    with pytest.raises(NotAllowed):
        await desk.says(Word.APPROVE, proposed.id, by="sue", role=Role.SUPERVISOR)
    await desk.says(Word.APPROVE, proposed.id)
    assert await street.value("SELECT state FROM placements") == "placed"


async def ends_by_placement(street: Street) -> None:
    await street.rows(
        "UPDATE strategy_versions SET body = jsonb_set(body, '{end,do}', '\"propose_placement\"')"
        " RETURNING id"
    )


async def test_the_strategy_itself_proposes_it_once(street: Street, desk: Desk) -> None:
    await desk.agency()
    who, due = await fresh(street)
    await ends_by_placement(street)
    for day in range(24, 44):
        done = await on_day(street, due, day)
        if done.calls:
            await answer(street, who, TaskOutcome.NO_ANSWER)
    rows = await street.rows("SELECT kind, state, proposed_by FROM approvals")
    assert [(row.kind, row.state, row.proposed_by) for row in rows] == [
        ("placement", "proposed", "saldo")
    ]
    approval = await street.value("SELECT id FROM approvals")
    await desk.says(Word.REFUSE, approval, note="Not yet.")
    assert "review_case" in await street.tasks(who), "a person says how it goes on"
    again = await desk.robot_proposes(who.cases[0], ApprovalKind.PLACEMENT)
    assert not again.new, "people have decided about this case"


async def test_agencies_are_written_by_who_may_and_each_change_is_recorded(
    street: Street, desk: Desk
) -> None:
    who = await street.neighbour()
    agency = await desk.agency()
    common: dict[str, Any] = {"lender_id": street.lender_id, "agency_id": agency}
    with pytest.raises(NotAllowed):
        await write_agency(
            street.house, street.now, terms=agency_terms("N", "n", 1), actor="max",
            user_id=await desk.person("max", Role.COLLECTION_MANAGER), **common,
        )  # fmt: skip
    for wrong in (
        ("", "x", 1),
        ("x", " ", 1),
        ("x", "x", 7_501),
        ("x", "x", -1),
        ("x" * 81, "x", 1),
    ):
        with pytest.raises(Invalid):
            agency_terms(*wrong)
    asked = await desk.propose_placement(who.cases[0], agency)
    assert asked.proposed is not None
    terms = agency_terms("Norte", "n@norte.example", 2_500, active=False)
    sol = await desk.person("sol")
    await write_agency(street.house, street.now, terms=terms, actor="sol", user_id=sol, **common)
    with pytest.raises(Conflict, match="no new cases"):
        await desk.says(Word.APPROVE, asked.proposed.id)
    with pytest.raises(Conflict, match="Another"):
        await desk.agency()
    line = (await street.rows("SELECT * FROM audit WHERE act = 'write_agency'"))[0]
    assert (line.before["active"], line.after["active"]) == (True, False)


async def test_another_lenders_agency_and_cases_are_not_there(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    agency = await desk.agency()
    placement = await desk.placed(who.cases[0], agency)
    mine, luna = street.lender_id, await make_lender(street.store, street.now)
    stranger = Desk(street)
    street.lender_id = luna
    try:
        theirs = await stranger.agency()
        result = await stranger.propose_placement(who.cases[0], theirs, by="luis")
        assert result.proposed is None
        assert "no such case" in result.refused
        with pytest.raises(NotFound):
            await stranger.propose_placement(who.cases[0], agency, by="luis")
        with pytest.raises(NotFound):
            await recalled(street, stranger, placement, by="luis")
        with pytest.raises(NotFound):
            await by_agency(street, placement, who.cases[0])
        with pytest.raises(NotFound):
            await ask_for_agency(
                street.house, street.now, lender_id=luna, placement_id=placement,
                channel=Channel.CALL, actor="api",
            )  # fmt: skip
    finally:
        street.lender_id = mine
    assert await street.value("SELECT state FROM placements") == "placed"


async def test_the_debt_may_shrink_and_not_grow_while_it_waits(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    agency = await desk.agency()
    asked = await desk.propose_placement(who.cases[0], agency)
    assert asked.proposed is not None
    await street.rows("UPDATE instalments SET amount_minor = amount_minor + 1 RETURNING id")
    with pytest.raises(Conflict, match="grown"):
        await desk.says(Word.APPROVE, asked.proposed.id)
    await street.repaid(who, "a part", minor=2_001)
    await desk.says(Word.APPROVE, asked.proposed.id)
    assert await street.value("SELECT amount_minor FROM placements") == 10_000


async def test_an_agency_is_named_and_forbearance_is_on_record(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    agency = await desk.agency()
    for considered in (CONSIDERED, {AGENCY: str(agency)}):
        with pytest.raises(Invalid):
            await desk.propose(ApprovalKind.PLACEMENT, who.cases[0], considered=considered)
    assert await street.value("SELECT count(*) FROM approvals") == 0


def test_a_placement_stops_what_presses_and_nobody_lifts_it_by_hand() -> None:
    placed = HoldKind.PLACED
    rule = RULES[placed]
    assert {HoldBlock.CONTACT, HoldBlock.PAYMENT_ASK, HoldBlock.READING} <= rule.always
    # What he asks is answered here, and the days go on.
    assert not {HoldBlock.EVERY_CONTACT, HoldBlock.DAYS, HoldBlock.FEES} & rule.blocks
    assert rule.lifted_by == frozenset()
