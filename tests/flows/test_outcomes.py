"""What came of a call, and what follows: each outcome has its consequence, at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.domain.errors import Conflict, Invalid, NotAllowed, NotFound
from app.domain.ids import UserId
from app.domain.message import Channel
from app.domain.money import Money
from app.domain.promise_terms import Part
from app.domain.task import TaskOutcome, TaskReason
from app.flows.work.record_contact import ContactMade, record_contact
from app.flows.work.work_task import finish_task, take_task
from app.store.keys import new_id
from tests.flows.street import Neighbour, Street
from tests.flows.test_tasks_and_brakes import collector, some_task

pytestmark = pytest.mark.anyio


async def ends(
    street: Street, who: Neighbour, outcome: TaskOutcome, **more: Any
) -> tuple[UUID, UserId]:
    """Somebody takes a call task about `who`, rings, and says what came of it."""
    eva = await collector(street, more.pop("name", f"eva{new_id().hex[-4:]}"))
    reason = more.pop("reason", TaskReason.CALL_BORROWER)
    task_id = await some_task(street, who, new_id().hex, reason=reason)
    assert task_id is not None
    await take_task(
        street.house,
        street.now,
        lender_id=street.lender_id,
        task_id=task_id,
        user_id=eva,
        actor="eva",
    )
    await finish_task(
        street.house,
        street.now,
        lender_id=street.lender_id,
        task_id=task_id,
        user_id=eva,
        actor="eva",
        outcome=outcome,
        **{"called": True, **more},
    )
    return task_id, eva


async def test_a_promise_is_one_act_with_its_task(street: Street) -> None:
    who = await street.neighbour()
    parts = [Part((street.now + timedelta(days=3)).date(), Money(12_000, "EUR"))]
    task_id, _ = await ends(street, who, TaskOutcome.PROMISE, parts=parts, note="after payday")
    task = (await street.rows("SELECT state, outcome FROM tasks WHERE id = :id", id=task_id))[0]
    assert tuple(task) == ("done", "promise")
    promise = (await street.rows("SELECT state, made_by, note, source FROM promises"))[0]
    assert tuple(promise) == ("open", "eva", "after payday", "desk")
    contact = (await street.rows("SELECT conversation, outcome, user_id FROM contacts"))[0]
    assert (contact.conversation, contact.outcome) == (True, "promise")
    assert contact.user_id is not None


async def test_a_promise_that_is_refused_leaves_the_task_as_it_was(street: Street) -> None:
    too_much = [Part((street.now + timedelta(days=3)).date(), Money(12_001, "EUR"))]
    for parts in ([], too_much):
        who = await street.neighbour()
        with pytest.raises(Invalid):
            await ends(street, who, TaskOutcome.PROMISE, parts=parts)
    assert await street.value("SELECT count(*) FROM tasks WHERE state = 'done'") == 0
    assert await street.value("SELECT count(*) FROM contacts") == 0


async def test_a_call_back_waits_for_its_time_and_for_who_agreed_it(street: Street) -> None:
    who = await street.neighbour()
    call_at = street.now + timedelta(hours=2)
    _, eva = await ends(street, who, TaskOutcome.CALL_BACK, call_at=call_at, note="at work now")
    row = (await street.rows("SELECT * FROM tasks WHERE reason = 'call_back'"))[0]
    assert (row.not_before, row.given_to) == (call_at, eva)
    assert row.situation["agreed"] == "at work now"
    for wrong in (None, street.now, street.now + timedelta(days=40)):
        other = await street.neighbour()
        with pytest.raises(Invalid):
            await ends(street, other, TaskOutcome.CALL_BACK, call_at=wrong)


async def test_a_call_back_in_the_night_moves_to_the_morning(street: Street) -> None:
    who = await street.neighbour()
    # 23:30 in Madrid.
    call_at = street.now.replace(hour=22, minute=30)
    await ends(street, who, TaskOutcome.CALL_BACK, call_at=call_at)
    moved = await street.value("SELECT not_before FROM tasks WHERE reason = 'call_back'")
    assert moved > call_at
    assert (moved - call_at) < timedelta(hours=12)


async def test_a_dispute_and_hardship_set_holds_and_ask_for_an_answer(street: Street) -> None:
    for outcome, kind, reason in (
        (TaskOutcome.DISPUTE, "dispute", "borrower_disputes"),
        (TaskOutcome.HARDSHIP, "hardship", "borrower_cannot_pay"),
    ):
        who = await street.neighbour()
        await ends(street, who, outcome, note="lost the job")
        hold = (
            await street.rows(
                "SELECT kind, reason, set_by FROM holds WHERE borrower_id = :id", id=who.id
            )
        )[0]
        assert tuple(hold) == (kind, "lost the job", "eva")
        assert await street.tasks(who) == [reason]
        await street.money_seen(who)
    await street.tick()
    assert street.carrier.taken == []


async def test_paid_already_keeps_machines_quiet_until_somebody_has_looked(
    street: Street,
) -> None:
    who = await street.neighbour()
    await ends(street, who, TaskOutcome.PAID_ALREADY, note="on Monday, by transfer")
    assert await street.tasks(who) == ["borrower_says_paid"]
    await street.money_seen(who)
    await street.tick()
    assert street.carrier.taken == []
    # The one who looks it up finds it: no new task of the same kind.
    task_id = await street.value("SELECT id FROM tasks WHERE reason = 'borrower_says_paid'")
    leo = await collector(street, "leo")
    own: dict[str, Any] = {
        "lender_id": street.lender_id, "task_id": task_id, "user_id": leo, "actor": "leo",
    }  # fmt: skip
    await take_task(street.house, street.now, **own)
    await finish_task(street.house, street.now, **own, outcome=TaskOutcome.PAID_ALREADY)
    assert await street.tasks(who) == []


async def test_a_wrong_number_is_not_dialled_or_written_to_again(street: Street) -> None:
    who = await street.neighbour()
    await ends(street, who, TaskOutcome.WRONG_NUMBER)
    assert await street.value("SELECT phone_enc FROM borrowers") is None
    assert await street.tasks(who) == ["no_way_to_reach"]
    assert await street.value("SELECT conversation FROM contacts") is False


async def test_nobody_looks_for_another_number_while_a_hold_leaves_him_in_peace(
    street: Street,
) -> None:
    """Also where the task was about him and not about one case."""
    who = await street.neighbour()
    await ends(street, who, TaskOutcome.HARDSHIP)
    task_id = await street.value(
        "UPDATE tasks SET case_id = NULL WHERE reason = 'borrower_cannot_pay' RETURNING id"
    )
    eva = await collector(street, "eva")
    own: dict[str, Any] = {
        "lender_id": street.lender_id, "task_id": task_id, "user_id": eva, "actor": "eva",
    }  # fmt: skip
    await take_task(street.house, street.now, **own)
    await finish_task(street.house, street.now, **own, outcome=TaskOutcome.WRONG_NUMBER)
    assert await street.value("SELECT phone_enc FROM borrowers") is None
    assert await street.tasks(who) == []


async def test_somebody_else_answered_nothing_is_written_there_until_he_does(
    street: Street,
) -> None:
    who = await street.neighbour()
    await ends(street, who, TaskOutcome.THIRD_PARTY, note="his mother")
    assert await street.value("SELECT phone_doubted_at FROM borrowers") == street.now
    assert await street.value("SELECT conversation FROM contacts") is False
    await street.money_seen(who)
    await street.tick()
    assert street.carrier.taken == []
    assert "sms_blocked" in await street.tasks(who)
    street.hands.go_on(days=1)
    await ends(street, who, TaskOutcome.REFUSES)
    assert await street.value("SELECT phone_doubted_at FROM borrowers") is None


async def test_no_answer_and_refusal_change_nothing_but_the_count(street: Street) -> None:
    who = await street.neighbour()
    for outcome, spoken in ((TaskOutcome.NO_ANSWER, False), (TaskOutcome.REFUSES, True)):
        await ends(street, who, outcome)
        street.hands.go_on(days=1)
        last = "SELECT conversation FROM contacts ORDER BY made_at DESC LIMIT 1"
        assert await street.value(last) is spoken
    assert await street.value("SELECT count(*) FROM holds") == 0
    assert await street.tasks(who) == []


async def test_a_call_against_the_rules_is_counted_and_said(street: Street) -> None:
    who = await street.neighbour()
    street.hands.go_on(hours=13)  # midnight in Madrid
    await ends(street, who, TaskOutcome.REACHED)
    assert await street.value("SELECT count(*) FROM contacts") == 1
    line = await street.value("SELECT details FROM timeline WHERE kind = 'contact_noted'")
    assert line["allowed"] is False
    assert line["because"]


async def test_the_lenders_system_ends_a_task_that_nobody_has(street: Street) -> None:
    who = await street.neighbour()
    task_id = await some_task(street, who, "c1")
    given: dict[str, Any] = {
        "lender_id": street.lender_id, "task_id": task_id, "user_id": None, "actor": "api key",
    }  # fmt: skip
    eva = await collector(street, "eva")
    await take_task(street.house, street.now, **{**given, "user_id": eva})
    with pytest.raises(NotAllowed):
        await finish_task(street.house, street.now, **given, outcome=TaskOutcome.REACHED)
    other = await street.neighbour()
    given["task_id"] = await some_task(street, other, "c2")
    await finish_task(street.house, street.now, **given, outcome=TaskOutcome.NO_ANSWER)
    query = "SELECT state, taken_by FROM tasks WHERE id = :id"
    assert tuple((await street.rows(query, id=given["task_id"]))[0]) == ("done", None)


# ------------------------------------------------------------------ calls made elsewhere


def a_call(street: Street, **more: Any) -> ContactMade:
    given: dict[str, Any] = {
        "channel": Channel.CALL,
        "outbound": True,
        "made_at": street.now - timedelta(hours=1),
        "conversation": False,
        **more,
    }
    return ContactMade(**given)


async def noted(street: Street, who: Neighbour, made: ContactMade, **more: Any) -> UUID:
    given: dict[str, Any] = {
        "lender_id": street.lender_id,
        "case_id": who.cases[0],
        "made": made,
        "user_id": None,
        "actor": "eva",
        **more,
    }
    return await record_contact(street.house, street.now, **given)


async def test_a_call_made_elsewhere_counts_in_the_caps(street: Street) -> None:
    from app.flows.work.call_window import call_window

    who = await street.neighbour()

    async def allowed() -> bool:
        async with street.store.unit(street.lender_id) as unit:
            window = await call_window(
                unit, street.house.packs, street.now, borrower_id=who.id, case_ids=who.cases
            )
        return window.allowed

    assert await allowed()
    for minutes in range(1, 40):
        await noted(street, who, a_call(street, made_at=street.now - timedelta(minutes=minutes)))
    assert not await allowed()
    line = await street.value(
        "SELECT details FROM timeline WHERE kind = 'contact_noted' ORDER BY id LIMIT 1"
    )
    assert line["source"] == "outside"


async def test_what_is_said_of_a_call_decides_where_it_counts(street: Street) -> None:
    who = await street.neighbour()
    ago = [street.now - timedelta(hours=hours) for hours in (1, 2, 3)]
    await noted(street, who, a_call(street, made_at=ago[0], asked_for=True))
    await noted(street, who, a_call(street, made_at=ago[1], connected=False))
    # In Spain nobody is called at work; that is said of the call, and it counts.
    await noted(street, who, a_call(street, made_at=ago[2], at_work=True))
    rows = await street.rows("SELECT counts, asked_for FROM contacts ORDER BY made_at DESC")
    assert [tuple(row) for row in rows] == [(True, True), (False, False), (True, False)]
    lines = await street.rows(
        "SELECT details FROM timeline WHERE kind = 'contact_noted' ORDER BY id DESC"
    )
    assert lines[0].details["allowed"] is False
    assert "place of work" in lines[0].details["because"]


async def test_what_cannot_be_noted(street: Street) -> None:
    who = await street.neighbour()
    wrong = [
        a_call(street, made_at=street.now + timedelta(minutes=6)),
        a_call(street, made_at=street.now - timedelta(days=33)),
        a_call(street, outcome=TaskOutcome.PROMISE, conversation=True),
        a_call(street, outcome=TaskOutcome.CALL_BACK, conversation=True),
        a_call(street, outcome=TaskOutcome.NO_ANSWER, conversation=True),
        a_call(street, outcome=TaskOutcome.REFUSES, conversation=False),
        a_call(street, note="x" * 2001, outcome=TaskOutcome.NO_ANSWER),
        a_call(street, outbound=False, asked_for=True),
        a_call(street, outbound=False, connected=False),
        a_call(street, connected=False, conversation=True),
        a_call(street, connected=False, outcome=TaskOutcome.THIRD_PARTY),
        a_call(street, channel=Channel.SMS, at_work=True),
        a_call(street, channel=Channel.EMAIL, connected=False),
    ]
    for made in wrong:
        with pytest.raises(Invalid):
            await noted(street, who, made)
    with pytest.raises(NotFound):
        await noted(street, who, a_call(street), case_id=new_id())
    assert await street.value("SELECT count(*) FROM contacts") == 0
    await noted(street, who, a_call(street))
    with pytest.raises(Conflict):
        await noted(street, who, a_call(street))
    assert await street.value("SELECT count(*) FROM contacts") == 1


async def test_the_outcome_of_a_call_made_elsewhere_has_its_consequence(street: Street) -> None:
    who = await street.neighbour()
    made = a_call(
        street, outbound=False, conversation=True, outcome=TaskOutcome.DISPUTE, note="not mine"
    )
    contact_id = await noted(street, who, made)
    row = (await street.rows("SELECT direction, outcome, source FROM contacts"))[0]
    assert tuple(row) == ("inbound", "dispute", "outside")
    assert await street.value("SELECT kind FROM holds") == "dispute"
    assert await street.tasks(who) == ["borrower_disputes"]
    assert contact_id is not None
