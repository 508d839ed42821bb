"""Calls made outside Saldo: each is the attempt of its day, and nobody is rung twice for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.domain.message import Channel
from app.domain.task import TaskOutcome
from app.flows.work.record_contact import ContactMade, record_contact
from app.flows.work.work_task import take_task
from tests.flows.collector import collector
from tests.flows.street import Neighbour, Street
from tests.flows.test_stepping import fresh, on_day

pytestmark = pytest.mark.anyio


async def noted_outside(street: Street, who: Neighbour, *, hour: int = 0, **more: Any) -> None:
    """Somebody rang him from elsewhere, and wrote down what came of it."""
    given: dict[str, Any] = {
        "channel": Channel.CALL, "outbound": True, "conversation": False,
        "made_at": street.now - timedelta(hours=hour), "outcome": TaskOutcome.NO_ANSWER, **more,
    }  # fmt: skip
    await record_contact(
        street.house, street.now, lender_id=street.lender_id, case_id=who.cases[0],
        made=ContactMade(**given), user_id=None, actor="dialler",
    )  # fmt: skip


async def test_a_call_made_outside_is_the_days_attempt(street: Street) -> None:
    """Nobody is rung twice on one day because his first call was not made from the board."""
    who, due = await fresh(street)
    days = []
    for day in range(24, 40):
        done = await on_day(street, due, day)
        if done.calls:
            days.append(day)
            street.hands.go_on(hours=2)
            await noted_outside(street, who)
            await noted_outside(street, who, hour=1)
            assert await street.tasks(who) == [], "the call is made"
        if done.ends:
            break
    assert (days, day) == ([24, 27, 28], 29)
    assert await street.value("SELECT count(*) FROM approvals WHERE state = 'proposed'") == 1


@pytest.mark.parametrize(
    "made",
    [
        {"outbound": False, "conversation": True, "outcome": TaskOutcome.REACHED},
        {"outcome": None},
        {"channel": Channel.SMS, "outcome": None},
        {"hour": 30},
    ],
)
async def test_what_is_no_attempt_leaves_the_call_on_the_board(
    street: Street, made: dict[str, Any]
) -> None:
    who, due = await fresh(street)
    assert (await on_day(street, due, 24)).calls == 1
    await noted_outside(street, who, **made)
    assert await street.tasks(who) == ["call_borrower"]


async def test_who_has_the_call_in_hand_keeps_it(street: Street) -> None:
    who, due = await fresh(street)
    await on_day(street, due, 24)
    task_id = await street.value("SELECT id FROM tasks WHERE state = 'open'")
    await take_task(
        street.house, street.now, lender_id=street.lender_id, task_id=task_id,
        user_id=await collector(street), actor="eva",
    )  # fmt: skip
    await noted_outside(street, who)
    assert await street.value("SELECT state FROM tasks WHERE id = :id", id=task_id) == "taken"
