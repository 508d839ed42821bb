"""Tasks given by the lender's rules: to one who can and is there, within his cap, explained."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert

from app.domain.assignment import (
    Rules,
)
from app.domain.desk_profile import Profile
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import UserId
from app.domain.money import Money
from app.domain.roles import Role
from app.domain.task import TaskOutcome, TaskReason
from app.flows.books.register_borrower import BorrowerWanted, register_borrower
from app.flows.lenders.manage_users import change_role, disable_user
from app.flows.work import assign_tasks
from app.flows.work.assign_tasks import TasksAssigned
from app.flows.work.hand_over import come_back, hand_over
from app.flows.work.note_absence import call_off_absence
from app.flows.work.work_task import finish_task, give_back_tasks, release_task, take_task
from app.reports.workload import workloads
from app.store.desk_team import rules_in_force, team_of
from app.store.keys import new_id
from app.store.tables import assignment_rules
from tests.flows.assigning import (
    AFTERNOON,
    OFFICE,
    ONLY_POLISH,
    POLISH,
    hand,
    later,
    leave,
    lines,
    look,
    owners,
    profile,
    rules,
)
from tests.flows.street import Street
from tests.flows.test_next_case import serve, some_task
from tests.flows.test_tasks_and_brakes import collector
from tests.rig import make_lender

pytestmark = pytest.mark.anyio


# ------------------------------------------------------------------ giving


async def test_nothing_is_given_before_the_lender_wants_it(street: Street) -> None:
    await hand(street, "eva")
    await some_task(street, await street.neighbour())
    assert await look(street) == TasksAssigned(0, 0)
    await rules(street, active=False)
    assert await look(street) == TasksAssigned(0, 0)
    assert list((await owners(street)).values()) == [None]
    await rules(street)
    assert await look(street) == TasksAssigned(1, 0)


async def test_it_goes_to_whoever_can_with_the_reason_beside_it(street: Street) -> None:
    await rules(street, ONLY_POLISH)
    eva, leo = await hand(street, "eva"), await hand(street, "leo", POLISH, hours=AFTERNOON)
    spanish, polish = await street.neighbour(), await street.neighbour(language="pl")
    one, two = await some_task(street, spanish), await some_task(street, polish)
    assert await look(street) == TasksAssigned(2, 0)
    assert await owners(street) == {one: eva, two: leo}
    because = await street.value("SELECT assigned_because FROM tasks WHERE id = :id", id=two)
    # Eleven in Madrid: his shift begins at two.
    assert because == {
        "language": "pl", "load": 0, "cap": 10, "on_shift_at": "2026-03-03T13:00:00+00:00",
    }  # fmt: skip
    said = await lines(street)
    assert {one["handed_to"]: one["name"] for one in said} == {str(eva): "eva", str(leo): "leo"}
    # Looked at again, nothing is said twice.
    assert await later(street) == TasksAssigned(0, 0)
    assert await lines(street) == said
    assert await serve(street, eva) is not None
    assert await street.value("SELECT taken_by FROM tasks WHERE id = :id", id=one) == eva


async def test_nobody_fits_so_it_stays_until_somebody_does(street: Street) -> None:
    await rules(street, ONLY_POLISH)
    await hand(street, "eva", cap=1)
    first, second = await street.neighbour(), await street.neighbour(language="pl")
    await some_task(street, first)
    await some_task(street, first, reason=TaskReason.REVIEW_CASE)
    polish = await some_task(street, second)
    assert await look(street) == TasksAssigned(1, 0)
    assert sorted(map(bool, (await owners(street)).values())) == [False, False, True]
    assert await look(street) == TasksAssigned(0, 0)
    leo = await hand(street, "leo", POLISH, cap=1)
    assert await look(street) == TasksAssigned(1, 0)
    assert (await owners(street))[polish] == leo, "he was full with it"


async def test_a_place_that_comes_free_goes_to_the_most_urgent_that_waited(street: Street) -> None:
    await rules(street)
    eva = await hand(street, "eva", cap=1)
    first, second, last = [
        await some_task(street, await street.neighbour(), reason=reason)
        for reason in (TaskReason.OVERPAID, TaskReason.CALL_BORROWER, TaskReason.REVIEW_CASE)
    ]
    assert await look(street) == TasksAssigned(1, 0)
    assert await owners(street) == {first: eva, second: None, last: None}
    assert await serve(street, eva) is not None
    await finish_task(
        street.house,
        street.now,
        lender_id=street.lender_id,
        task_id=first,
        user_id=eva,
        actor="eva",
        outcome=TaskOutcome.RESOLVED,
    )
    assert await look(street) == TasksAssigned(1, 0)
    assert await owners(street) == {first: eva, second: eva, last: None}


async def test_what_nobody_can_do_keeps_nothing_behind_it_waiting(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of it than one look takes, and more urgent than all the rest."""
    monkeypatch.setattr(assign_tasks, "_BATCH", 2)
    await rules(street, ONLY_POLISH)
    eva, full = await hand(street, "eva"), await hand(street, "leo", POLISH, cap=1)
    for who in await street.neighbours(4, language="pl"):
        await some_task(street, who, reason=TaskReason.PROMISE_BROKEN)
    spanish = await some_task(street, await street.neighbour())
    assert await look(street) == TasksAssigned(1, 0)
    assert await look(street) == TasksAssigned(1, 0)
    assert (await owners(street))[spanish] == eva
    assert sorted(filter(None, (await owners(street)).values())) == sorted((eva, full))


async def test_what_waits_for_its_time_or_was_meant_for_somebody_is_left_alone(
    street: Street,
) -> None:
    await rules(street)
    eva, leo = await hand(street, "eva"), await hand(street, "leo")
    soon = street.now + timedelta(minutes=10)
    waits = await some_task(street, await street.neighbour(), not_before=soon)
    mine = await some_task(street, await street.neighbour(), given_to=leo)
    lead = await some_task(street, await street.neighbour(), reason=TaskReason.PAYMENT_UNCLEAR)
    assert await look(street) == TasksAssigned(0, 0)
    assert await later(street) == TasksAssigned(1, 0)
    assert await owners(street) == {waits: eva, mine: leo, lead: None}


async def test_many_look_at_once_and_nobody_goes_above_his_cap(street: Street) -> None:
    await rules(street)
    people = [await hand(street, name, cap=2) for name in ("eva", "leo", "ada")]
    for who in await street.neighbours(10):
        await some_task(street, who)
    done = await asyncio.gather(*(look(street) for _ in range(5)))
    assert sum(one.given for one in done) == 6
    found = list((await owners(street)).values())
    assert [found.count(one) for one in people] == [2, 2, 2]
    assert len(await lines(street)) == 6


async def test_who_takes_it_at_the_same_moment_has_it(street: Street) -> None:
    """Never two owners: taken by one, it is not kept for another."""
    await rules(street)
    givens = [await hand(street, f"g{number}") for number in range(2)]
    takers = [await collector(street, f"t{number}") for number in range(3)]
    made = [await some_task(street, who) for who in await street.neighbours(9)]

    async def takes(user_id: UserId, task_id: UUID) -> None:
        await take_task(
            street.house,
            street.now,
            lender_id=street.lender_id,
            task_id=task_id,
            user_id=user_id,
            actor="somebody",
        )

    await asyncio.gather(
        look(street),
        *(takes(takers[place % 3], task_id) for place, task_id in enumerate(made[:6])),
        *(serve(street, one) for one in givens),
        look(street),
    )
    rows = await street.rows("SELECT * FROM tasks")
    for row in rows:
        assert row.taken_by is None or row.given_to in (None, row.taken_by)
        assert (row.assigned_at is None) is (row.given_to is None)
    assert {row.taken_by for row in rows if row.id in made[:6]} == set(takers)
    # Given back, it is nobody's again, and the rules give it to somebody who is there.
    taken = next(row for row in rows if row.taken_by == takers[0])
    await release_task(
        street.house,
        street.now,
        lender_id=street.lender_id,
        task_id=taken.id,
        user_id=takers[0],
        actor="t0",
    )
    await later(street)
    assert (await owners(street))[taken.id] in givens


async def test_what_another_takes_is_not_kept_for_its_owner(street: Street) -> None:
    await rules(street)
    eva, leo = await hand(street, "eva"), await collector(street, "leo")
    task_id = await some_task(street, await street.neighbour())
    await look(street)
    whose: dict[str, Any] = {"lender_id": street.lender_id, "task_id": task_id, "actor": "him"}
    await take_task(street.house, street.now, user_id=eva, **whose)
    await release_task(street.house, street.now, user_id=eva, **whose)
    assert await owners(street) == {task_id: eva}, "given back by its owner, it waits for him"
    await take_task(street.house, street.now, user_id=leo, **whose)
    row = (await street.rows("SELECT * FROM tasks"))[0]
    assert (row.taken_by, row.given_to, row.assigned_at) == (leo, None, None)
    assert row.assigned_because is None


async def test_one_borrower_stays_with_one_person(street: Street) -> None:
    await rules(street)
    people = [await hand(street, name) for name in ("eva", "leo", "ada")]
    who = await street.neighbour()
    first = await some_task(street, who)
    await look(street)
    for other in await street.neighbours(2):
        await some_task(street, other)
    await look(street)
    second = await some_task(street, who, reason=TaskReason.BORROWER_SAYS_PAID)
    await look(street)
    found = await owners(street)
    assert found[first] == found[second]
    assert {found[task_id] for task_id in found} == set(people)
    because = await street.value("SELECT assigned_because FROM tasks WHERE id = :id", id=second)
    assert because["same_borrower"] is True


async def test_a_lender_whose_look_fails_stops_nobody_elses(street: Street) -> None:
    await rules(street)
    eva = await hand(street, "eva")
    task_id = await some_task(street, await street.neighbour())
    for _ in range(4):
        async with street.store.unit(await make_lender(street.store, street.now)) as unit:
            values = {"lender_id": unit.lender_id, "changed_at": street.now, "changed_by": "ann"}
            await unit.conn.execute(
                insert(assignment_rules).values(active=True, large_from={"no money": 1}, **values)
            )
    assert await look(street) == TasksAssigned(1, 0)
    assert await owners(street) == {task_id: eva}


# ------------------------------------------------------------------ absence


async def test_a_leave_sends_what_he_has_to_others_once(street: Street) -> None:
    await rules(street)
    eva = await hand(street, "eva")
    for who in await street.neighbours(3):
        await some_task(street, who)
    await look(street)
    leo = await hand(street, "leo")
    today = street.now.date()
    await leave(street, eva, today + timedelta(days=1), today + timedelta(days=2))
    assert await later(street) == TasksAssigned(0, 0), "it has not begun"
    assert set((await owners(street)).values()) == {eva}
    street.hands.go_on(days=1)
    # Several at once, and again: each task changes hands once.
    await asyncio.gather(*(give_back_tasks(street.house, street.now) for _ in range(3)))
    assert await look(street) == TasksAssigned(3, 0)
    await later(street)
    assert set((await owners(street)).values()) == {leo}
    said = await lines(street)
    assert [one.get("why") for one in said].count("away") == 3
    assert [one["handed_to"] for one in said].count(str(leo)) == 3
    assert len(said) == 9
    # The day after her last day she is there again.
    street.hands.go_on(days=2)
    await some_task(street, await street.neighbour())
    await look(street)
    assert list((await owners(street)).values()).count(eva) == 1


@pytest.mark.parametrize("how", ["disabled", "role"])
async def test_who_is_gone_keeps_nothing(street: Street, how: str) -> None:
    await rules(street)
    eva, leo = await hand(street, "eva"), await hand(street, "leo", cap=1)
    for who in await street.neighbours(3):
        await some_task(street, who)
    await look(street)
    assert list((await owners(street)).values()).count(eva) == 2
    whom: dict[str, Any] = {"lender_id": street.lender_id, "user_id": eva, "actor": "ada"}
    if how == "disabled":
        await disable_user(street.house, street.now, **whom)
    else:
        await change_role(street.house, street.now, role=Role.AUDITOR, **whom)
    assert await later(street) == TasksAssigned(0, 0), "Leo has his one"
    found = list((await owners(street)).values())
    assert (found.count(eva), found.count(leo), found.count(None)) == (0, 1, 2)
    assert [one["why"] for one in await lines(street) if "why" in one] == ["gone", "gone"]


async def test_a_leave_is_seen_wherever_people_are_chosen(street: Street) -> None:
    eva, leo = await collector(street, "eva"), await collector(street, "leo")
    today = street.now.date()
    absence_id = await leave(street, leo, today, today + timedelta(days=2))
    with pytest.raises(Conflict):
        await leave(street, leo, today + timedelta(days=2), today + timedelta(days=9))
    with pytest.raises(Invalid, match="away until 2026-03-05"):
        await hand_over(
            street.house,
            street.now,
            lender_id=street.lender_id,
            from_id=eva,
            to_id=leo,
            actor="eva",
        )

    async def away() -> dict[UUID, date | None]:
        async with street.store.unit(street.lender_id) as unit:
            return {one.id: one.away_until for one in await workloads(unit, street.now)}

    assert await away() == {eva: None, leo: today + timedelta(days=2)}
    off: dict[str, Any] = {"lender_id": street.lender_id, "absence_id": absence_id, "actor": "sue"}
    await call_off_absence(street.house, street.now, **off)
    with pytest.raises(NotFound):
        await call_off_absence(street.house, street.now, **off)
    assert await away() == {eva: None, leo: None}
    # Whoever says that he is back has no leave today; one that lies ahead stays.
    await leave(street, leo, today, today)
    await leave(street, leo, today + timedelta(days=7), today + timedelta(days=8))
    await come_back(street.house, street.now, lender_id=street.lender_id, user_id=leo, actor="leo")
    assert await away() == {eva: None, leo: None}
    assert await street.value("SELECT count(*) FROM absences WHERE called_off_at IS NULL") == 1
    acts = await street.rows("SELECT act FROM audit ORDER BY id")
    assert [row.act for row in acts] == [
        "note_absence", "call_off_absence", "note_absence", "note_absence", "come_back",
    ]  # fmt: skip


async def test_what_is_put_on_the_board_at_the_end_of_a_shift_stays_there(street: Street) -> None:
    await rules(street)
    eva = await hand(street, "eva")
    task_id = await some_task(street, await street.neighbour())
    await look(street)

    async def hands_over(**more: Any) -> None:
        await hand_over(
            street.house,
            street.now,
            lender_id=street.lender_id,
            from_id=eva,
            to_id=None,
            actor="eva",
            **more,
        )

    await hands_over()
    assert await later(street) == TasksAssigned(0, 0)
    street.hands.go_on(hours=22)  # the next morning
    assert await look(street) == TasksAssigned(1, 0)
    leo = await hand(street, "leo")
    await hands_over(away_until=street.now.date())
    assert await look(street) == TasksAssigned(1, 0)
    assert (await owners(street))[task_id] == leo


# ------------------------------------------------------------------ changes


async def test_who_cannot_do_it_any_more_gives_it_back(street: Street) -> None:
    await rules(street, ONLY_POLISH)
    leo = await hand(street, "leo", POLISH)
    polish = await some_task(street, await street.neighbour(language="pl"))
    spanish = await some_task(street, await street.neighbour())
    await look(street)
    before = await street.value("SELECT assigned_because FROM tasks WHERE id = :id", id=spanish)
    street.hands.go_on(minutes=1)
    await profile(street, leo)
    street.hands.go_on(minutes=1)
    assert await look(street) == TasksAssigned(0, 1)
    assert await owners(street) == {polish: None, spanish: leo}
    assert [one["why"] for one in await lines(street) if "why" in one] == ["unfit"]
    row = (await street.rows("SELECT * FROM tasks WHERE id = :id", id=spanish))[0]
    assert row.assigned_because == before
    # The rules change instead: a product needs somebody for it now.
    street.hands.go_on(minutes=1)
    await rules(street, Rules(products=frozenset({"Loan"})))
    street.hands.go_on(minutes=1)
    assert (await look(street)).taken_back == 1
    assert await owners(street) == {polish: None, spanish: None}


async def test_changes_stand_in_the_audit(street: Street) -> None:
    eva = await hand(street, "eva", POLISH, cap=7)
    await rules(street, Rules(large_from=(Money(50_000, "EUR"),)))
    rows = await street.rows("SELECT * FROM audit ORDER BY id")
    assert [(row.act, row.subject) for row in rows] == [
        ("set_desk_profile", str(eva)), ("set_assignment_rules", "assignment"),
    ]  # fmt: skip
    assert rows[0].before == {}
    assert (rows[0].after["languages"], rows[0].after["cap"]) == (["pl"], 7)
    assert rows[1].after["large_from"] == {"EUR": 50_000}
    async with street.store.unit(street.lender_id) as unit:
        assert await rules_in_force(unit) == Rules(large_from=(Money(50_000, "EUR"),))
        (mate,) = await team_of(unit, street.now)
    assert mate.profile == Profile(POLISH, "Europe/Madrid", OFFICE, 7)


async def test_only_who_works_tasks_has_a_profile_or_a_leave(street: Street) -> None:
    eva = await collector(street, "eva")
    await change_role(
        street.house,
        street.now,
        lender_id=street.lender_id,
        user_id=eva,
        role=Role.AUDITOR,
        actor="ada",
    )
    with pytest.raises(Invalid):
        await profile(street, eva)
    with pytest.raises(Invalid):
        await leave(street, eva, street.now.date(), street.now.date())
    with pytest.raises(NotFound):
        await profile(street, UserId(new_id()))


async def test_a_language_that_is_corrected_counts_for_what_waits(street: Street) -> None:
    await rules(street, ONLY_POLISH)
    leo, eva = await hand(street, "leo", POLISH), await hand(street, "eva")
    who = await street.neighbour()
    task_id = await some_task(street, who)
    wanted = BorrowerWanted(external_ref=who.ref, name="Ana Nowak", country="ES", language="pl")
    await register_borrower(street.house, street.now, street.lender_id, wanted)
    await look(street)
    assert await owners(street) == {task_id: leo}
    assert eva != leo
