"""A case on its way along a strategy: notices, calls and the end, on real rows."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.domain.hold import HoldKind
from app.domain.task import TaskOutcome
from app.flows.strategies.step_cases import CasesStepped, plan_steps, step_cases
from app.flows.work.set_hold import set_hold
from app.reports.checkup import check_confirmations
from app.reports.status import status_of
from tests.flows.collector import answer
from tests.flows.mailbox import give_address
from tests.flows.street import Neighbour, Street

pytestmark = pytest.mark.anyio


async def step(street: Street) -> CasesStepped:
    """What the tick finds due is done, whoever it is about."""
    ids = [
        row.id
        for row in await street.rows(
            "SELECT id FROM cases WHERE state = 'open' AND next_step_at <= :now", now=street.now
        )
    ]
    return await step_cases(street.house, street.now, ids)


async def on_day(street: Street, due: datetime, day: int) -> CasesStepped:
    """Eleven in the morning, so many days after the due date, with the tick's work done.

    The lender's system has just said what is owed.
    """
    street.hands.go_on(seconds=(due + timedelta(days=day) - street.now).total_seconds())
    await street.rows("UPDATE loans SET owed_as_of = :now RETURNING 1", now=street.now)
    return await step(street)


async def fresh(street: Street, days_late: int = 0, **wanted: Any) -> tuple[Neighbour, datetime]:
    """Somebody whose loan was known before it fell due, and the morning of the due date."""
    # The youngest of his debts is so many days late, each before it a day more.
    who = await street.neighbour(days_late=days_late - 1, **wanted)
    await street.rows("UPDATE loans SET created_at = created_at - interval '90 days' RETURNING 1")
    return who, street.now - timedelta(days=days_late)


async def steps_of(street: Street, who: Neighbour) -> list[tuple[str, str, str | None]]:
    rows = await street.rows(
        "SELECT kind, name, result FROM strategy_steps WHERE borrower_id = :id "
        "ORDER BY made_at, on_day, name",
        id=who.id,
    )
    return [(row.kind, row.name, row.result) for row in rows]


# ------------------------------------------------------------------ notices


async def test_a_notice_leaves_on_its_day_with_a_link(street: Street) -> None:
    who, due = await fresh(street)
    assert (await on_day(street, due, 2)).notices == 0
    assert (await on_day(street, due, 3)).notices == 1
    await street.work_off()
    await street.tick()
    assert street.texts_to(who) == 1
    assert street.token_on(who)
    message = (await street.rows("SELECT cause, wording, signal_id, state FROM messages"))[0]
    assert tuple(message) == ("notice", "first_missed/1", None, "sent")


async def test_a_second_run_and_a_second_planner_do_nothing_more(street: Street) -> None:
    who, due = await fresh(street)
    await on_day(street, due, 3)
    before = await steps_of(street, who)
    ids = [who.cases[0]]
    assert (await step_cases(street.house, street.now, ids)).notices == 0
    assert await steps_of(street, who) == before
    assert await street.value("SELECT count(*) FROM messages") == 1


async def test_jobs_and_ticks_at_the_same_moment_take_each_step_once(street: Street) -> None:
    who, due = await fresh(street, dues=(5_000, 7_000))
    await on_day(street, due, 2)
    street.hands.go_on(days=1)
    await asyncio.gather(
        *(step_cases(street.house, street.now, who.cases) for _ in range(4)),
        *(plan_steps(street.house, street.now) for _ in range(2)),
    )
    steps = await steps_of(street, who)
    assert len([name for _, name, _ in steps if name == "3/sms/first_missed"]) == 2
    # The older debt had its message yesterday, the younger one has it today.
    assert await street.value("SELECT count(*) FROM messages") == 2


async def test_the_tick_hands_over_what_is_due_and_leases_it(street: Street) -> None:
    await fresh(street)
    assert (await plan_steps(street.house, street.now)).planned == 1
    assert (await plan_steps(street.house, street.now)).planned == 0
    assert (
        await street.value(
            "SELECT count(*) FROM procrastinate_jobs WHERE task_name = :n", n="step_cases"
        )
        == 1
    )


async def test_it_looks_again_at_the_beginning_of_his_own_day(street: Street) -> None:
    who, due = await fresh(street, time_zone="Atlantic/Canary", phone="+34600000001")
    await on_day(street, due, 1)
    again = await street.value("SELECT next_step_at FROM cases WHERE id = :id", id=who.cases[0])
    # Madrid by the number, the Canaries by his word: midnight of the later one.
    assert again.isoformat() == "2026-03-05T00:00:00+00:00"


async def test_without_an_address_the_notice_is_a_recorded_skip(street: Street) -> None:
    who, due = await fresh(street)
    done = await on_day(street, due, 1)
    assert (done.notices, done.skipped) == (0, 1)
    assert [(name, why) for _, name, why in await steps_of(street, who)] == [
        ("1/email/first_missed", "no_address")
    ]
    skipped = await street.value(
        "SELECT details ->> 'why' FROM timeline WHERE kind = 'step_skipped'"
    )
    assert skipped == "no_address"


async def test_after_five_days_of_silence_only_the_newest_is_sent(street: Street) -> None:
    who, due = await fresh(street)
    done = await on_day(street, due, 11)
    assert done.notices == 1
    assert [(name, why) for _, name, why in await steps_of(street, who)] == [
        ("1/email/first_missed", "overtaken"),
        ("3/sms/first_missed", "overtaken"),
        ("8/email/follow_up", "overtaken"),
        ("10/sms/follow_up", None),
    ]


async def test_a_book_that_is_late_already_brings_no_burst(street: Street) -> None:
    who = await street.neighbour(days_late=30)
    done = await step(street)
    assert (done.notices, done.calls) == (0, 1)
    assert {why for kind, _, why in await steps_of(street, who) if kind == "notice"} == {
        "before_our_time"
    }


async def test_one_message_speaks_for_all_of_a_persons_debts(street: Street) -> None:
    who, _ = await fresh(street, days_late=3, dues=(5_000, 7_000))
    # The older debt is a day further; both are worked off on the day of the younger one's notice.
    done = await step(street)
    assert done.notices == 1
    message = (await street.rows("SELECT case_ids FROM messages"))[0]
    assert set(message.case_ids) == set(who.cases)


async def test_observe_only_keeps_the_notice_back(street: Street) -> None:
    who, due = await fresh(street)
    await street.rows("UPDATE lenders SET observe_only = true RETURNING 1")
    await on_day(street, due, 3)
    await street.tick()
    assert await street.states("messages", who) == ["withheld"]
    assert street.texts_to(who) == 0


# ------------------------------------------------------------------ the last look


async def queued_notice(street: Street) -> tuple[Neighbour, datetime]:
    # It is due on a Monday: the notice leaves on a Thursday, and Friday is a day like another.
    who, due = await fresh(street, days_late=1)
    await on_day(street, due, 3)
    assert await street.states("messages", who) == ["queued"]
    return who, due


async def cancelled(street: Street, who: Neighbour) -> str | None:
    await street.tick()
    assert street.texts_to(who) == 0
    found: str | None = await street.value(
        "SELECT cancel_reason FROM messages WHERE borrower_id = :id", id=who.id
    )
    return found


async def test_a_notice_is_not_sent_when_it_was_paid(street: Street) -> None:
    who, _ = await queued_notice(street)
    await street.repaid(who, "R1")
    assert await cancelled(street, who) == "paid"


async def test_a_notice_is_not_sent_over_a_hold(street: Street) -> None:
    who, _ = await queued_notice(street)
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=who.id, case_id=None, kind=HoldKind.DISPUTE,
            reason="He disputes it.", ends_at=None, set_by="eva",
        )  # fmt: skip
    assert await cancelled(street, who) == "hold"
    assert (await step(street)).notices == 0


async def test_a_notice_about_a_debt_that_moved_on_is_not_sent(street: Street) -> None:
    who, _ = await queued_notice(street)
    await street.rows("UPDATE instalments SET due_on = due_on + 2 RETURNING 1")
    assert await cancelled(street, who) == "stage_over"


async def test_a_notice_is_not_sent_to_a_person_who_stopped_them(street: Street) -> None:
    who, due = await fresh(street)
    await street.rows(
        "INSERT INTO opt_outs (lender_id, borrower_id, channel, stopped_at, changed_at, source) "
        "VALUES (:lender, :id, 'sms', :now, :now, 'page') RETURNING 1",
        lender=street.lender_id, id=who.id, now=street.now,
    )  # fmt: skip
    assert (await on_day(street, due, 3)).notices == 0
    assert ("notice", "3/sms/first_missed", "opted_out") in await steps_of(street, who)


async def test_the_amount_in_a_notice_is_read_again_when_it_leaves(street: Street) -> None:
    """Sealed anew, a body differs always: what it says is what counts."""
    who, due = await fresh(street)
    await give_address(street, who)
    assert (await on_day(street, due, 1)).notices == 1
    await street.repaid(who, "R1", minor=4_550)
    await street.tick()
    (mail,) = street.post.taken
    assert "74,50" in mail.body
    assert "120,00" not in mail.body


async def test_what_is_left_after_a_part_payment_is_spoken_of_on_the_next_day_too(
    street: Street,
) -> None:
    """Elsewhere a partly paid invoice was skipped from then on."""
    who, due = await fresh(street)
    await give_address(street, who)
    await on_day(street, due, 1)
    await street.tick()
    await street.repaid(who, "R1", minor=4_550)
    assert (await on_day(street, due, 8)).notices == 1
    await street.tick()
    assert ["120,00" in mail.body for mail in street.post.taken] == [True, False]
    assert "74,50" in street.post.taken[-1].body


async def test_a_notice_waits_for_the_lenders_word_on_an_old_amount(street: Street) -> None:
    who, _ = await queued_notice(street)
    await street.rows(
        "UPDATE loans SET owed_as_of = :old RETURNING 1", old=street.now - timedelta(days=30)
    )
    await street.tick()
    await street.tick()
    assert street.texts_to(who) == 0
    assert [call["type"] for call in await street.told()].count("loan.balance_requested") == 1


async def test_an_amount_that_nobody_confirms_is_a_task_for_each_case_and_not_for_each_notice(
    street: Street,
) -> None:
    who, due = await fresh(street, days_late=1, dues=(5_000, 7_000))
    await on_day(street, due, 3)
    long_ago = street.now - timedelta(days=30)
    stale = "UPDATE loans SET owed_as_of = :old RETURNING 1"
    await street.rows(stale, old=long_ago)
    await street.minutes_pass(*[30] * 10)
    assert await street.tasks(who) == ["owed_amount_stale"] * 2
    opened = await street.rows("SELECT case_id FROM tasks")
    assert {row.case_id for row in opened} == set(who.cases)
    assert street.texts_to(who) == 0
    async with street.store.engine_unit() as unit:
        [finding] = await check_confirmations(unit)
        counts = await status_of(unit, street.now)
    assert (finding.verdict, counts.owed_unconfirmed) == ("wrong", 2)
    assert "2 cases" in finding.what
    # A person made nothing of it: the next notice fails for the same want, and asks nobody again.
    await street.rows(
        "UPDATE tasks SET state = 'done', ended_at = :now RETURNING 1", now=street.now
    )
    await on_day(street, due, 10)
    await street.rows(stale, old=long_ago)
    await street.minutes_pass(*[30] * 10)
    reasons = await street.rows("SELECT cancel_reason FROM messages WHERE state = 'cancelled'")
    assert [row.cancel_reason for row in reasons] == ["owed_amount_stale"] * 2
    assert await street.value("SELECT count(*) FROM tasks WHERE reason = 'owed_amount_stale'") == 2
    # Confirmed, and lost sight of again: that is another matter.
    await street.rows(stale, old=long_ago + timedelta(days=9))
    await on_day(street, due, 17)
    await street.rows(stale, old=long_ago + timedelta(days=9))
    await street.minutes_pass(*[30] * 10)
    assert await street.tasks(who) == ["owed_amount_stale"] * 2


async def test_the_link_of_a_notice_ends_without_a_task_and_stands_in_no_signals_way(
    street: Street,
) -> None:
    who, _ = await queued_notice(street)
    await street.tick()
    # Caps allow one message a day; the money is asked for on the next.
    street.hands.go_on(hours=25)
    await street.money_seen_again(who)
    await street.tick()
    assert street.texts_to(who) == 2
    await street.days_pass(4, minutes=480)
    causes = await street.rows(
        "SELECT t.reason, t.key FROM tasks t WHERE t.borrower_id = :id", id=who.id
    )
    assert [row.reason for row in causes].count("link_unpaid") == 1


# ------------------------------------------------------------------ calls and the end


async def test_three_calls_on_three_working_days_end_in_a_proposal(street: Street) -> None:
    who, due = await fresh(street)
    # Day 24 is a Friday; the weekend is nobody's shift.
    days = []
    for day in range(24, 40):
        done = await on_day(street, due, day)
        if done.calls:
            days.append(day)
            await answer(street, who, TaskOutcome.NO_ANSWER)
        if done.ends:
            break
    assert (days, day) == ([24, 27, 28], 29)
    proposal = (await street.rows("SELECT kind, state, proposer_id, loan_id FROM approvals"))[0]
    assert tuple(proposal) == ("write_off", "proposed", None, who.loans[0])
    # The robot proposes once, whatever the next days bring.
    for later in range(day + 1, day + 40):
        await on_day(street, due, later)
    assert await street.value("SELECT count(*) FROM approvals") == 1
    calls = [why for kind, _, why in await steps_of(street, who) if kind == "call"]
    assert calls == ["no_answer"] * 3


async def test_looking_three_times_for_a_way_to_him_in_vain_ends_it_too(street: Street) -> None:
    who, due = await fresh(street, phone="")
    days = []
    for day in range(24, 32):
        done = await on_day(street, due, day)
        if done.calls:
            days.append(day)
            await answer(street, who, TaskOutcome.RESOLVED, reason="no_way_to_reach")
    assert days == [24, 27, 28]
    assert await street.value("SELECT count(*) FROM approvals WHERE state = 'proposed'") == 1


async def test_a_call_that_nobody_makes_stays_and_is_no_attempt(street: Street) -> None:
    who, due = await fresh(street)
    for day in range(24, 45):
        await on_day(street, due, day)
    assert await street.value("SELECT count(*) FROM tasks WHERE reason = 'call_borrower'") == 1
    assert await street.value("SELECT count(*) FROM approvals") == 0
    await answer(street, who, TaskOutcome.NO_ANSWER)
    assert (await on_day(street, due, 45)).calls == 1


async def test_a_person_with_two_debts_is_called_once_a_day(street: Street) -> None:
    who, _ = await fresh(street, days_late=25, dues=(5_000, 7_000))
    assert (await step(street)).calls == 1
    task = (await street.rows("SELECT id, situation FROM tasks WHERE reason = 'call_borrower'"))[0]
    assert task.situation["cases"] == 2
    steps = await street.rows(
        "SELECT task_id FROM strategy_steps WHERE kind = 'call' AND borrower_id = :id", id=who.id
    )
    assert [row.task_id for row in steps] == [task.id, task.id]


async def test_without_a_number_somebody_looks_for_one(street: Street) -> None:
    who, _ = await fresh(street, days_late=25, phone="")
    await step(street)
    assert "no_way_to_reach" in await street.tasks(who)


async def test_a_hold_calls_the_call_off_and_it_comes_back(street: Street) -> None:
    who, due = await fresh(street)
    await on_day(street, due, 24)
    async with street.store.unit(street.lender_id) as unit:
        await set_hold(
            unit, street.now, borrower_id=who.id, case_id=None, kind=HoldKind.HARDSHIP,
            reason="Ill.", ends_at=street.now + timedelta(days=10), set_by="eva",
        )  # fmt: skip
    for day in range(25, 34):
        assert (await on_day(street, due, day)).calls == 0
    await street.rows(
        "UPDATE tasks SET state = 'cancelled', ended_at = :now "
        "WHERE reason = 'call_borrower' AND state = 'open' RETURNING 1",
        now=street.now,
    )
    # The ten days of the hold, and the one it began on, do not count as late.
    assert (await on_day(street, due, 34)).calls == 0
    assert (await on_day(street, due, 35)).calls == 1


async def test_a_part_payment_that_clears_the_oldest_stage_takes_the_pressure_back(
    street: Street,
) -> None:
    who, due = await fresh(street)
    await street.rows(
        "INSERT INTO instalments (id, lender_id, loan_id, number, due_on, amount_minor) "
        "SELECT gen_random_uuid(), lender_id, loan_id, 2, due_on + 20, 12000 FROM instalments "
        "RETURNING 1"
    )
    await on_day(street, due, 22)
    assert await street.value("SELECT stage FROM cases") == "escalated"
    await street.repaid(who, "R1", minor=12_000)
    await step(street)
    assert await street.value("SELECT stage FROM cases") == "grace"
    assert [name for kind, name, _ in await steps_of(street, who)][-1] == "1/email/first_missed"


async def test_a_lender_may_have_cases_closed_as_failed(street: Street) -> None:
    who, due = await fresh(street)
    await street.rows("UPDATE lenders SET closes_failed = true RETURNING 1")
    for day in range(24, 33):
        if (await on_day(street, due, day)).calls:
            await answer(street, who, TaskOutcome.REFUSES)
    case = (await street.rows("SELECT state, close_reason FROM cases"))[0]
    assert tuple(case) == ("closed", "failed")
    assert await street.value("SELECT count(*) FROM approvals") == 0
    # The debt stays on the books, and no new case opens for it.
    assert await street.due(who) == 12_000
    assert await street.value("SELECT state FROM loans") == "active"


@pytest.mark.parametrize(("act", "texts", "tasks"), [("collector", 0, 1), ("both", 1, 1)])
async def test_a_strategy_says_who_acts_on_money_that_is_seen(
    street: Street, act: str, texts: int, tasks: int
) -> None:
    who = await street.neighbour()
    await street.rows(
        "UPDATE strategy_versions SET body = body || jsonb_build_object('signals_act', "
        "cast(:act AS text)) RETURNING 1",
        act=act,
    )
    await street.money_seen(who)
    await street.tick()
    assert street.texts_to(who) == texts
    assert (await street.tasks(who)).count("collector_acts") == tasks
