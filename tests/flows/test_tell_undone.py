"""What was ordered and not done: told once, to whoever has the case, with the reason."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert

from app.domain.hold import HoldKind
from app.domain.ids import UserId
from app.domain.task import TaskOutcome
from app.domain.undone import Ordered
from app.flows.tidy import tidy
from app.flows.work.set_hold import set_hold
from app.flows.work.tell_undone import UndoneTold, tell_undone
from app.flows.work.work_task import finish_task, take_task
from app.reports.undone import Summary, undone_lines, undone_summaries
from app.store.keys import new_id
from app.store.tables import strategy_steps
from tests.flows.street import Neighbour, Street
from tests.flows.test_next_case import some_task
from tests.flows.test_stepping import fresh, on_day
from tests.flows.test_tasks_and_brakes import collector

pytestmark = pytest.mark.anyio


async def called_for(street: Street, **wanted: Any) -> Neighbour:
    """Somebody for whom the strategy orders a call today."""
    who, due = await fresh(street, days_late=24, **wanted)
    await on_day(street, due, 24)
    assert await task_of(street, who) is not None
    return who


async def task_of(street: Street, who: Neighbour) -> UUID:
    query = "SELECT id FROM tasks WHERE borrower_id = :id AND reason = 'call_borrower'"
    found: UUID = await street.value(query, id=who.id)
    return found


async def tell(street: Street) -> int:
    return (await tell_undone(street.house, street.now)).acts


async def told(street: Street, of: UserId | None = None) -> list[tuple[str, Ordered, int, Any]]:
    async with street.store.unit(street.lender_id) as unit:
        found: tuple[Summary, ...] = await undone_summaries(unit, street.now, of=of)
    return [
        (one.name, one.act, one.cases, [(part.why, part.cases) for part in one.reasons])
        for one in found
    ]


async def take(street: Street, task_id: UUID, user_id: UserId) -> None:
    await take_task(
        street.house,
        street.now,
        lender_id=street.lender_id,
        task_id=task_id,
        user_id=user_id,
        actor="him",
    )


async def test_calls_that_nobody_made_are_told_the_next_morning_once(street: Street) -> None:
    eva, leo = await collector(street, "eva"), await collector(street, "leo")
    taken, kept, nobodys, made = [await called_for(street) for _ in range(4)]
    await take(street, await task_of(street, taken), eva)
    # Another task of his is kept for Leo, who is told of the call as well.
    await some_task(street, kept, given_to=leo)
    await take(street, await task_of(street, made), eva)
    await finish_task(
        street.house,
        street.now,
        lender_id=street.lender_id,
        task_id=await task_of(street, made),
        user_id=eva,
        actor="eva",
        outcome=TaskOutcome.NO_ANSWER,
        called=True,
    )
    assert await tell(street) == 0, "today is not over"
    street.hands.go_on(hours=15)
    assert street.now.hour == 1
    assert await tell(street) == 0, "two in the morning: yesterday is not over everywhere"
    street.hands.go_on(hours=3)
    assert sum(one.acts for one in await asyncio.gather(*(_look(street) for _ in range(4)))) == 3
    assert await tell(street) == 0
    assert await told(street) == [
        ("eva", Ordered.CALL, 1, [("in_hand", 1)]),
        ("leo", Ordered.CALL, 1, [("not_taken", 1)]),
        ("", Ordered.CALL, 1, [("not_taken", 1)]),
    ]
    assert await told(street, eva) == [("eva", Ordered.CALL, 1, [("in_hand", 1)])]
    async with street.store.unit(street.lender_id) as unit:
        (line,) = await undone_lines(unit, street.now, of=None, act=Ordered.CALL, why="")
    assert (line.case_id, line.why) == (nobodys.cases[0], "not_taken")


async def _look(street: Street) -> UndoneTold:
    return await tell_undone(street.house, street.now)


async def test_what_is_told_is_not_told_again_tomorrow_and_is_tidied_away(street: Street) -> None:
    await called_for(street)
    street.hands.go_on(days=1)
    assert await tell(street) == 1
    street.hands.go_on(days=1)
    assert await tell(street) == 0
    assert await told(street) != [], "it stands until something newer is told"
    street.hands.go_on(days=5)
    assert await told(street) == []
    street.hands.go_on(days=30)
    await tidy(street.house, street.now)
    assert await street.value("SELECT count(*) FROM undone_acts") == 0


async def test_a_call_that_was_called_off_says_by_what(street: Street) -> None:
    who = await called_for(street)
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit,
            street.now,
            borrower_id=who.id,
            case_id=None,
            kind=HoldKind.HARDSHIP,
            reason="He lost his work.",
            ends_at=street.now + timedelta(days=20),
            set_by="eva",
        )
    street.hands.go_on(days=1)
    assert await tell(street) == 1
    assert await told(street) == [("", Ordered.CALL, 1, [("hold", 1)])]


async def test_a_weekend_is_told_on_monday_and_nobody_is_told_on_sunday(street: Street) -> None:
    street.hands.go_on(days=3)  # Friday
    await called_for(street)
    for _ in range(2):
        street.hands.go_on(days=1)
        assert await tell(street) == 0
    street.hands.go_on(days=1)
    assert await tell(street) == 1


async def ordered(street: Street, who: Neighbour, name: str, **values: Any) -> None:
    """A step of today, as a strategy leaves it."""
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(
            insert(strategy_steps).values(
                {
                    "id": new_id(),
                    "lender_id": street.lender_id,
                    "borrower_id": who.id,
                    "loan_id": who.loans[0],
                    "case_id": who.cases[0],
                    "key": new_id(),
                    "kind": "notice",
                    "name": name,
                    "on_day": street.now.date(),
                    "made_at": street.now,
                    **values,
                }
            )
        )


async def test_a_notice_is_told_when_it_was_refused_called_off_or_did_not_arrive(
    street: Street,
) -> None:
    eva = await collector(street, "eva")
    who, due = await fresh(street, days_late=3)
    await some_task(street, who, given_to=eva)
    await on_day(street, due, 3)
    await ordered(street, who, "refused", result="gate_refused")
    await ordered(street, who, "no address", result="no_address")
    # His strategy went on without it, or it was planned to be seen and not sent: no news.
    await ordered(street, who, "overtaken", result="overtaken")
    await ordered(street, who, "observed", result="withheld")
    await ordered(street, who, "before it was due", result="gate_refused", case_id=None)
    states = iter(["cancelled", "failed", "delivered"])
    message_id = await street.value("SELECT id FROM messages")
    for state in states:
        await ordered(street, who, state, message_id=await _copy(street, message_id, state))
    street.hands.go_on(days=1)
    assert await tell(street) == 4
    assert await told(street, eva) == [
        (
            "eva",
            Ordered.NOTICE,
            1,
            [("failed", 1), ("gate_refused", 1), ("no_address", 1), ("paid", 1)],
        )
    ]


async def _copy(street: Street, message_id: UUID, state: str) -> UUID:
    """The same message with another end."""
    copied: UUID = (
        await street.rows(
            "INSERT INTO messages SELECT (jsonb_populate_record(m, jsonb_build_object("
            "'id', gen_random_uuid(), 'key', gen_random_uuid(), 'state', cast(:state AS text), "
            "'cancel_reason', CASE WHEN :state = 'cancelled' THEN 'paid' END, "
            "'next_look_at', NULL))).* FROM messages m WHERE id = :id RETURNING id",
            id=message_id,
            state=state,
        )
    )[0].id
    return copied
