"""Promises on a real database: pressure stops, the deadline decides, late facts mend it."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.domain.approval import ApprovalKind
from app.domain.case import CaseClose
from app.domain.errors import Conflict, IllegalTransition, Invalid, NotAllowed, NotFound
from app.domain.money import Money
from app.domain.promise_terms import PromiseSource
from app.domain.task import TaskReason
from app.flows.approvals.decide_approval import Word
from app.flows.cases.refresh_loan import close_case
from app.flows.money.confirm_owed import confirm_owed
from app.flows.money.report_repayment import RepaymentWanted, report_repayment
from app.flows.work.cancel_promise import cancel_promise
from app.flows.work.watch_promises import watch_promises
from app.store.keys import new_id
from app.store.loans import Scheduled, lock_loan
from app.store.promises import open_promise_of
from app.store.tables import loans
from tests.flows.desk_people import Desk
from tests.flows.promising import call_task, promise, state_of, strategy, to_day
from tests.flows.street import Neighbour, Street

pytestmark = pytest.mark.anyio


async def test_a_promise_stops_calls_and_queued_messages(street: Street) -> None:
    who = await street.neighbour()
    # In the night nothing leaves: the text waits for the morning.
    street.hands.go_on(hours=13)
    await street.money_seen(who)
    await street.tick()
    assert await street.states("messages", who) == ["queued"]
    for reason in (TaskReason.CALL_BORROWER, TaskReason.COLLECTOR_ACTS, TaskReason.OVERPAID):
        await call_task(street, who, reason, reason.value)
    promise_id = await promise(street, who, (3, 12_000))
    assert await street.tasks(who) == ["overpaid"]
    assert await street.states("messages", who) == ["cancelled"]
    assert await street.value("SELECT cancel_reason FROM messages") == "promised"
    assert await street.value("SELECT ended_why FROM funds_signals") == "promised"
    async with street.store.unit(street.lender_id) as unit:
        standing = await open_promise_of(unit, who.cases[0])
    assert standing is not None
    assert (standing.id, standing.total) == (promise_id, Money(12_000, "EUR"))
    # Money that is seen meanwhile presses nobody.
    await street.money_seen_again(who)
    await street.tick()
    await street.minutes_pass(600)
    assert street.carrier.taken == []
    rules = await street.rows("SELECT details FROM timeline WHERE kind = 'decision' ORDER BY id")
    assert rules[-1].details["rule"] == "promised"


async def test_kept_by_one_payment_and_the_case_closes(street: Street) -> None:
    who = await street.neighbour()
    promise_id = await promise(street, who, (3, 12_000))
    await to_day(street, 2)
    await street.repaid(who, "R1")
    assert await state_of(street, promise_id) == "kept"
    assert await street.value("SELECT state FROM cases") == "closed"
    assert await street.tasks(who) == []
    await to_day(street, 3)
    assert await street.tasks(who) == []


async def test_kept_by_several_payments_while_more_is_due(street: Street) -> None:
    who = await street.neighbour()
    promise_id = await promise(street, who, (3, 5_000))
    await street.repaid(who, "R1", minor=2_000)
    assert await state_of(street, promise_id) == "open"
    street.hands.go_on(days=1)
    await street.repaid(who, "R2", minor=3_000)
    assert await state_of(street, promise_id) == "kept"
    row = (await street.rows("SELECT state, next_step_at FROM cases"))[0]
    assert row.state == "open"
    assert row.next_step_at == street.now


async def test_unpaid_the_day_after_is_a_task_on_top(street: Street) -> None:
    who = await street.neighbour()
    promise_id = await promise(street, who, (3, 12_000))
    await call_task(street, who, TaskReason.BORROWER_SAYS_PAID, "x")
    await to_day(street, 3, hour=22)
    # 22:00 UTC of the last day is 23:00 in Madrid: there is still an hour.
    assert await state_of(street, promise_id) == "open"
    assert "promise_broken" not in await street.tasks(who)
    street.hands.go_on(hours=1)
    await street.tick()
    assert await state_of(street, promise_id) == "broken"
    assert await street.tasks(who) == ["promise_broken", "borrower_says_paid"]
    situation = await street.value("SELECT situation FROM tasks WHERE reason = 'promise_broken'")
    assert situation["missing_minor"] == 12_000
    assert await street.value("SELECT next_step_at FROM cases") == street.now
    # Looked at again, nothing more happens.
    await street.tick()
    await to_day(street, 1)
    assert await street.tasks(who) == ["promise_broken", "borrower_says_paid"]


async def test_a_part_is_neither_kept_nor_broken(street: Street) -> None:
    who = await street.neighbour()
    promise_id = await promise(street, who, (3, 12_000))
    await street.repaid(who, "R1", minor=7_000)
    await to_day(street, 4)
    assert await state_of(street, promise_id) == "part"
    assert await street.tasks(who) == ["promise_broken"]


async def test_within_the_tolerance_of_its_strategy_it_is_kept(street: Street) -> None:
    who = await street.neighbour()
    await strategy(street, who, {"tolerance_basis_points": 100, "max_parts": 1})
    with pytest.raises(Invalid):
        await promise(street, who, (1, 5_000), (3, 5_000))
    promise_id = await promise(street, who, (3, 10_000))
    await street.repaid(who, "R1", minor=9_899)
    assert await state_of(street, promise_id) == "open"
    await street.repaid(who, "R2", minor=1)
    assert await state_of(street, promise_id) == "kept"


async def test_several_parts_and_a_reminder_before_each(street: Street) -> None:
    who = await street.neighbour()
    promise_id = await promise(street, who, (3, 5_000), (8, 5_000))
    await to_day(street, 1)
    assert await street.value("SELECT count(*) FROM strategy_steps") == 0
    await to_day(street, 1)
    steps = "SELECT name, kind, on_day, result FROM strategy_steps ORDER BY on_day"
    found = await street.rows(steps)
    assert [(row.kind, row.result) for row in found] == [("promise_reminder", None)]
    assert found[0].on_day == street.now.date()
    assert found[0].name == f"{promise_id}/1"
    await street.repaid(who, "R1", minor=10_000)
    assert await state_of(street, promise_id) == "kept"


async def test_what_is_paid_already_is_not_reminded_of(street: Street) -> None:
    who = await street.neighbour()
    await promise(street, who, (3, 5_000), (8, 5_000))
    await street.repaid(who, "R1", minor=5_000)
    await to_day(street, 2)
    found = await street.rows("SELECT result FROM strategy_steps")
    assert [row.result for row in found] == ["paid"]


async def test_missed_days_of_the_clock_change_nothing_about_the_verdict(street: Street) -> None:
    who = await street.neighbour()
    promise_id = await promise(street, who, (3, 5_000), (8, 5_000))
    street.hands.go_on(days=20)
    first, second = await asyncio.gather(
        watch_promises(street.house, street.now), watch_promises(street.house, street.now)
    )
    assert first.looked_at + second.looked_at == 1
    assert await state_of(street, promise_id) == "broken"
    # Nobody is reminded of a day that has passed.
    assert await street.value("SELECT count(*) FROM strategy_steps") == 0


async def test_one_promise_at_a_time_also_when_two_are_taken_at_once(street: Street) -> None:
    who = await street.neighbour()
    results = await asyncio.gather(
        promise(street, who, (3, 5_000)), promise(street, who, (4, 5_000)), return_exceptions=True
    )
    assert [type(one) for one in results].count(Conflict) == 1
    with pytest.raises(Conflict):
        await promise(street, who, (5, 5_000))


async def test_a_broken_one_blocks_an_automatic_second(street: Street) -> None:
    who = await street.neighbour()
    await promise(street, who, (1, 5_000), source=PromiseSource.PAGE)
    await to_day(street, 2)
    for source in (PromiseSource.PAGE, PromiseSource.API):
        with pytest.raises(NotAllowed):
            await promise(street, who, (1, 5_000), source=source, note="surely")
    with pytest.raises(Invalid):
        await promise(street, who, (1, 5_000))
    second = await promise(street, who, (1, 5_000), note="wages were late")
    assert await street.tasks(who) == []
    await street.repaid(who, "R1", minor=5_000)
    assert await state_of(street, second) == "kept"
    # One that was kept clears the way again.
    await promise(street, who, (1, 5_000), source=PromiseSource.API)


async def test_a_cent_before_each_deadline_puts_calls_off_once_and_no_longer(
    street: Street,
) -> None:
    """A promise calls off the calls of its case: who pays a cent of each would never be called."""
    who = await street.neighbour()
    for number in (1, 2):
        made = await promise(street, who, (1, 5_000), source=PromiseSource.PAGE)
        await street.repaid(who, f"R{number}", minor=1)
        await to_day(street, 2)
        assert await state_of(street, made) == "part"
        assert await street.tasks(who) == ["promise_broken"]
    with pytest.raises(NotAllowed, match="A person has to agree"):
        await promise(street, who, (1, 5_000), source=PromiseSource.PAGE)
    assert await street.tasks(who) == ["promise_broken"]


async def test_what_cannot_be_promised(street: Street) -> None:
    who = await street.neighbour()
    with pytest.raises(NotFound):
        await promise(street, who, (1, 5_000), case_id=new_id())
    for parts in ([(1, 12_001)], [(-1, 5_000)], [(40, 5_000)]):
        with pytest.raises(Invalid):
            await promise(street, who, *parts)
    with pytest.raises(Invalid):
        await promise(street, who, (1, 5_000), note="x" * 501)
    await street.repaid(who, "R1")
    with pytest.raises(Conflict):
        await promise(street, who, (1, 5_000))
    assert await street.value("SELECT count(*) FROM promises") == 0
    assert await street.value("SELECT count(*) FROM promise_parts") == 0


async def test_a_promise_is_cancelled_with_a_reason_and_only_while_it_is_open(
    street: Street,
) -> None:
    who = await street.neighbour()
    promise_id = await promise(street, who, (3, 5_000))
    given: dict[str, Any] = {
        "lender_id": street.lender_id, "promise_id": promise_id, "actor": "eva",
    }  # fmt: skip
    with pytest.raises(Invalid):
        await cancel_promise(street.house, street.now, **given, reason="  ")
    with pytest.raises(NotFound):
        await cancel_promise(
            street.house, street.now, **{**given, "promise_id": new_id()}, reason="x"
        )
    await cancel_promise(street.house, street.now, **given, reason="agreed on Friday instead")
    row = (await street.rows("SELECT state, ended_why, next_look_at FROM promises"))[0]
    assert tuple(row) == ("cancelled", "agreed on Friday instead", None)
    with pytest.raises(IllegalTransition):
        await cancel_promise(street.house, street.now, **given, reason="again")
    again = await promise(street, who, (2, 5_000))
    await to_day(street, 3)
    with pytest.raises(IllegalTransition):
        await cancel_promise(
            street.house, street.now, **{**given, "promise_id": again}, reason="make it go away"
        )
    assert await state_of(street, again) == "broken"


async def test_a_case_that_closes_unpaid_ends_its_promise_without_a_verdict(
    street: Street,
) -> None:
    who = await street.neighbour()
    promise_id = await promise(street, who, (3, 5_000))
    street.hands.go_on(hours=1)
    await confirm_owed(
        street.house,
        street.now,
        street.lender_id,
        f"{who.ref}-L0",
        as_of=street.now,
        schedule=(Scheduled(1, date(2026, 9, 1), 12_000, 0),),
    )
    assert await state_of(street, promise_id) == "cancelled"
    assert await street.value("SELECT ended_why FROM promises") == "not_due"


async def test_promises_of_two_loans_do_not_mix(street: Street) -> None:
    who = await street.neighbour(dues=(5_000, 7_000))
    first = await promise(street, who, (3, 5_000))
    second = await promise(street, who, (3, 7_000), case_id=who.cases[1])
    await street.repaid(who, "R1")
    assert [await state_of(street, one) for one in (first, second)] == ["kept", "open"]


async def test_the_lender_is_told(street: Street) -> None:
    who = await street.neighbour()
    await promise(street, who, (1, 5_000))
    await to_day(street, 2)
    await street.tick()
    told = [(one["type"], one["data"].get("state")) for one in await street.told()]
    assert ("promise.made", None) in told
    assert ("promise.changed", "broken") in told


async def test_the_kept_rate_tells_the_truth(street: Street) -> None:
    """Elsewhere kept and broken were never written, and every promise counted as kept."""
    people = [await street.neighbour() for _ in range(4)]
    for who in people:
        await promise(street, who, (2, 12_000))
    await street.repaid(people[0], "R0")
    await street.repaid(people[1], "R1", minor=7_000)
    await to_day(street, 3)
    rows = await street.rows("SELECT state, count(*) AS many FROM promises GROUP BY state")
    assert {row.state: row.many for row in rows} == {"kept": 1, "part": 1, "broken": 2}


async def test_a_collection_that_ends_takes_its_promise_along(street: Street) -> None:
    who = await street.neighbour()
    promise_id = await promise(street, who, (3, 12_000))
    async with street.store.unit(street.lender_id) as unit:
        loan = await lock_loan(unit, who.loans[0])
        await close_case(unit, street.now, loan, CaseClose.FAILED)
        await unit.conn.execute(
            update(loans).where(loans.c.id == loan.id).values(collection_ended_at=street.now)
        )
    assert await state_of(street, promise_id) == "cancelled"
    assert await street.value("SELECT ended_why FROM promises") == "failed"


# ------------------------------------------------------------------ a lender who reports nothing


async def says_owed(street: Street, who: Neighbour, paid: int, *, amount: int = 12_000) -> None:
    """The ledger's word of this moment, with nothing else reported."""
    await confirm_owed(
        street.house, street.now, street.lender_id, f"{who.ref}-L0", as_of=street.now,
        schedule=(Scheduled(1, (street.now - timedelta(days=5)).date(), amount, paid),),
    )  # fmt: skip


async def test_a_ledger_that_falls_keeps_a_promise_that_nobody_reported_money_for(
    street: Street,
) -> None:
    kept, part, none = [await street.neighbour() for _ in range(3)]
    ids = [await promise(street, who, (2, 5_000)) for who in (kept, part, none)]
    street.hands.go_on(hours=24)
    # A fee on the same day hides nothing.
    await says_owed(street, kept, 5_000, amount=12_700)
    await says_owed(street, part, 2_000)
    await says_owed(street, none, 0, amount=12_700)
    assert [await state_of(street, one) for one in ids] == ["kept", "open", "open"]
    await to_day(street, 5)
    assert [await state_of(street, one) for one in ids] == ["kept", "part", "broken"]
    # The word of the morning after speaks of money that may have come in time: it mends.
    await says_owed(street, none, 5_000, amount=12_700)
    assert await state_of(street, ids[2]) == "kept"


async def test_money_that_is_reported_after_the_ledger_showed_it_counts_once(
    street: Street,
) -> None:
    who = await street.neighbour()
    promised = await promise(street, who, (2, 8_000))
    street.hands.go_on(hours=10)
    came = street.now - timedelta(hours=1)
    await says_owed(street, who, 5_000)
    wanted = RepaymentWanted("R-1", Money(5_000, "EUR"), came)
    await report_repayment(street.house, street.now, street.lender_id, f"{who.ref}-L0", wanted)
    await says_owed(street, who, 5_000)
    assert await state_of(street, promised) == "open", "5,000 of 8,000, not 10,000"
    street.hands.go_on(hours=1)
    await says_owed(street, who, 8_000)
    assert await state_of(street, promised) == "kept"


async def test_a_forgiven_part_that_the_ledger_takes_over_is_still_no_payment(
    street: Street,
) -> None:
    who, desk = await street.neighbour(), Desk(street)
    promised = await promise(street, who, (2, 5_000))
    street.hands.go_on(minutes=10)
    amount = Money(5_000, "EUR")
    asked = await desk.propose(ApprovalKind.FORGIVENESS, who.loans[0], amount=amount)
    await desk.says(Word.APPROVE, asked.id)
    street.hands.go_on(hours=1)
    await says_owed(street, who, 0)
    street.hands.go_on(hours=1)
    await says_owed(street, who, 5_000)
    assert await state_of(street, promised) == "open"
