"""People with profiles, rules and looks, for tests of who gets what."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from app.domain.assignment import (
    Rules,
    Skills,
)
from app.domain.desk_profile import Profile, read_hours
from app.domain.ids import UserId
from app.flows.work.assign_tasks import TasksAssigned, assign_tasks
from app.flows.work.note_absence import note_absence
from app.flows.work.set_assignment import set_profile, set_rules
from app.flows.work.work_task import give_back_tasks
from tests.flows.street import Street
from tests.flows.test_tasks_and_brakes import collector

OFFICE = read_hours(("09:00-17:00",) * 5 + ("", ""))
AFTERNOON = read_hours(("14:00-22:00",) * 7)
POLISH = Skills(languages=frozenset({"pl"}))
ONLY_POLISH = Rules(languages=frozenset({"pl"}))


async def rules(street: Street, wanted: Rules = Rules(), *, active: bool = True) -> None:  # noqa: B008
    await set_rules(
        street.house,
        street.now,
        lender_id=street.lender_id,
        active=active,
        rules=wanted,
        actor="sue",
    )


async def profile(
    street: Street, user_id: UserId, skills: Skills | None = None, **more: Any
) -> None:
    made = Profile(
        skills or Skills(), "Europe/Madrid", more.get("hours", OFFICE), more.get("cap", 10)
    )
    await set_profile(
        street.house,
        street.now,
        lender_id=street.lender_id,
        user_id=user_id,
        profile=made,
        actor="sue",
    )


async def hand(street: Street, name: str, skills: Skills | None = None, **more: Any) -> UserId:
    """A collector with a profile."""
    user_id = await collector(street, name)
    await profile(street, user_id, skills, **more)
    return user_id


async def look(street: Street) -> TasksAssigned:
    return await assign_tasks(street.house, street.now)


async def later(street: Street) -> TasksAssigned:
    """The next looks: who is away is noticed, what nobody fitted is tried again."""
    street.hands.go_on(minutes=11)
    await give_back_tasks(street.house, street.now)
    return await look(street)


async def owners(street: Street) -> dict[UUID, UUID | None]:
    rows = await street.rows("SELECT id, given_to FROM tasks")
    return {row.id: row.given_to for row in rows}


async def leave(street: Street, user_id: UserId, first: date, last: date) -> UUID:
    return await note_absence(
        street.house,
        street.now,
        lender_id=street.lender_id,
        user_id=user_id,
        starts_on=first,
        until_on=last,
        actor="sue",
    )


async def lines(street: Street) -> list[Any]:
    """What the timeline says about tasks that changed hands."""
    query = "SELECT details FROM timeline WHERE kind = 'task_changed' ORDER BY id"
    return [row.details for row in await street.rows(query) if "handed_to" in row.details]
