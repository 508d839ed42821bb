"""A collector who takes the call that waits, and says what came of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert

from app.domain.ids import UserId
from app.domain.task import TaskOutcome
from app.flows.work.work_task import finish_task, take_task
from app.store.keys import new_id
from app.store.tables import users
from tests.flows.street import Neighbour, Street


async def collector(street: Street) -> UserId:
    """Somebody of the lender's who may work tasks."""
    user_id = UserId(new_id())
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(
            insert(users).values(
                id=user_id,
                lender_id=street.lender_id,
                email=f"{uuid4()}@sol.example",
                name="Eva",
                role="collector",
                password_hash="",
                created_at=street.now,
            )
        )
    return user_id


async def answer(
    street: Street,
    who: Neighbour,
    outcome: TaskOutcome,
    *,
    reason: str = "call_borrower",
    **heard: Any,
) -> UUID:
    """Take the one open task of this reason and finish it with an outcome."""
    task_id: UUID = await street.value(
        "SELECT id FROM tasks WHERE borrower_id = :id AND state = 'open' AND reason = :reason",
        id=who.id,
        reason=reason,
    )
    user_id = await collector(street)
    whose: dict[str, Any] = {
        "lender_id": street.lender_id,
        "task_id": task_id,
        "user_id": user_id,
        "actor": "eva",
    }
    await take_task(street.house, street.now, **whose)
    await finish_task(street.house, street.now, outcome=outcome, called=True, **whose, **heard)
    return task_id
