"""Holds in the book: backdated, overlapping, ended by the right people; and payment stays free."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.domain.errors import Conflict, Invalid, NotAllowed
from app.domain.hold import BY_HAND
from app.domain.message import Channel
from app.domain.roles import Role
from app.domain.task import TaskOutcome, TaskReason
from app.flows.messages.ask_gate import ask_gate
from app.flows.messages.opt_out import opt_out
from app.flows.work.lift_hold import end_crisis, lift_hold
from app.flows.work.next_case import next_case
from app.flows.work.open_task import open_task
from app.flows.work.set_hold import set_hold
from app.flows.work.work_task import finish_task
from app.pay_ports import PayStatus
from app.reports.hold_book import HoldBook, hold_book
from app.store.brakes import holds_of
from app.store.contacts import note_contact
from app.store.locks import lock_borrower
from tests.flows.at_the_page import at_the_page, many_at_the_page
from tests.flows.promising import promise, state_of, to_day
from tests.flows.street import Neighbour, Street
from tests.flows.test_tasks_and_brakes import collector

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


async def hold(street: Street, who: Neighbour, kind: str, **more: Any) -> UUID:
    given: dict[str, Any] = {"case_id": None, "reason": "a test", "ends_at": None, "set_by": "eva"}
    async with street.store.unit(street.lender_id) as unit:
        return await set_hold(unit, street.now, borrower_id=who.id, kind=kind, **{**given, **more})


async def book(street: Street, who: Neighbour) -> HoldBook:
    async with street.store.unit(street.lender_id) as unit:
        return await hold_book(unit, street.now, borrower_id=who.id, case_id=who.cases[0])


async def lifted(street: Street, hold_id: UUID, role: Role) -> None:
    async with street.store.unit(street.lender_id) as unit:
        await lift_hold(
            unit, street.now, hold_id=hold_id, lifted_by="mara", role=role, reason="over"
        )


async def held(street: Street, who: Neighbour) -> list[str]:
    async with street.store.unit(street.lender_id) as unit:
        found = await holds_of(unit, (who.id,), street.now)
    return sorted(one.kind for one in found.get(who.id, ()))


async def may_call(street: Street, who: Neighbour) -> bool:
    async with street.store.unit(street.lender_id) as unit:
        person = await lock_borrower(unit, who.id)
        asked = await ask_gate(
            unit, street.house.packs, street.now, person, case_ids=who.cases, channel=Channel.CALL
        )
    return asked.verdict.allowed


async def called(street: Street, who: Neighbour, at: datetime) -> None:
    async with street.store.unit(street.lender_id) as unit:
        await note_contact(
            unit,
            at,
            lender_id=street.lender_id,
            borrower_id=who.id,
            channel=Channel.CALL,
            outbound=True,
            conversation=False,
            case_ids=who.cases,
        )


async def test_a_hold_that_began_last_week_names_what_was_done_since(street: Street) -> None:
    who = await street.neighbour()
    for days in (9, 6, 2):
        await called(street, who, street.now - days * DAY)
    await hold(street, who, "hardship", starts_at=street.now - 7 * DAY)
    found = await book(street, who)
    assert [one.at for one in found.early] == [street.now - 2 * DAY, street.now - 6 * DAY]
    (line,) = found.in_force
    assert line.backdated
    assert line.recorded_at == street.now
    street.hands.go_on(days=1)
    await called(street, who, street.now)
    assert len((await book(street, who)).early) == 2, "what comes after we knew is no accident"


async def test_a_hold_may_lie_in_the_past_altogether(street: Street) -> None:
    who = await street.neighbour()
    await street.money_seen(who)
    await street.work_off()
    await called(street, who, street.now - 25 * DAY)
    await hold(
        street, who, "hardship", starts_at=street.now - 30 * DAY, ends_at=street.now - 20 * DAY
    )
    assert await held(street, who) == []
    assert await street.states("messages", who) == ["queued"], "nothing is stopped now"
    found = await book(street, who)
    assert len(found.over) == len(found.early) == 1


async def test_overlapping_holds_end_when_the_last_one_does(street: Street) -> None:
    who = await street.neighbour()
    first = await hold(street, who, "hardship", ends_at=street.now + 5 * DAY)
    await hold(street, who, "dispute", ends_at=street.now + 9 * DAY)
    await lifted(street, first, Role.SUPERVISOR)
    assert await held(street, who) == ["dispute"]
    assert not await may_call(street, who)
    street.hands.go_on(days=9)
    assert await held(street, who) == []
    assert await may_call(street, who)


async def test_calls_are_taken_off_the_board_and_what_he_said_stays(street: Street) -> None:
    who = await street.neighbour(dues=(7_000, 5_000))
    async with street.store.unit(street.lender_id) as unit:
        for reason, case_id in (
            (TaskReason.CALL_BORROWER, who.cases[0]),
            (TaskReason.PROMISE_BROKEN, who.cases[1]),
            (TaskReason.BORROWER_CANNOT_PAY, None),
        ):
            await open_task(
                unit, street.now, borrower_id=who.id, case_id=case_id, reason=reason, cause=reason
            )
    await hold(street, who, "hardship", case_id=who.cases[0])
    assert await street.tasks(who) == ["promise_broken", "borrower_cannot_pay"]
    await hold(street, who, "hardship")
    assert await street.tasks(who) == ["borrower_cannot_pay"]


async def test_only_compliance_ends_what_specialists_look_after(street: Street) -> None:
    for kind in ("deceased", "insolvency", "represented", "breathing_space", "crisis"):
        who = await street.neighbour()
        hold_id = await hold(street, who, kind)
        for role in Role:
            if role is not Role.COMPLIANCE:
                with pytest.raises(NotAllowed, match="ended by: compliance"):
                    await lifted(street, hold_id, role)
        assert await held(street, who) == [kind]
        await lifted(street, hold_id, Role.COMPLIANCE)
        assert await held(street, who) == []


async def test_breathing_space_lasts_sixty_days_from_its_start(street: Street) -> None:
    who = await street.neighbour()
    hold_id = await hold(street, who, "breathing_space", starts_at=street.now - 10 * DAY)
    street.hands.go_on(days=49, hours=23)
    assert await held(street, who) == ["breathing_space"]
    street.hands.go_on(hours=2)
    assert await held(street, who) == []
    with pytest.raises(Conflict, match="by itself"):
        await lifted(street, hold_id, Role.COMPLIANCE)


async def test_a_crisis_ends_thirty_days_after_the_treatment(street: Street) -> None:
    who = await street.neighbour()
    hold_id = await hold(street, who, "crisis", starts_at=street.now - 20 * DAY)

    async def over(on: date, *, role: Role = Role.COMPLIANCE, which: UUID = hold_id) -> datetime:
        async with street.store.unit(street.lender_id) as unit:
            return await end_crisis(
                unit, street.now, hold_id=which, treatment_ended_on=on, by="carla", role=role
            )

    today = street.now.date()
    with pytest.raises(NotAllowed):
        await over(today, role=Role.SUPERVISOR)
    for wrong in (today + DAY, today - 21 * DAY):
        with pytest.raises(Invalid):
            await over(wrong)
    other = await hold(street, who, "dispute")
    with pytest.raises(Invalid, match="no hold for"):
        await over(today, which=other)
    await lifted(street, other, Role.SUPERVISOR)
    # Said wrong, then mended: the later word counts.
    await over(today - 10 * DAY)
    ends = await over(today - 2 * DAY)
    assert ends.date() == today + 29 * DAY
    street.hands.now = ends - timedelta(minutes=1)
    assert await held(street, who) == ["crisis"]
    street.hands.now = ends
    assert await held(street, who) == []
    lines = await street.rows("SELECT kind FROM timeline WHERE kind = 'hold_changed'")
    assert len(lines) == 2


async def test_an_interval_nobody_can_mean_is_refused(street: Street) -> None:
    who = await street.neighbour()
    wrong: list[dict[str, Any]] = [
        {"starts_at": street.now + DAY},
        {"starts_at": street.now - 2000 * DAY},
        {"starts_at": street.now - DAY, "ends_at": street.now - 2 * DAY},
        {"blocks": ["contact"]},
        {"blocks": ["sunshine"]},
    ]
    for change in wrong:
        with pytest.raises(Invalid):
            await hold(street, who, "dispute", **change)
    assert await street.value("SELECT count(*) FROM holds") == 0


@pytest.mark.parametrize("kind", ["complaint", "other"])
async def test_no_hold_leaves_the_call_window_open(kind: str, street: Street) -> None:
    who = await street.neighbour()
    await street.money_seen(who)
    await street.work_off()
    with pytest.raises(Invalid, match="always stops"):
        await hold(street, who, kind, blocks=["agency", "fees"])
    await hold(street, who, kind, blocks=["agency", "contact", "payment_ask"])
    assert await street.states("messages", who) == ["cancelled"]
    assert not await may_call(street, who)
    # One that was set while less could be chosen.
    await street.rows("UPDATE holds SET blocks = '{agency,fees}' RETURNING 1")
    assert not await may_call(street, who)
    await street.money_seen(who)
    await street.tick()
    assert street.texts_to(who) == 0


async def test_the_lenders_system_is_told_what_to_stop(street: Street) -> None:
    who = await street.neighbour()
    hold_id = await hold(street, who, "breathing_space", starts_at=street.now - 3 * DAY)
    await lifted(street, hold_id, Role.COMPLIANCE)
    await street.tick()
    told = {one["type"]: one["data"] for one in await street.told() if "hold" in one["type"]}
    assert set(told) == {"hold.set", "hold.changed"}
    assert {"fees", "bureau", "agency", "debit"} <= set(told["hold.set"]["blocks"])
    assert told["hold.set"]["external_ref"] == told["hold.changed"]["external_ref"] == who.ref
    assert told["hold.set"]["starts_at"] == (street.now - 3 * DAY).isoformat()
    assert told["hold.changed"]["lifted"] is True


async def test_his_dispute_is_answered_under_its_hold_and_his_wish_is_noted(
    street: Street,
) -> None:
    who = await street.neighbour()
    await hold(street, who, "dispute")
    async with street.store.unit(street.lender_id) as unit:
        for reason in (TaskReason.BORROWER_DISPUTES, TaskReason.CALL_BACK):
            await open_task(
                unit, street.now, borrower_id=who.id, case_id=who.cases[0], reason=reason,
                cause=reason,
            )  # fmt: skip
    eva = await collector(street, "eva")
    given: dict[str, Any] = {"lender_id": street.lender_id, "user_id": eva, "actor": "eva"}
    for _ in range(2):
        street.hands.go_on(minutes=5)
        served = await next_case(street.house, street.now, **given)
        assert served is not None
        assert served.task_id is not None
        await finish_task(
            street.house, street.now, task_id=served.task_id, outcome=TaskOutcome.NO_ANSWER,
            called=True, **given,
        )  # fmt: skip
    rows = await street.rows(
        "SELECT t.reason, c.counts, c.asked_for FROM contacts c JOIN tasks t ON t.id = c.task_id"
    )
    # Rules that leave out what he asked for (`but_asked_for`) leave out the second alone.
    asked_for = {row.reason: row.asked_for for row in rows if row.counts}
    assert asked_for == {"borrower_disputes": False, "call_back": True}
    noted = await street.value("SELECT count(*) FROM timeline WHERE details->>'allowed' = 'false'")
    assert noted == 0


async def test_whoever_wants_to_pay_may(street: Street) -> None:
    people = await many_at_the_page(street, len(BY_HAND))
    for ana, kind in zip(people, BY_HAND, strict=True):
        await hold(street, ana.who, kind.value)
        before = len(street.bank.payments)
        await ana.taps()
        assert len(street.bank.payments) == before + 1, kind


async def test_a_strategy_looks_again_when_a_hold_comes_and_goes(street: Street) -> None:
    who = await street.neighbour()
    async with street.store.engine_unit() as unit:
        await unit.conn.execute(
            text(
                "WITH s AS (INSERT INTO strategies (id, lender_id, name, created_at) VALUES "
                "(:id, :lender, 's', :now) RETURNING id), v AS (INSERT INTO strategy_versions "
                "(id, lender_id, strategy_id, made_by, made_at) SELECT :id, :lender, id, 'x', :now "
                "FROM s RETURNING id) SELECT id FROM v"
            ),
            {"id": who.id, "lender": street.lender_id, "now": street.now},
        )
        await unit.conn.execute(text("UPDATE cases SET strategy_version_id = :id"), {"id": who.id})
    look = "SELECT next_step_at FROM cases WHERE borrower_id = :id"
    hold_id = await hold(street, who, "hardship")
    assert await street.value(look, id=who.id) == street.now
    street.hands.go_on(hours=3)
    await lifted(street, hold_id, Role.SUPERVISOR)
    assert await street.value(look, id=who.id) == street.now


async def test_nobody_is_sent_to_ask_about_a_broken_promise_while_a_hold_stands(
    street: Street,
) -> None:
    who = await street.neighbour()
    promise_id = await promise(street, who, (3, 5_000))
    await hold(street, who, "hardship", ends_at=street.now + 9 * DAY)
    await to_day(street, 6)
    assert await state_of(street, promise_id) == "broken"
    assert await street.tasks(who) == []
    assert await street.value("SELECT next_step_at IS NOT NULL FROM cases"), "it goes on after it"


async def test_a_no_of_his_bank_or_to_our_texts_brings_nobody_to_call_while_a_hold_stands(
    street: Street,
) -> None:
    ana = await at_the_page(street)
    await hold(street, ana.who, "hardship")
    await ana.taps()
    ana.says_yes_everywhere()
    await street.minutes_pass(1)
    street.bank.turn(PayStatus.REJECTED)
    await street.minutes_pass(2, 2)
    assert await ana.payments() == ["rejected"]
    async with street.store.unit(street.lender_id) as unit:
        await opt_out(unit, street.now, borrower_id=ana.who.id, channel=Channel.SMS, source="page")
    assert not {"payment_rejected", "opted_out"} & set(await street.tasks(ana.who))


async def test_a_wrong_number_during_a_hold_brings_nobody_to_look_for_another(
    street: Street,
) -> None:
    who = await street.neighbour()
    await hold(street, who, "dispute")
    async with street.store.unit(street.lender_id) as unit:
        reason = TaskReason.BORROWER_DISPUTES
        await open_task(
            unit, street.now, borrower_id=who.id, case_id=who.cases[0], reason=reason, cause=who.id
        )
    given: dict[str, Any] = {
        "lender_id": street.lender_id, "user_id": await collector(street, "eva"), "actor": "eva",
    }  # fmt: skip
    street.hands.go_on(minutes=5)
    served = await next_case(street.house, street.now, **given)
    assert served is not None
    assert served.task_id is not None
    await finish_task(
        street.house, street.now, task_id=served.task_id, outcome=TaskOutcome.WRONG_NUMBER,
        called=True, **given,
    )  # fmt: skip
    assert "no_way_to_reach" not in await street.tasks(who)
    assert await street.value("SELECT phone_enc FROM borrowers") is None
