"""Cases of which nothing is to be done: they rest together, and hold up nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event, update

from app.flows.strategies.let_rest import let_rest
from app.flows.strategies.step_cases import CasesStepped, step_cases
from app.store.locks import lock_borrower
from app.store.tables import borrowers, cases
from tests.flows.street import Neighbour, Street
from tests.flows.test_stepping import fresh, on_day

pytestmark = pytest.mark.anyio


@contextmanager
def counted(street: Street) -> Iterator[list[None]]:
    """One entry for each transaction that the app's pool begins."""
    begun: list[None] = []
    engine = street.store._app.sync_engine

    def note(_conn: object) -> None:
        begun.append(None)

    event.listen(engine, "begin", note)
    try:
        yield begun
    finally:
        event.remove(engine, "begin", note)


async def quiet_people(street: Street, many: int) -> list[Neighbour]:
    """Theirs is four days late: the first notice is out, and the next is days away."""
    people = [await fresh(street, days_late=3) for _ in range(many)]
    await on_day(street, people[0][1], 3)
    street.hands.go_on(days=1)
    return [who for who, _ in people]


async def stepped(street: Street, people: list[Neighbour]) -> CasesStepped:
    return await step_cases(street.house, street.now, [who.cases[0] for who in people])


async def looks(street: Street) -> list[timedelta]:
    rows = await street.rows("SELECT next_step_at AS at FROM cases ORDER BY id")
    return [row.at - street.now for row in rows]


async def test_people_at_rest_share_one_transaction(street: Street) -> None:
    people = await quiet_people(street, 6)
    with counted(street) as begun:
        assert await stepped(street, people) == CasesStepped(people=6)
    assert len(begun) == 1
    assert all(timedelta() < ahead < timedelta(days=10) for ahead in await looks(street))


async def test_only_whoever_something_is_done_for_takes_one_of_his_own(street: Street) -> None:
    people = await quiet_people(street, 3)
    late = (await fresh(street, days_late=3))[0]
    with counted(street) as begun:
        done = await stepped(street, [*people, late])
    assert (done.people, done.notices) == (4, 1)
    assert len(begun) == 2


async def test_another_stage_is_written_down_although_nothing_is_done(street: Street) -> None:
    people = await quiet_people(street, 2)
    await street.rows("UPDATE cases SET stage = 'another' RETURNING 1")
    await stepped(street, people)
    lines = await street.rows(
        "SELECT borrower_id, details FROM timeline WHERE kind = 'stage_changed'"
        " AND details ->> 'from' = 'another'"
    )
    assert {row.borrower_id for row in lines} == {who.id for who in people}
    assert await street.value("SELECT count(*) FROM cases WHERE stage = 'another'") == 0


async def test_whoever_is_busy_elsewhere_is_not_waited_for(street: Street) -> None:
    first, second = await quiet_people(street, 2)
    async with street.store.unit(street.lender_id) as other:
        await lock_borrower(other, first.id)
        resting = await let_rest(street.house, street.now, street.lender_id, (first.id, second.id))
        assert resting == {second.id}
    assert (await stepped(street, [first, second])).people == 2


async def test_a_wake_up_in_the_meantime_is_not_slept_through(street: Street) -> None:
    """Who changes what the plan depends on holds the borrower's lock until it is committed."""
    (who,) = await quiet_people(street, 1)
    async with street.store.unit(street.lender_id) as other:
        await lock_borrower(other, who.id)
        await other.conn.execute(update(cases).values(next_step_at=street.now))
        assert not await let_rest(street.house, street.now, street.lender_id, (who.id,))
    assert await looks(street) == [timedelta()]


async def test_one_body_gone_bad_holds_up_nobody_else(street: Street) -> None:
    people = await quiet_people(street, 2)
    await street.rows(
        "WITH bad AS (INSERT INTO strategy_versions SELECT (jsonb_populate_record(v,"
        " jsonb_build_object('id', gen_random_uuid(), 'number', 99, 'body', '{}'::jsonb,"
        " 'state', 'retired'))).* FROM strategy_versions v LIMIT 1 RETURNING id)"
        " UPDATE cases SET strategy_version_id = (SELECT id FROM bad) WHERE borrower_id = :who"
        " RETURNING 1",
        who=people[0].id,
    )
    assert await stepped(street, people) == CasesStepped(people=1)


async def test_whoever_locked_himself_out_is_still_brought_up_again(street: Street) -> None:
    (who,) = await quiet_people(street, 1)
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(update(borrowers).values(checks_locked_at=street.now))
    await stepped(street, [who])
    reasons = await street.rows("SELECT reason FROM tasks WHERE borrower_id = :who", who=who.id)
    assert [row.reason for row in reasons] == ["identity_check_failed"]
