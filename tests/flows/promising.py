"""Hands for tests about promises: make one, give it terms, go to its day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, update

from app.domain.money import Money
from app.domain.promise_terms import Part, PromiseSource
from app.domain.stages import body_notes, parse_body
from app.domain.task import TaskReason
from app.flows.work.open_task import open_task
from app.flows.work.take_promise import take_promise
from app.store.keys import new_id
from app.store.tables import cases, strategies, strategy_versions
from tests.flows.street import Neighbour, Street


async def promise(street: Street, who: Neighbour, *parts: tuple[int, int], **more: Any) -> UUID:
    """`parts` are (days from now, euro cents)."""
    today = street.now.date()
    given: dict[str, Any] = {
        "lender_id": street.lender_id,
        "case_id": who.cases[0],
        "parts": [Part(today + timedelta(days=day), Money(minor, "EUR")) for day, minor in parts],
        "source": PromiseSource.DESK,
        "made_by": "eva@sol.example",
        **more,
    }
    return await take_promise(street.house, street.now, **given)


async def call_task(street: Street, who: Neighbour, reason: TaskReason, cause: str) -> None:
    async with street.store.unit(street.lender_id) as unit:
        await open_task(
            unit, street.now, borrower_id=who.id, case_id=who.cases[0], reason=reason, cause=cause
        )


async def strategy(street: Street, who: Neighbour, promise_terms: dict[str, int]) -> None:
    """Have the case worked by a strategy with these terms of promises."""
    version_id, strategy_id = new_id(), new_id()
    body = body_notes(
        parse_body(
            {
                "name": "ours",
                "stages": [{"name": "first", "from_day": 0}],
                "promise": promise_terms,
            }
        )
    )
    own = {"lender_id": street.lender_id, "id": strategy_id}
    version = {"lender_id": street.lender_id, "id": version_id, "strategy_id": strategy_id}
    async with street.store.unit(street.lender_id) as unit:
        await unit.conn.execute(
            insert(strategies).values(name="ours", created_at=street.now, **own)
        )
        await unit.conn.execute(
            insert(strategy_versions).values(
                body=body, made_by="eva", made_at=street.now, **version
            )
        )
        await unit.conn.execute(
            update(cases).where(cases.c.id == who.cases[0]).values(strategy_version_id=version_id)
        )


async def state_of(street: Street, promise_id: UUID) -> str:
    return str(await street.value("SELECT state FROM promises WHERE id = :id", id=promise_id))


async def to_day(street: Street, days: int, *, hour: int = 6) -> None:
    """Go to the morning so many days from today's, in UTC, and look."""
    target = (street.now + timedelta(days=days)).replace(hour=hour, minute=0)
    street.hands.go_on(seconds=(target - street.now).total_seconds())
    await street.tick()
