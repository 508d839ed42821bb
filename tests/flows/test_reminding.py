"""Before anything is due, and before a promise is: reminders leave once, or not at all."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import pytest

from app.domain.ids import LoanId
from app.domain.money import Money
from app.domain.promise_terms import Part, PromiseSource
from app.domain.task import TaskOutcome
from app.flows.books.register_loan import LoanWanted, register_loan
from app.flows.messages.remind_ahead import Reminded, remind_ahead
from app.flows.money.report_repayment import RepaymentWanted, report_repayment
from app.flows.strategies.step_cases import step_cases
from app.flows.work.take_promise import take_promise
from app.store.invariants import broken
from app.store.loans import Scheduled
from tests.flows.collector import answer
from tests.flows.street import Neighbour, Street

pytestmark = pytest.mark.anyio


async def coming(street: Street, who: Neighbour, *days: int, name: str = "next") -> LoanId:
    """A loan of his with an instalment so many days ahead; told of long ago."""
    today = street.now.date()
    made = await register_loan(
        street.house,
        street.now,
        street.lender_id,
        LoanWanted(
            borrower_ref=who.ref,
            external_ref=name,
            product="Loan",
            currency="EUR",
            as_of=street.now,
            schedule=tuple(
                Scheduled(number, today + timedelta(days=day), 5_000, 0)
                for number, day in enumerate(days, start=1)
            ),
        ),
    )
    await street.rows("UPDATE loans SET created_at = created_at - interval '90 days' RETURNING 1")
    return made.id


async def someone(street: Street) -> Neighbour:
    """Somebody who owes nothing yet."""
    who = await street.neighbour()
    await street.repaid(who, "all")
    return who


async def look(street: Street, **more: float) -> Reminded:
    if more:
        street.hands.go_on(**more)
    await street.rows("UPDATE loans SET owed_as_of = :now RETURNING 1", now=street.now)
    return await remind_ahead(street.house, street.now)


async def test_a_reminder_leaves_three_days_before(street: Street) -> None:
    who = await someone(street)
    await coming(street, who, 4)
    assert await look(street) == Reminded(1, 0, 0)
    # Nothing to be looked at again before its day.
    assert await look(street) == Reminded(0, 0, 0)
    assert (await look(street, days=1)).messages == 1
    await street.tick()
    assert street.texts_to(who) == 1
    assert await street.value("SELECT cause FROM messages") == "remind"
    assert await look(street) == Reminded(0, 0, 0)
    step = (await street.rows("SELECT kind, name, case_id FROM strategy_steps"))[0]
    assert tuple(step) == ("remind", "-3/sms/pre_due", None)


@pytest.mark.parametrize("blocks", [("days",), ("contact",)])
async def test_a_hold_keeps_a_reminder_back_whatever_its_row_says(
    street: Street, blocks: tuple[str, ...]
) -> None:
    who = await someone(street)
    await coming(street, who, 3)
    assert (await look(street)).messages == 1
    # Recorded past the flow, which would have called back what waits: the last look decides.
    await street.rows(
        "INSERT INTO holds (id, lender_id, borrower_id, kind, reason, starts_at, recorded_at, "
        "blocks, set_by) SELECT id, lender_id, id, 'other', 'x', cast(:now AS timestamptz), "
        "cast(:now AS timestamptz), :blocks, 'x' FROM borrowers RETURNING 1",
        now=street.now, blocks=list(blocks),
    )  # fmt: skip
    await street.tick()
    assert street.texts_to(who) == 0


async def test_two_at_once_send_one(street: Street) -> None:
    who = await someone(street)
    await coming(street, who, 3)
    await street.rows("UPDATE loans SET owed_as_of = :now RETURNING 1", now=street.now)
    came = await asyncio.gather(*(remind_ahead(street.house, street.now) for _ in range(4)))
    assert sum(one.messages for one in came) == 1
    # And again, when the loan is looked at once more.
    await street.rows("UPDATE loans SET remind_on = '2000-01-01' RETURNING 1")
    assert (await look(street)).messages == 0
    assert await street.value("SELECT count(*) FROM messages") == 1


async def test_what_is_paid_meanwhile_is_not_reminded_of(street: Street) -> None:
    who = await someone(street)
    await coming(street, who, 3)
    await look(street)
    await report_repayment(
        street.house, street.now, street.lender_id, "next",
        RepaymentWanted("early", Money(5_000, "EUR"), street.now),
    )  # fmt: skip
    await street.tick()
    assert street.texts_to(who) == 0
    assert await street.value("SELECT cancel_reason FROM messages") == "nothing_due"


async def test_nobody_asks_him_whose_money_may_have_to_go_back(street: Street) -> None:
    """It lies there on a debt that is paid, and what comes next on any loan waits for a person."""
    who = await street.neighbour(dues=(12_000, 5_000))
    await street.repaid(who, "all")
    await coming(street, who, 3, 4)
    assert (await look(street)).messages == 1
    await street.repaid(who, "twice", minor=12_000)
    assert "overpaid" in await street.tasks(who)
    await street.tick()
    assert await street.value("SELECT cancel_reason FROM messages") == "hold"
    assert (await look(street, days=1)).messages == 0
    street.hands.go_on(days=9)
    await step_cases(street.house, street.now, [who.cases[1]])
    await street.tick()
    assert street.texts_to(who) == 0
    assert await street.tasks(who) == ["overpaid"]
    async with street.store.engine_unit() as unit:
        assert await broken(unit, street.now + timedelta(days=5)) == []

    await answer(street, who, TaskOutcome.RESOLVED, reason="overpaid")
    await step_cases(street.house, street.now, [who.cases[1]])
    assert await street.value("SELECT count(*) FROM strategy_steps WHERE kind <> 'remind'") > 0


async def test_the_next_instalment_has_a_reminder_of_its_own(street: Street) -> None:
    who = await someone(street)
    await coming(street, who, 3, 33)
    await look(street)
    await street.tick()
    await report_repayment(
        street.house, street.now, street.lender_id, "next",
        RepaymentWanted("first", Money(5_000, "EUR"), street.now),
    )  # fmt: skip
    assert await look(street) == Reminded(1, 0, 0)
    assert (await look(street, days=30)).messages == 1
    assert await street.value("SELECT count(DISTINCT due_on) FROM strategy_steps") == 2


async def test_a_date_that_is_moved_is_reminded_of_anew(street: Street) -> None:
    who = await someone(street)
    await coming(street, who, 3)
    await look(street)
    street.hands.go_on(minutes=1)
    await coming(street, who, 10)
    await street.tick()
    # The one about the old date does not leave, and the new one has its own day.
    assert street.texts_to(who) == 0
    assert (await look(street, days=7)).messages == 1


async def test_one_message_for_two_loans_on_the_same_day(street: Street) -> None:
    who = await someone(street)
    for name in ("one", "two"):
        await coming(street, who, 3, name=name)
    assert (await look(street)).messages == 1
    rows = await street.rows("SELECT DISTINCT message_id FROM strategy_steps")
    assert len(rows) == 1


async def test_a_loan_learnt_of_late_is_not_reminded_for_days_gone_by(street: Street) -> None:
    who = await someone(street)
    await coming(street, who, 2)
    await street.rows("UPDATE loans SET created_at = :now RETURNING 1", now=street.now)
    assert await look(street) == Reminded(1, 0, 1)
    assert await street.value("SELECT result FROM strategy_steps") == "before_our_time"


# ------------------------------------------------------------------ promises


async def promised(street: Street, day: int) -> Neighbour:
    who = await street.neighbour()
    on: date = street.now.date() + timedelta(days=day)
    await take_promise(
        street.house, street.now, lender_id=street.lender_id, case_id=who.cases[0],
        parts=[Part(on, Money(12_000, "EUR"))], source=PromiseSource.DESK, made_by="eva",
    )  # fmt: skip
    return who


async def test_a_promise_is_reminded_of_the_day_before(street: Street) -> None:
    who = await promised(street, 2)
    street.hands.go_on(days=1)
    await street.rows("UPDATE loans SET owed_as_of = :now RETURNING 1", now=street.now)
    await street.tick()
    await street.tick()
    assert street.texts_to(who) == 1
    message = (await street.rows("SELECT cause, wording, state FROM messages"))[0]
    assert tuple(message) == ("promise", "promise_reminder/1", "sent")


async def test_a_promise_that_is_kept_before_is_not_reminded_of(street: Street) -> None:
    who = await promised(street, 2)
    street.hands.go_on(days=1, hours=-9)
    await street.tick()
    assert await street.states("messages", who) == ["queued"]
    await street.repaid(who, "kept")
    street.hands.go_on(hours=9)
    await street.tick()
    assert street.texts_to(who) == 0
