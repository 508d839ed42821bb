"""The next case: the best one, never two people on the same borrower, never against the gate."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.domain.assignment import LEADS_DECIDE
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import UserId
from app.domain.reminder import ReminderCondition
from app.domain.roles import Role
from app.domain.task import TaskReason
from app.flows.lenders.manage_users import change_role
from app.flows.work.hand_over import come_back, hand_over
from app.flows.work.keep_reminders import drop_reminder, raise_reminders, set_reminder
from app.flows.work.next_case import Served, next_case
from app.flows.work.open_task import open_task
from app.flows.work.work_task import give_back_tasks, release_task, take_task
from app.store.keys import new_id
from tests.flows.street import Neighbour, Street
from tests.flows.test_tasks_and_brakes import collector
from tests.flows.test_tasks_and_brakes import some_task as task_of_cause

pytestmark = pytest.mark.anyio


async def some_task(street: Street, who: Neighbour, **more: Any) -> UUID:
    """A task with a cause of its own."""
    task_id = await task_of_cause(street, who, new_id().hex, **more)
    assert task_id is not None
    return task_id


async def serve(street: Street, user_id: UserId) -> Served | None:
    return await next_case(
        street.house, street.now, lender_id=street.lender_id, user_id=user_id, actor="somebody"
    )


async def gives_back(street: Street, served: Served | None, user_id: UserId) -> None:
    assert served is not None
    await release_task(
        street.house,
        street.now,
        lender_id=street.lender_id,
        task_id=served.task_id,
        user_id=user_id,
        actor="somebody",
    )


async def reason_of(street: Street, served: Served | None) -> str:
    assert served is not None
    return str(await street.value("SELECT reason FROM tasks WHERE id = :id", id=served.task_id))


async def test_the_most_urgent_first_and_what_is_in_hand_before_it(street: Street) -> None:
    one, two = await street.neighbour(), await street.neighbour()
    await some_task(street, one, reason=TaskReason.CALL_BORROWER)
    await some_task(street, two, reason=TaskReason.PROMISE_BROKEN)
    eva = await collector(street, "eva")
    first = await serve(street, eva)
    assert await reason_of(street, first) == "promise_broken"
    assert first is not None
    assert not first.in_hand
    again = await serve(street, eva)
    assert again == Served(first.task_id, first.case_id, in_hand=True)


@pytest.mark.parametrize("reason", sorted(LEADS_DECIDE))
async def test_what_he_may_not_end_is_not_served(street: Street, reason: TaskReason) -> None:
    """Given back, it would be the next one again, and nothing behind it ever."""
    await some_task(street, await street.neighbour(), reason=reason, priority=1)
    call = await some_task(street, await street.neighbour())
    eva, sue = await collector(street, "eva"), await collector(street, "sue")
    served = await serve(street, eva)
    assert served is not None
    assert served.task_id == call
    await change_role(
        street.house,
        street.now,
        lender_id=street.lender_id,
        user_id=sue,
        role=Role.SUPERVISOR,
        actor="ann",
    )
    assert await reason_of(street, await serve(street, sue)) == reason


async def test_a_task_about_the_person_is_served_on_a_case_of_his(street: Street) -> None:
    """Else whoever takes the next one stands before the board, and has to look for it there."""
    who = await street.neighbour(dues=(7_000, 5_000))
    async with street.store.unit(street.lender_id) as unit:
        await open_task(
            unit,
            street.now,
            borrower_id=who.id,
            reason=TaskReason.BORROWER_DISPUTES,
            cause=new_id(),
        )
    eva = await collector(street, "eva")
    served = await serve(street, eva)
    assert served is not None
    assert served.case_id == who.cases[0]
    assert await serve(street, eva) == Served(served.task_id, who.cases[0], in_hand=True)


async def test_of_equals_the_one_with_money_in_sight(street: Street) -> None:
    people = [await street.neighbour() for _ in range(3)]
    for who in people:
        await some_task(street, who, reason=TaskReason.CALL_BORROWER)
        street.hands.go_on(minutes=1)
    await street.money_seen(people[2])
    served = await serve(street, await collector(street, "eva"))
    assert served is not None
    assert served.case_id == people[2].cases[0]


async def test_many_agents_never_get_the_same_call(street: Street) -> None:
    for _ in range(6):
        await some_task(street, await street.neighbour(), reason=TaskReason.CALL_BORROWER)
    agents = [await collector(street, f"a{number}") for number in range(8)]
    served = await asyncio.gather(*(serve(street, agent) for agent in agents))
    got = [one.task_id for one in served if one is not None]
    assert len(got) == len(set(got)) == 6
    taken = await street.rows("SELECT taken_by FROM tasks WHERE state = 'taken'")
    assert len({row.taken_by for row in taken}) == 6


async def test_two_tasks_of_one_person_never_go_to_two_agents(street: Street) -> None:
    who = await street.neighbour(dues=(5_000, 7_000))
    await some_task(street, who, reason=TaskReason.CALL_BORROWER)
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(text("UPDATE tasks SET case_id = :id"), {"id": who.cases[1]})
    await some_task(street, who, reason=TaskReason.CALL_BORROWER)
    eva, leo = await collector(street, "eva"), await collector(street, "leo")
    served = await asyncio.gather(serve(street, eva), serve(street, leo))
    assert len([one for one in served if one is not None]) == 1


async def test_no_call_is_served_against_the_gate_and_other_work_is(street: Street) -> None:
    who, other = await street.neighbour(), await street.neighbour()
    await some_task(street, who, reason=TaskReason.CALL_BORROWER)
    await some_task(street, other, reason=TaskReason.BANK_DOWN)
    street.hands.go_on(hours=13)  # midnight in Madrid
    eva = await collector(street, "eva")
    served = await serve(street, eva)
    assert await reason_of(street, served) == "bank_down"
    await gives_back(street, served, eva)
    query = "SELECT not_before, situation FROM tasks WHERE reason = 'call_borrower'"
    row = (await street.rows(query))[0]
    assert row.not_before > street.now
    assert row.situation["later_because"]
    # At the time it names, it is served.
    street.hands.go_on(seconds=(row.not_before - street.now).total_seconds())
    assert await reason_of(street, await serve(street, eva)) == "call_borrower"


async def test_what_waits_for_its_time_or_another_person_is_not_served(street: Street) -> None:
    who, other = await street.neighbour(), await street.neighbour()
    eva, leo = await collector(street, "eva"), await collector(street, "leo")
    later = street.now + timedelta(hours=1)
    await some_task(street, who, reason=TaskReason.REVIEW_CASE, not_before=later)
    await some_task(street, other, reason=TaskReason.REVIEW_CASE, given_to=leo)
    assert await serve(street, eva) is None
    served = await serve(street, leo)
    assert served is not None
    assert served.case_id == other.cases[0]
    street.hands.go_on(hours=1)
    served = await serve(street, eva)
    assert served is not None
    assert served.case_id == who.cases[0]


async def test_an_abandoned_task_is_served_to_the_next(street: Street) -> None:
    await some_task(street, await street.neighbour(), reason=TaskReason.CALL_BORROWER)
    eva, leo = await collector(street, "eva"), await collector(street, "leo")
    first = await serve(street, eva)
    assert await serve(street, leo) is None
    street.hands.real += timedelta(minutes=31)
    await give_back_tasks(street.house, street.now)
    second = await serve(street, leo)
    assert first is not None
    assert second is not None
    assert second.task_id == first.task_id


# ------------------------------------------------------------------ handing over


async def hands(street: Street, from_id: UserId, to_id: UserId | None, **more: Any) -> int:
    return await hand_over(
        street.house,
        street.now,
        lender_id=street.lender_id,
        from_id=from_id,
        to_id=to_id,
        actor="eva",
        **more,
    )


async def busy(street: Street, user_id: UserId, number: int) -> list[Neighbour]:
    """`number` people whose tasks he has, the last one only kept for him."""
    people = []
    for place in range(number):
        who = await street.neighbour()
        people.append(who)
        kept = user_id if place == number - 1 else None
        task_id = await some_task(street, who, reason=TaskReason.REVIEW_CASE, given_to=kept)
        if kept is None:
            await take_task(
                street.house,
                street.now,
                lender_id=street.lender_id,
                task_id=task_id,
                user_id=user_id,
                actor="eva",
            )
    return people


async def test_a_shift_ends_and_its_tasks_go_to_a_colleague(street: Street) -> None:
    eva, leo = await collector(street, "eva"), await collector(street, "leo")
    await busy(street, eva, 3)
    assert await hands(street, eva, leo) == 3
    rows = await street.rows("SELECT state, taken_by, given_to FROM tasks")
    assert {tuple(row) for row in rows} == {("open", None, leo)}
    assert await hands(street, eva, leo) == 0
    assert await hands(street, leo, None) == 3
    assert await street.value("SELECT count(*) FROM tasks WHERE given_to IS NOT NULL") == 0
    acts = await street.rows("SELECT act, after FROM audit ORDER BY id")
    assert [row.after["tasks"] for row in acts if row.act == "hand_over"] == [3, 0, 3]


async def test_all_goes_over_however_much_it_is(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.flows.work.hand_over._BATCH", 2)
    eva, leo = await collector(street, "eva"), await collector(street, "leo")
    await busy(street, eva, 5)
    assert await hands(street, eva, leo) == 5
    assert await street.value("SELECT count(*) FROM tasks WHERE given_to = :leo", leo=leo) == 5
    acts = await street.rows("SELECT after FROM audit WHERE act = 'hand_over' ORDER BY id")
    assert [row.after["tasks"] for row in acts] == [2, 2, 1]


async def test_what_stayed_is_said(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.flows.work.hand_over._BATCH", 2)
    monkeypatch.setattr("app.flows.work.hand_over._MOST_BATCHES", 1)
    eva, leo = await collector(street, "eva"), await collector(street, "leo")
    await busy(street, eva, 3)
    with pytest.raises(Conflict, match="2 tasks are handed over, 1 stayed"):
        await hands(street, eva, leo)
    assert await hands(street, eva, leo) == 1


async def test_nothing_goes_to_somebody_who_is_not_there(street: Street) -> None:
    eva, leo = await collector(street, "eva"), await collector(street, "leo")
    await busy(street, eva, 2)
    today = street.now.date()
    await hands(street, leo, None, away_until=today)
    with pytest.raises(Invalid, match="away"):
        await hands(street, eva, leo)
    with pytest.raises(Invalid):
        await hands(street, eva, eva)
    with pytest.raises(NotFound):
        await hands(street, eva, UserId(new_id()))
    with pytest.raises(Invalid):
        await hands(street, eva, None, away_until=today - timedelta(days=1))
    for change in ("role = 'compliance'", "role = 'collector', disabled_at = now()"):
        await come_back(
            street.house, street.now, lender_id=street.lender_id, user_id=leo, actor="leo"
        )
        async with street.store.engine_unit() as unit:
            await unit.conn.execute(text(f"UPDATE users SET {change} WHERE id = :id"), {"id": leo})
        with pytest.raises(Invalid, match="does not work tasks"):
            await hands(street, eva, leo)
    assert await street.value("SELECT count(*) FROM tasks WHERE state = 'taken'") == 1
    # The day after the leave he is there again.
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(
            text("UPDATE users SET disabled_at = NULL, away_until = :day WHERE id = :id"),
            {"id": leo, "day": today},
        )
    street.hands.go_on(days=1)
    assert await hands(street, eva, leo) == 2


async def test_what_is_kept_for_somebody_away_becomes_everybodys(street: Street) -> None:
    eva = await collector(street, "eva")
    who = await street.neighbour()
    await some_task(street, who, reason=TaskReason.REVIEW_CASE, given_to=eva)
    await give_back_tasks(street.house, street.now)
    assert await street.value("SELECT given_to FROM tasks") == eva
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(
            text("UPDATE users SET away_until = :day"), {"day": street.now.date()}
        )
    await give_back_tasks(street.house, street.now)
    assert await street.value("SELECT given_to FROM tasks") is None


# ------------------------------------------------------------------ reminders


async def remind(street: Street, who: Neighbour, user_id: UserId, **more: Any) -> Any:
    return await set_reminder(
        street.house,
        street.now,
        lender_id=street.lender_id,
        case_id=more.pop("case_id", who.cases[0]),
        user_id=user_id,
        **more,
    )


async def raised(street: Street) -> int:
    return (await raise_reminders(street.house, street.now)).raised


async def test_a_reminder_at_a_moment_and_at_intervals(street: Street) -> None:
    who = await street.neighbour()
    eva, leo = await collector(street, "eva"), await collector(street, "leo")
    due = street.now + timedelta(hours=2)
    await remind(street, who, eva, due_at=due, note="ask for the letter")
    # Somebody else's reminder of the same case is another one.
    await remind(street, who, leo, due_at=due, every_days=2)
    assert await raised(street) == 0
    street.hands.go_on(hours=2)
    assert await raised(street) == 2
    assert await raised(street) == 0
    rows = await street.rows("SELECT given_to, situation FROM tasks WHERE reason = 'reminder'")
    assert {row.given_to for row in rows} == {eva, leo}
    assert {"noted": "ask for the letter"} in [row.situation for row in rows]
    street.hands.go_on(days=5)
    assert await raised(street) == 1
    live = await street.rows("SELECT user_id, due_at FROM agent_reminders WHERE ended_at IS NULL")
    assert [row.user_id for row in live] == [leo]
    assert live[0].due_at == due + timedelta(days=6)


async def test_a_reminder_of_an_event_since_it_was_set(street: Street) -> None:
    who = await street.neighbour()
    eva = await collector(street, "eva")
    await street.money_seen(who)
    street.hands.go_on(minutes=1)
    await remind(street, who, eva, condition=ReminderCondition.MONEY_SEEN)
    await remind(street, who, eva, condition=ReminderCondition.PAID)
    await remind(street, who, eva, condition=ReminderCondition.PROMISE_BROKEN)
    assert await raised(street) == 0
    street.hands.go_on(minutes=1)
    await street.money_seen_again(who)
    assert await raised(street) == 1
    await street.repaid(who, "R1", minor=5_000)
    assert await raised(street) == 1
    assert await raised(street) == 0
    happened = await street.rows("SELECT situation FROM tasks WHERE reason = 'reminder'")
    assert {row.situation["happened"] for row in happened} == {"money_seen", "paid"}


async def test_only_ones_own_reminder_is_dropped_and_closed_cases_end_them(
    street: Street,
) -> None:
    who = await street.neighbour()
    eva, leo = await collector(street, "eva"), await collector(street, "leo")
    due = street.now + timedelta(hours=2)
    mine = await remind(street, who, eva, due_at=due)
    await remind(street, who, leo, due_at=due)
    own: dict[str, Any] = {"lender_id": street.lender_id, "reminder_id": mine}
    with pytest.raises(NotFound):
        await drop_reminder(street.house, street.now, **own, user_id=leo)
    await drop_reminder(street.house, street.now, **own, user_id=eva)
    with pytest.raises(NotFound):
        await drop_reminder(street.house, street.now, **own, user_id=eva)
    with pytest.raises(NotFound):
        await remind(street, who, eva, due_at=due, case_id=new_id())
    await street.repaid(who, "R1")
    street.hands.go_on(hours=3)
    assert await raised(street) == 0
    assert await street.value("SELECT count(*) FROM agent_reminders WHERE ended_at IS NULL") == 0
