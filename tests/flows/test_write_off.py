"""Write-offs, and what takes relief back: two people, one entry each, nothing taken away."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.domain.approval import ApprovalKind, ApprovalState
from app.domain.errors import Conflict, IllegalTransition, Invalid, Refused
from app.domain.money import Money
from app.flows.approvals.decide_approval import Word
from app.flows.cases.open_cases import open_cases
from app.flows.money.confirm_owed import confirm_owed
from app.store.keys import new_id
from app.store.loans import Scheduled
from tests.flows.desk_people import Desk, loan_of, unpaid
from tests.flows.street import Street

pytestmark = pytest.mark.anyio


async def events(street: Street) -> list[str]:
    await street.tick()
    return street.system.events()


# ------------------------------------------------------------------ write-off


async def test_two_people_write_a_loan_off_and_all_pressure_stops(
    street: Street, desk: Desk
) -> None:
    who = await street.neighbour()
    await street.money_seen(who)
    await street.work_off()
    proposed = await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    assert (await loan_of(street, who)).state == "active", "a proposal changes nothing"

    decided = await desk.says(Word.APPROVE, proposed.id)

    assert decided.state is ApprovalState.APPROVED
    loan = await loan_of(street, who)
    assert (loan.state, loan.case_id, loan.collection_ended_at) == (
        "written_off",
        None,
        street.now,
    )
    case = (await street.rows("SELECT * FROM cases"))[0]
    assert (case.state, case.close_reason) == ("closed", "written_off")
    entry = (await street.rows("SELECT * FROM adjustments"))[0]
    assert (entry.kind, entry.amount_minor, entry.approval_id) == (
        "write_off",
        12_000,
        proposed.id,
    )
    assert await unpaid(street, who) == 12_000, "the debt is recorded, not gone"
    waiting = "SELECT count(*) FROM messages WHERE state IN ('queued', 'sending', 'unknown')"
    assert await street.value(waiting) == 0
    assert await street.value("SELECT count(*) FROM payment_links WHERE state = 'live'") == 0
    assert await street.value("SELECT count(*) FROM funds_signals WHERE ended_at IS NULL") == 0
    assert await street.value("SELECT next_read_at FROM accounts") is None
    told = await events(street)
    assert "loan.written_off" in told
    assert "approval.decided" in told
    await street.days_pass(3, minutes=480)
    await open_cases(street.house, street.now)
    assert await street.value("SELECT count(*) FROM cases WHERE state <> 'closed'") == 0
    assert not street.carrier.taken


async def test_the_amount_is_what_is_unpaid_when_it_is_decided(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    proposed = await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    await street.repaid(who, "R-1", minor=2_000)
    await desk.says(Word.APPROVE, proposed.id)
    assert await street.value("SELECT amount_minor FROM adjustments") == 10_000


async def test_a_debt_that_has_grown_needs_a_new_proposal(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    proposed = await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    street.hands.go_on(hours=1)
    due_on = (street.now - timedelta(days=5)).date()
    await confirm_owed(
        street.house, street.now, street.lender_id, f"{who.ref}-L0", as_of=street.now,
        schedule=(Scheduled(1, due_on, 15_000, 0),),
    )  # fmt: skip
    with pytest.raises(Conflict, match="grown"):
        await desk.says(Word.APPROVE, proposed.id)
    assert (await loan_of(street, who)).state == "active"
    assert await street.value("SELECT state FROM approvals") == "proposed"


async def test_money_that_comes_later_is_still_booked(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    await desk.given_up(who.loans[0])
    booked = await street.repaid(who, "R-1", minor=5_000)
    assert booked.counted
    assert not booked.overpaid
    assert not booked.remaining_due
    assert await unpaid(street, who) == 7_000
    assert (await loan_of(street, who)).state == "written_off"


async def test_the_lenders_ledger_alone_does_not_take_it_back(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    await desk.given_up(who.loans[0])
    due_on = (street.now - timedelta(days=5)).date()
    for closed in (False, True, False):
        street.hands.go_on(hours=1)
        await confirm_owed(
            street.house, street.now, street.lender_id, f"{who.ref}-L0", as_of=street.now,
            schedule=(Scheduled(1, due_on, 12_000, 0),), closed=closed,
        )  # fmt: skip
        assert (await loan_of(street, who)).state == "written_off"


async def test_a_payment_on_its_way_is_waited_for(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    proposed = await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE cases SET state = 'in_flight'"))
    with pytest.raises(Conflict, match="on its way"):
        await desk.says(Word.APPROVE, proposed.id)
    assert (await loan_of(street, who)).state == "active"


async def test_an_open_promise_is_waited_for_no_more(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    own = {"lender": street.lender_id, "loan": who.loans[0], "now": street.now, "id": new_id()}
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(
            text(
                "INSERT INTO promises (lender_id, id, borrower_id, case_id, loan_id, currency,"
                " source, made_by, made_at, next_look_at) SELECT :lender, :id, borrower_id,"
                " case_id, id, currency, 'desk', 'carla', :now, :now FROM loans WHERE id = :loan"
            ),
            own,
        )
        await unit.conn.execute(
            text(
                "INSERT INTO promise_parts (lender_id, promise_id, number, due_on, amount_minor)"
                " VALUES (:lender, :id, 1, '2026-03-20', 12000)"
            ),
            own,
        )
    await desk.given_up(who.loans[0])
    promise = (await street.rows("SELECT * FROM promises"))[0]
    assert (promise.state, promise.next_look_at) == ("cancelled", None)


async def test_a_refusal_asks_a_person_and_the_robot_not_again(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    proposed = await desk.robot_proposes(who.loans[0])
    assert proposed.new
    refused = await desk.says(Word.REFUSE, proposed.id, note="Try a plan first.")
    assert refused.state is ApprovalState.REFUSED
    task = (await street.rows("SELECT * FROM tasks WHERE reason = 'review_case'"))[0]
    assert (task.state, task.case_id) == ("open", who.cases[0])
    again = await desk.robot_proposes(who.loans[0])
    assert (again.new, again.id, again.state) == (False, proposed.id, ApprovalState.REFUSED)
    # A person may see it differently later.
    assert (await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])).new


async def test_a_refusal_says_why(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    proposed = await desk.robot_proposes(who.loans[0])
    with pytest.raises(Invalid, match="note"):
        await desk.says(Word.REFUSE, proposed.id, note="  ")


async def test_what_waits_waits_once(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    first = await desk.robot_proposes(who.loans[0])
    again = await desk.robot_proposes(who.loans[0])
    person = await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    assert {first.id, again.id, person.id} == {first.id}
    assert (first.new, again.new, person.new) == (True, False, False)
    assert await street.value("SELECT count(*) FROM approvals") == 1


async def test_a_paid_loan_takes_its_proposal_with_it(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    proposed = await desk.robot_proposes(who.loans[0])
    await street.repaid(who, "R-1")
    row = (await street.rows("SELECT * FROM approvals"))[0]
    assert (row.state, row.decided_by) == ("withdrawn", "saldo")
    with pytest.raises(IllegalTransition):
        await desk.says(Word.APPROVE, proposed.id)


@pytest.mark.parametrize(
    ("missing", "field"),
    [({"considered": {}}, "considered"), ({"reason": " "}, "reason")],
)
async def test_a_person_brings_a_reason_and_the_record_of_forbearance(
    missing: dict[str, Any], field: str, street: Street, desk: Desk
) -> None:
    who = await street.neighbour()
    with pytest.raises(Invalid) as refused:
        await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0], **missing)
    assert refused.value.field == field
    assert await street.value("SELECT count(*) FROM approvals") == 0


# ------------------------------------------------------------------ reversal


async def test_a_write_off_is_taken_back_by_another_entry(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    entry = await desk.given_up(who.loans[0])
    street.hands.go_on(days=2)
    await street.repaid(who, "R-1", minor=2_000)
    proposed = await desk.propose(ApprovalKind.REVERSAL, entry)
    await desk.says(Word.APPROVE, proposed.id)
    loan = await loan_of(street, who)
    assert (loan.state, loan.case_id, loan.collection_ended_at) == ("active", who.cases[0], None)
    assert await unpaid(street, who) == 10_000, "money that came meanwhile stays"
    case = (await street.rows("SELECT * FROM cases"))[0]
    assert (case.state, case.close_reason, case.closed_at) == ("open", None, None)
    kinds = [row.kind for row in await street.rows("SELECT * FROM adjustments ORDER BY made_at")]
    assert kinds == ["write_off", "reversal"]
    assert await street.value("SELECT count(*) FROM tasks WHERE reason = 'review_case'") == 1
    assert not (await desk.robot_proposes(who.loans[0])).new, "people have decided about this case"
    assert "loan.reinstated" in await events(street)
    body = next(json.loads(call.body) for call in street.system.calls if b"reinstated" in call.body)
    assert body["data"]["reverses"] == str(entry)


async def test_a_forgiveness_is_taken_back_to_the_cent(street: Street, desk: Desk) -> None:
    who = await street.neighbour(dues=(12_000,))
    proposed = await desk.propose(
        ApprovalKind.FORGIVENESS, who.loans[0], amount=Money(12_000, "EUR")
    )
    await desk.says(Word.APPROVE, proposed.id)
    entry: UUID = await street.value("SELECT id FROM adjustments")
    reversal = await desk.propose(ApprovalKind.REVERSAL, entry)
    await desk.says(Word.APPROVE, reversal.id)
    assert await unpaid(street, who) == 12_000
    assert (await loan_of(street, who)).case_id == who.cases[0]
    assert await street.value("SELECT reversed_at FROM repayments") == street.now


async def test_nothing_is_reversed_twice(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    entry = await desk.given_up(who.loans[0])
    proposed = await desk.propose(ApprovalKind.REVERSAL, entry)
    await desk.says(Word.APPROVE, proposed.id)
    with pytest.raises(Conflict, match="already"):
        await desk.propose(ApprovalKind.REVERSAL, entry)
    reversal = await street.value("SELECT id FROM adjustments WHERE kind = 'reversal'")
    with pytest.raises(Conflict):
        await desk.propose(ApprovalKind.REVERSAL, reversal)
    # What was taken back may be given up again, by two people again.
    await desk.given_up(who.loans[0])
    assert (await loan_of(street, who)).state == "written_off"


# ------------------------------------------------------------------ at once


async def test_of_two_who_decide_at_once_one_wins(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    proposed = await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    for name in ("april", "axel", "anna"):
        await desk.person(name)
    ends = await asyncio.gather(
        desk.says(Word.APPROVE, proposed.id, by="april"),
        desk.says(Word.APPROVE, proposed.id, by="axel"),
        desk.says(Word.REFUSE, proposed.id, by="anna"),
        desk.says(Word.APPROVE, proposed.id, by="april"),
        return_exceptions=True,
    )
    lost = [end for end in ends if isinstance(end, BaseException)]
    assert len(lost) == 3
    assert all(isinstance(end, Refused) for end in lost), lost
    state = await street.value("SELECT state FROM approvals")
    written = await street.value("SELECT count(*) FROM adjustments")
    assert (state, written) in {("approved", 1), ("refused", 0)}


async def test_money_and_a_write_off_at_once_leave_one_truth(street: Street, desk: Desk) -> None:
    who = await street.neighbour()
    proposed = await desk.propose(ApprovalKind.WRITE_OFF, who.loans[0])
    await desk.person("april")
    ends = await asyncio.gather(
        desk.says(Word.APPROVE, proposed.id), street.repaid(who, "R-1"), return_exceptions=True
    )
    assert await unpaid(street, who) == 0, "the money is booked either way"
    loan, state = await loan_of(street, who), await street.value("SELECT state FROM approvals")
    assert (loan.state, state) in {("written_off", "approved"), ("active", "withdrawn")}
    assert not isinstance(ends[1], BaseException)
