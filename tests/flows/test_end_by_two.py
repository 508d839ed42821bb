"""The whole end: calls without a promise, a proposal, two people, and the way back."""

from __future__ import annotations

import pytest

from app.domain.approval import ApprovalKind, ApprovalState
from app.domain.task import TaskOutcome
from app.flows.approvals.decide_approval import Word
from tests.flows.collector import answer
from tests.flows.desk_people import Desk
from tests.flows.street import Neighbour, Street
from tests.flows.test_stepping import fresh, on_day, step

pytestmark = pytest.mark.anyio


async def called_three_times(street: Street) -> Neighbour:
    """Three calls on three working days bring nothing; the strategy comes to its end."""
    who, due = await fresh(street)
    for day in range(24, 40):
        done = await on_day(street, due, day)
        if done.calls:
            await answer(street, who, TaskOutcome.NO_ANSWER)
        if done.ends:
            break
    assert await street.value("SELECT state FROM approvals") == "proposed"
    return who


async def open_reasons(street: Street) -> list[str]:
    """Why people are needed now."""
    rows = await street.rows("SELECT reason FROM tasks WHERE state IN ('open', 'taken')")
    return [row.reason for row in rows]


async def test_two_people_end_it_and_two_bring_it_back_and_nothing_leaves_by_itself(
    street: Street,
) -> None:
    desk = Desk(street)
    who = await called_three_times(street)
    approval = await street.value("SELECT id FROM approvals")
    calls = await street.value("SELECT jsonb_array_length(considered->'calls') FROM approvals")
    assert calls == 3
    await desk.endorses(approval)
    assert (await desk.says(Word.APPROVE, approval)).state is ApprovalState.APPROVED
    sent = street.texts_to(who)
    await street.days_pass(3, minutes=480)
    await step(street)
    assert await open_reasons(street) == []
    entry = await street.value("SELECT id FROM adjustments")
    back = await desk.propose(ApprovalKind.REVERSAL, entry)
    await desk.says(Word.APPROVE, back.id)
    for _day in range(4):
        street.hands.go_on(days=1)
        await step(street)
        await street.tick()
    assert await street.value("SELECT count(*) FROM approvals WHERE state = 'proposed'") == 0
    reasons = [
        row.reason for row in await street.rows("SELECT reason FROM tasks WHERE state = 'open'")
    ]
    assert reasons == ["review_case"], "a person says how it goes on"
    assert street.texts_to(who) == sent


async def test_a_refused_end_is_a_persons_and_is_not_proposed_again(street: Street) -> None:
    desk = Desk(street)
    await called_three_times(street)
    approval = await street.value("SELECT id FROM approvals")
    await desk.says(Word.REFUSE, approval, note="Try a plan first.")
    for _day in range(4):
        street.hands.go_on(days=1)
        await street.rows("UPDATE cases SET next_step_at = :now RETURNING 1", now=street.now)
        await step(street)
    assert await street.value("SELECT count(*) FROM approvals") == 1
    reasons = [
        row.reason for row in await street.rows("SELECT reason FROM tasks WHERE state = 'open'")
    ]
    assert reasons == ["review_case"]
