"""Tasks, holds, switches and floors: what people do to stop machines, and to go on."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.domain.errors import Conflict, IllegalTransition, Invalid, NotAllowed, NotFound
from app.domain.hold import BY_HAND
from app.domain.ids import UserId
from app.domain.money import Money
from app.domain.roles import Role
from app.domain.task import TaskOutcome, TaskReason
from app.flows.lenders.set_observe_only import set_observe_only
from app.flows.lenders.stop_switch import set_switch
from app.flows.signals.lower_floor import lower_floor
from app.flows.work.lift_hold import lift_hold
from app.flows.work.open_task import open_task
from app.flows.work.set_hold import set_hold
from app.flows.work.work_task import finish_task, give_back_tasks, release_task, take_task
from app.store.brakes import Brake
from app.store.keys import new_id
from tests.flows.desk_people import Desk
from tests.flows.street import Neighbour, Street

pytestmark = pytest.mark.anyio


async def collector(street: Street, name: str) -> UserId:
    """Somebody at the desk."""
    user_id = UserId(new_id())
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(
            text(
                "INSERT INTO users (id, lender_id, email, name, role, password_hash, created_at) "
                "VALUES (:id, :lender, :mail, :name, 'collector', '', :now)"
            ),
            {
                "id": user_id,
                "lender": street.lender_id,
                "mail": f"{name}@sol.example",
                "name": name,
                "now": street.now,
            },
        )
    return user_id


async def some_task(street: Street, who: Neighbour, cause: str = "c1", **more: Any) -> UUID | None:
    async with street.store.unit(street.lender_id) as unit:
        return await open_task(
            unit,
            street.now,
            borrower_id=who.id,
            case_id=who.cases[0],
            reason=more.pop("reason", TaskReason.LINK_UNPAID),
            cause=cause,
            **more,
        )


def named(street: Street, task_id: UUID | None, user_id: UserId) -> dict[str, Any]:
    return {
        "lender_id": street.lender_id,
        "task_id": task_id,
        "user_id": user_id,
        "actor": "somebody",
    }


async def test_one_cause_one_task_and_one_open_task_of_a_kind(street: Street) -> None:
    who = await street.neighbour()
    first = await some_task(street, who)
    assert first is not None
    assert await some_task(street, who) is None, "the same cause"
    assert await some_task(street, who, "c2") is None, "the same call to the same person"
    eva = await collector(street, "eva")
    await take_task(street.house, street.now, **named(street, first, eva))
    await finish_task(
        street.house, street.now, **named(street, first, eva), outcome=TaskOutcome.NO_ANSWER
    )
    assert await some_task(street, who) is None, "this cause has had its task"
    assert await some_task(street, who, "c3") is not None
    # Money is answered for one by one.
    assert await some_task(street, who, "p1", reason=TaskReason.OVERPAID) is not None
    assert await some_task(street, who, "p2", reason=TaskReason.OVERPAID) is not None


async def test_two_collectors_reach_for_the_same_task(street: Street) -> None:
    who = await street.neighbour()
    task_id = await some_task(street, who)
    eva, leo = await collector(street, "eva"), await collector(street, "leo")
    results = await asyncio.gather(
        take_task(street.house, street.now, **named(street, task_id, eva)),
        take_task(street.house, street.now, **named(street, task_id, leo)),
        return_exceptions=True,
    )
    assert [type(one) for one in results].count(Conflict) == 1
    taken_by = await street.value("SELECT taken_by FROM tasks")
    other = leo if taken_by == eva else eva
    with pytest.raises(NotAllowed):
        await finish_task(
            street.house, street.now, **named(street, task_id, other), outcome=TaskOutcome.REACHED
        )
    with pytest.raises(NotAllowed):
        await release_task(street.house, street.now, **named(street, task_id, other))
    with pytest.raises(NotFound):
        await take_task(street.house, street.now, **named(street, new_id(), eva))


async def test_a_task_left_lying_goes_back_to_the_board(street: Street) -> None:
    who = await street.neighbour()
    task_id = await some_task(street, who)
    eva = await collector(street, "eva")
    await take_task(street.house, street.now, **named(street, task_id, eva))
    street.hands.real += timedelta(minutes=20)
    # Taking it again is a sign of work.
    await take_task(street.house, street.now, **named(street, task_id, eva))
    street.hands.real += timedelta(minutes=20)
    assert (await give_back_tasks(street.house, street.now)).tasks == 0
    street.hands.real += timedelta(minutes=11)
    assert (await give_back_tasks(street.house, street.now)).tasks == 1
    row = (await street.rows("SELECT state, taken_by, leased_until FROM tasks"))[0]
    assert tuple(row) == ("open", None, None)
    with pytest.raises(IllegalTransition):
        await finish_task(
            street.house, street.now, **named(street, task_id, eva), outcome=TaskOutcome.REACHED
        )


async def test_a_call_counts_as_a_contact_and_a_talk_as_a_talk(street: Street) -> None:
    who = await street.neighbour()
    eva = await collector(street, "eva")
    for cause, outcome in (("a", TaskOutcome.NO_ANSWER), ("b", TaskOutcome.REACHED)):
        task_id = await some_task(street, who, cause)
        await take_task(street.house, street.now, **named(street, task_id, eva))
        await finish_task(
            street.house,
            street.now,
            **named(street, task_id, eva),
            outcome=outcome,
            called=True,
            note=" tries again on Friday ",
        )
        street.hands.go_on(minutes=1)
    rows = await street.rows(
        "SELECT channel, direction, conversation, case_ids FROM contacts ORDER BY made_at"
    )
    assert [row.conversation for row in rows] == [False, True]
    assert {(row.channel, row.direction) for row in rows} == {("call", "outbound")}
    assert rows[0].case_ids == [who.cases[0]]
    notes = await street.rows("SELECT DISTINCT note FROM tasks WHERE state = 'done'")
    assert [row.note for row in notes] == ["tries again on Friday"]


async def test_a_paid_case_takes_its_tasks_along_but_not_those_about_money(street: Street) -> None:
    who = await street.neighbour()
    await some_task(street, who)
    await some_task(street, who, "p", reason=TaskReason.OVERPAID)
    await street.repaid(who, "cash")
    assert await street.tasks(who) == ["overpaid"]
    reason = await street.value("SELECT cancel_reason FROM tasks WHERE state = 'cancelled'")
    assert reason == "paid"


async def test_holds_are_checked_set_and_lifted(street: Street) -> None:
    who, other = await street.neighbour(), await street.neighbour()
    wrong: list[dict[str, Any]] = [
        {"kind": "mood"},
        {"reason": "  "},
        {"ends_at": street.now},
    ]
    given: dict[str, Any] = {
        "borrower_id": who.id,
        "case_id": None,
        "kind": "hardship",
        "reason": "lost the job",
        "ends_at": street.now + timedelta(days=30),
        "set_by": "eva",
    }
    for change in wrong:
        async with street.store.unit(street.lender_id) as unit:
            with pytest.raises(Invalid):
                await set_hold(unit, street.now, **{**given, **change})
    async with street.store.unit(street.lender_id) as unit:
        with pytest.raises(NotFound):
            await set_hold(unit, street.now, **{**given, "case_id": other.cases[0]})
    async with street.store.unit(street.lender_id) as unit:
        hold_id = await set_hold(unit, street.now, **given)
    async with street.store.unit(street.lender_id) as unit:
        lift: dict[str, Any] = {"hold_id": hold_id, "lifted_by": "mara", "role": Role.SUPERVISOR}
        for nothing in ("", " \n", "x" * 501):
            with pytest.raises(Invalid, match="Say what ended"):
                await lift_hold(unit, street.now, reason=nothing, **lift)
        await lift_hold(unit, street.now, reason="He was shown the contract.", **lift)
    async with street.store.unit(street.lender_id) as unit:
        with pytest.raises(Conflict):
            await lift_hold(unit, street.now, reason="Again.", **lift)
    lines = await street.rows(
        "SELECT kind, actor FROM timeline WHERE kind LIKE 'hold%' ORDER BY id"
    )
    assert [tuple(line) for line in lines] == [("hold_set", "eva"), ("hold_lifted", "mara")]
    assert (
        await street.value("SELECT details ->> 'reason' FROM timeline WHERE kind = 'hold_lifted'")
        == "He was shown the contract."
    )


async def test_the_stop_switch_for_payments(street: Street) -> None:
    from tests.flows.at_the_page import at_the_page

    ana = await at_the_page(street)
    await set_switch(
        street.house,
        street.now,
        lender_id=street.lender_id,
        brake=Brake.PAYMENT,
        halted=True,
        reason="the account is being moved",
        actor="mara",
    )
    with pytest.raises(NotAllowed):
        await ana.taps()
    assert street.bank.payments == {}


async def test_a_key_lets_go_on_only_what_it_stopped_itself(street: Street) -> None:
    async def switch(actor: str, *, halted: bool, by_key: bool = True) -> bool:
        return await set_switch(
            street.house, street.now, lender_id=street.lender_id, brake=Brake.SMS,
            halted=halted, reason="x", actor=actor, by_key=by_key,
        )  # fmt: skip

    assert await switch("api sk_one", halted=True)
    assert await switch("api sk_one", halted=False)
    assert await switch("coral@sol.example", halted=True, by_key=False)
    with pytest.raises(NotAllowed, match="A person lets it go on"):
        await switch("api sk_one", halted=False)
    assert await street.value("SELECT halted FROM stop_switches")
    tried = (await street.rows("SELECT actor, subject FROM audit WHERE act = 'refused'"))[0]
    assert tuple(tried) == ("api sk_one", "sms")
    assert await switch("coral@sol.example", halted=False, by_key=False)


async def test_a_switch_and_a_mode_want_a_reason(street: Street) -> None:
    with pytest.raises(Invalid):
        await set_switch(
            street.house,
            street.now,
            lender_id=street.lender_id,
            brake=Brake.SMS,
            halted=True,
            reason=" ",
            actor="mara",
        )
    with pytest.raises(Invalid):
        await set_observe_only(
            street.house, street.now, lender_id=street.lender_id, on=True, reason="", actor="mara"
        )
    assert await street.value("SELECT count(*) FROM audit") == 0


async def test_only_compliance_lowers_the_floor_and_zero_is_a_floor(street: Street) -> None:
    given: dict[str, Any] = {
        "lender_id": street.lender_id,
        "floor": Money(0, "EUR"),
        "reason": "salaried staff only",
        "actor": "carla",
    }
    desk = Desk(street)
    for role in Role:
        if role is not Role.COMPLIANCE:
            with pytest.raises(NotAllowed):
                given["user_id"] = await desk.person(role.value, role)
                await lower_floor(street.house, street.now, **given)
    given["user_id"] = await desk.person("coral", Role.COMPLIANCE)
    with pytest.raises(Invalid):
        await lower_floor(street.house, street.now, **{**given, "floor": Money(-1, "EUR")})
    await lower_floor(street.house, street.now, **given)
    row = (await street.rows("SELECT floor_minor, floor_currency, floor_reason FROM lenders"))[0]
    assert tuple(row) == (0, "EUR", "salaried staff only")
    await lower_floor(street.house, street.now, **{**given, "floor": None})
    lines = await street.rows(
        "SELECT before, after FROM audit WHERE act = 'lower_floor' ORDER BY id"
    )
    assert [line.after["floor_minor"] for line in lines] == [0, None]
    assert lines[1].before == {"floor_minor": 0, "floor_currency": "EUR"}


async def test_an_unconfirmed_compliance_lowers_no_floor(street: Street) -> None:
    straw = await Desk(street).person("straw", Role.COMPLIANCE)
    await street.rows("UPDATE users SET unconfirmed_since = now() RETURNING 1")
    with pytest.raises(NotAllowed) as refused:
        await lower_floor(
            street.house, street.now, lender_id=street.lender_id, floor=Money(0, "EUR"),
            reason="x", user_id=straw, actor="straw",
        )  # fmt: skip
    assert refused.value.code == "NotConfirmed"
    assert await street.value("SELECT floor_minor FROM lenders") is None


async def test_holds_of_every_kind_stop_alike(street: Street) -> None:
    for kind in BY_HAND:
        who = await street.neighbour()
        async with street.store.unit(street.lender_id) as unit:
            await set_hold(
                unit,
                street.now,
                borrower_id=who.id,
                case_id=None,
                kind=kind,
                reason="a test",
                ends_at=None,
                set_by="eva",
            )
        await street.money_seen(who)
    await street.tick()
    await street.tick()
    assert street.carrier.taken == []
