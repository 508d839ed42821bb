"""Workers that are behind, or away: what waits for them stays bounded, and money goes first."""

from __future__ import annotations

import pytest

from app.flows.strategies.step_cases import plan_steps
from app.store import jobs
from app.store.batches import PILE
from tests.flows.street import Street

pytestmark = pytest.mark.anyio


async def waiting(street: Street, job: str) -> int:
    """How many jobs of a kind nobody has begun."""
    found: int = await street.value(
        "SELECT count(*) FROM procrastinate_jobs WHERE task_name = :job AND status = 'todo'",
        job=job,
    )
    return found


async def test_a_day_without_workers_does_not_queue_the_same_case_a_hundred_times(
    street: Street,
) -> None:
    await street.neighbour(days_late=5)
    before = await waiting(street, jobs.STEP_CASES)
    # Every six minutes a lease is over and the case due again.
    for _ in range(PILE + 20):
        await street.rows("UPDATE cases SET next_step_at = :now RETURNING 1", now=street.now)
        await plan_steps(street.house, street.now)
        street.hands.go_on(minutes=6)
    assert before < await waiting(street, jobs.STEP_CASES) <= PILE
    # The case is still due: as soon as the pile is worked off it is planned again.
    await street.rows("DELETE FROM procrastinate_jobs WHERE task_name = 'step_cases' RETURNING 1")
    await street.rows("UPDATE cases SET next_step_at = :now RETURNING 1", now=street.now)
    assert (await plan_steps(street.house, street.now)).planned == 1


async def test_following_money_goes_before_planning_work(street: Street) -> None:
    async with street.store.engine_unit() as unit:
        for job in (jobs.STEP_CASES, jobs.READ_BALANCES, jobs.FOLLOW_PAYMENTS):
            await unit.defer(job, ids=[])
    rows = await street.rows(
        "SELECT task_name FROM procrastinate_jobs WHERE status = 'todo' "
        "AND args = '{\"ids\": []}' ORDER BY priority DESC, id"
    )
    assert [row.task_name for row in rows] == [
        jobs.FOLLOW_PAYMENTS,
        jobs.READ_BALANCES,
        jobs.STEP_CASES,
    ]
