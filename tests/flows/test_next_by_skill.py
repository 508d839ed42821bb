"""The next case where the lender's rules say who gets what."""

from __future__ import annotations

from itertools import product

import pytest
from sqlalchemy import select, text

from app.domain.assignment import (
    Rules,
    Skills,
    WorkKind,
    may_be_served,
)
from app.domain.money import Money
from app.domain.task import TaskReason
from app.flows.work.assign_tasks import TasksAssigned
from app.flows.work.note_absence import call_off_absence
from app.flows.work.open_task import open_task
from app.store.keys import new_id
from app.store.tables import tasks
from app.store.task_needs import may_be_offered, needs_of
from tests.flows.assigning import (
    ONLY_POLISH,
    POLISH,
    hand,
    leave,
    look,
    owners,
    rules,
)
from tests.flows.street import Neighbour, Street
from tests.flows.test_next_case import serve, some_task
from tests.flows.test_tasks_and_brakes import collector

pytestmark = pytest.mark.anyio


async def test_the_next_case_asks_for_the_skill(street: Street) -> None:
    await rules(street, ONLY_POLISH)
    eva, leo = await hand(street, "eva", cap=1), await hand(street, "leo", POLISH, cap=1)
    nobody = await collector(street, "without a profile")
    for who in await street.neighbours(2, language="pl"):
        await some_task(street, who, reason=TaskReason.PROMISE_BROKEN)
    spanish = await some_task(street, await street.neighbour())
    assert await serve(street, nobody) is not None
    assert await street.value("SELECT taken_by FROM tasks WHERE id = :id", id=spanish) == nobody
    assert await serve(street, eva) is None
    # While the one who can is away, everybody may: nothing is stranded.
    absence_id = await leave(street, leo, street.now.date(), street.now.date())
    served = await serve(street, eva)
    assert served is not None
    await call_off_absence(
        street.house, street.now, lender_id=street.lender_id, absence_id=absence_id, actor="sue"
    )
    assert await serve(street, leo) is not None


async def test_what_is_kept_for_him_is_served_whatever_he_can(street: Street) -> None:
    await rules(street, ONLY_POLISH)
    eva = await hand(street, "eva")
    await hand(street, "leo", POLISH)
    await some_task(street, await street.neighbour(language="pl"), given_to=eva)
    assert await serve(street, eva) is not None


async def test_what_is_kept_for_somebody_who_is_off_for_days_is_served_to_who_is_there(
    street: Street,
) -> None:
    await rules(street)
    eva = await hand(street, "eva")
    task_id = await some_task(street, await street.neighbour(), reason=TaskReason.REVIEW_CASE)
    assert await look(street) == TasksAssigned(1, 0)
    saturdays = await collector(street, "works on Saturdays")
    # Tuesday evening: she is back in the morning.
    street.hands.go_on(hours=8)
    assert await serve(street, saturdays) is None
    assert await owners(street) == {task_id: eva}
    # Saturday noon.
    street.hands.go_on(days=3, hours=18)
    served = await serve(street, saturdays)
    assert served is not None
    row = (await street.rows("SELECT * FROM tasks"))[0]
    assert (row.taken_by, row.given_to, row.assigned_at) == (saturdays, None, None)


async def test_switched_off_everybody_is_served_everything(street: Street) -> None:
    await rules(street, ONLY_POLISH, active=False)
    eva = await hand(street, "eva")
    await hand(street, "leo", POLISH)
    await some_task(street, await street.neighbour(language="pl"))
    assert await serve(street, eva) is not None


async def test_the_server_chooses_by_the_same_rule(street: Street) -> None:
    """Every combination of need and skills: the condition in SQL says what the pure rule says."""
    wanted = Rules(
        frozenset({"pl"}),
        frozenset({"car"}),
        frozenset({WorkKind.DISPUTE}),
        (Money(10_000, "EUR"),),
    )
    kinds: list[frozenset[WorkKind]] = [frozenset(), frozenset({WorkKind.DISPUTE})]
    for language, name, due in product(("es", "pl"), ("micro", "car"), (5_000, 10_000)):
        who = await street.neighbour(language=language, dues=(due,))
        async with street.store.engine_unit() as unit:
            await unit.conn.execute(
                text("UPDATE loans SET product = :name WHERE id = :id"),
                {"name": name, "id": who.loans[0]},
            )
        await some_task(street, who)
        await about_the_person(street, who)
    everybody = [
        Skills(frozenset(languages), frozenset(products), kind, large)
        for languages, products, kind, large in product(
            ((), ("pl",)), ((), ("car",)), kinds, (False, True)
        )
    ]
    halves = [Skills(languages=frozenset({"pl"})), Skills(large=True)]
    async with street.store.unit(street.lender_id) as unit:
        facts = await needs_of(unit, wanted, await owners(street))
        assert len({one.need for one in facts}) == 10
        for there in ([], everybody, halves):
            for mine in everybody:
                condition = may_be_offered(wanted, mine, there)
                offered = set(await unit.conn.scalars(select(tasks.c.id).where(condition)))
                assert offered == {
                    one.id for one in facts if may_be_served(mine, one.need, [mine, *there])
                }


async def about_the_person(street: Street, who: Neighbour) -> None:
    """A dispute of no single case: it needs no product and no amount."""
    async with street.store.unit(street.lender_id) as unit:
        await open_task(
            unit,
            street.now,
            borrower_id=who.id,
            reason=TaskReason.BORROWER_DISPUTES,
            cause=new_id(),
        )
