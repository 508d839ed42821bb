"""Units, guarded moves and deferred jobs: all or nothing, and one winner."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import insert, select, text

from app.domain.errors import Conflict, IllegalTransition, NotFound
from app.domain.task import TASK, TaskReason
from app.store import idle, jobs
from app.store.embedded_setup import DatabaseUrls
from app.store.keys import new_id
from app.store.moves import move, move_all
from app.store.tables import tasks
from app.store.unit import Store, inside_unit
from tests.rig import make_borrower, make_lender

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


async def _task(store: Store) -> tuple[object, object]:
    lender_id = await make_lender(store, NOW)
    borrower_id = await make_borrower(store, lender_id, NOW)
    task_id = new_id()
    async with store.unit(lender_id) as unit:
        await unit.conn.execute(
            insert(tasks).values(
                id=task_id,
                lender_id=lender_id,
                borrower_id=borrower_id,
                key=new_id(),
                reason=TaskReason.NO_CONSENT,
                created_at=NOW,
            )
        )
    return lender_id, task_id


async def test_a_unit_knows_that_it_is_open(store: Store) -> None:
    assert not inside_unit()
    async with store.engine_unit():
        assert inside_unit()
        async with store.engine_unit():
            assert inside_unit()
        assert inside_unit()
    assert not inside_unit()


async def test_a_job_is_rolled_back_with_its_cause(store: Store) -> None:
    lender_id = await make_lender(store, NOW)
    query = text("SELECT count(*) FROM procrastinate_jobs")
    with pytest.raises(RuntimeError):
        async with store.unit(lender_id) as unit:
            await unit.defer(jobs.DELIVER_MESSAGES, ids=[])
            raise RuntimeError
    async with store.engine_unit() as unit:
        assert await unit.conn.scalar(query) == 0
    async with store.unit(lender_id) as unit:
        await unit.defer(jobs.DELIVER_MESSAGES, ids=[])
    async with store.engine_unit() as unit:
        assert await unit.conn.scalar(query) == 1
        with pytest.raises(ValueError, match="no job"):
            await unit.defer("deliver_mesages", ids=[])


async def test_a_move_follows_the_table(store: Store) -> None:
    lender_id, task_id = await _task(store)
    async with store.unit(lender_id) as unit:  # type: ignore[arg-type]
        moved = await move(unit, tasks, task_id, TASK, "take")  # type: ignore[arg-type]
        assert (moved.before, moved.after, moved.changed) == ("open", "taken", True)
        with pytest.raises(IllegalTransition, match="taken cannot take"):
            await move(unit, tasks, task_id, TASK, "take")  # type: ignore[arg-type]
        with pytest.raises(NotFound):
            await move(unit, tasks, new_id(), TASK, "take")


async def test_of_two_takers_one_wins(store: Store) -> None:
    lender_id, task_id = await _task(store)
    both_looked = asyncio.Barrier(2)

    async def take() -> str:
        try:
            async with store.unit(lender_id) as unit:  # type: ignore[arg-type]
                await unit.conn.execute(select(tasks.c.state).where(tasks.c.id == task_id))
                await both_looked.wait()
                await move(unit, tasks, task_id, TASK, "take")  # type: ignore[arg-type]
        except (Conflict, IllegalTransition):
            return "late"
        return "took it"

    assert sorted(await asyncio.gather(take(), take())) == ["late", "took it"]


async def test_a_move_of_many_leaves_other_states_alone(store: Store) -> None:
    lender_id, task_id = await _task(store)
    async with store.unit(lender_id) as unit:  # type: ignore[arg-type]
        assert await move_all(unit, tasks, [task_id], TASK, "finish") == []  # type: ignore[list-item]
        assert await move_all(unit, tasks, [task_id], TASK, "cancel") == [task_id]  # type: ignore[list-item]
        assert await move_all(unit, tasks, [task_id], TASK, "cancel") == []  # type: ignore[list-item]


def _cut(db: DatabaseUrls) -> int:
    """End the connections that the store keeps, as a restarted server does; returns how many."""
    ended = (
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND application_name LIKE 'test %'"
    )
    with psycopg.connect(db.superuser, autocommit=True) as admin:
        row = admin.execute(ended).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("rested_s", [60.0, 0.0])
async def test_connections_that_were_ended_are_made_anew(
    store: Store, db: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, rested_s: float
) -> None:
    """At once, when the server said so; and after a rest, when nothing was said."""
    monkeypatch.setattr(idle, "RESTED_S", rested_s)
    async with store.engine_unit() as unit, store.engine_unit() as other:
        assert await unit.conn.scalar(text("SELECT 1")) == 1
        assert await other.conn.scalar(text("SELECT 1")) == 1
    assert _cut(db) >= 2
    if not rested_s:
        monkeypatch.setattr(idle, "_has_news", lambda _: False)
    for _ in range(2):
        async with store.engine_unit() as unit, store.engine_unit() as other:
            assert await unit.conn.scalar(text("SELECT 1")) == 1
            assert await other.conn.scalar(text("SELECT 1")) == 1


async def test_a_connection_in_use_a_moment_ago_is_not_asked(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(idle, "RESTED_S", 60.0)
    monkeypatch.setattr(type(store._engine.dialect), "do_ping", lambda _, one: asked.append(one))
    for _ in range(3):
        async with store.engine_unit() as unit:
            assert await unit.conn.scalar(text("SELECT 1")) == 1
    assert asked == []
    monkeypatch.setattr(idle, "RESTED_S", 0.0)
    async with store.engine_unit() as unit:
        assert await unit.conn.scalar(text("SELECT 1")) == 1
    assert len(asked) == 1
