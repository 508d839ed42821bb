"""The soft flow on a fresh lender, day by day: nobody set anything up.

It falls due on Monday 16 March 2026 in Madrid; clocks go forward on the 29th, Good Friday is on
3 April. Every day the tick comes twice, and the collector works what waits for him.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.money import Money
from app.domain.promise_terms import Part
from app.domain.task import TaskOutcome
from app.flows.cases.open_cases import open_cases
from app.flows.messages.remind_ahead import remind_ahead
from app.flows.strategies.step_cases import plan_steps
from tests.flows.collector import answer
from tests.flows.mailbox import give_address
from tests.flows.street import Neighbour, Street

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

MADRID = ZoneInfo("Europe/Madrid")
DUE = date(2026, 3, 16)
# Nothing is said before the thirteenth; the first story begins early and sees it.
EVE = date(2026, 3, 12)
OWED = 12_000
Morning = Callable[[date], Awaitable[None]]


async def day_of(street: Street, on: date, ticks: int) -> None:
    """Eleven in the morning of a day: the lender's word is fresh, then so many ticks."""
    at = datetime.combine(on, time(11), MADRID).astimezone(UTC)
    street.hands.go_on(seconds=(at - street.now).total_seconds())
    await street.rows("UPDATE loans SET owed_as_of = :now RETURNING 1", now=street.now)
    for _ in range(ticks):
        await open_cases(street.house, street.now)
        await remind_ahead(street.house, street.now)
        await plan_steps(street.house, street.now)
        await street.tick()


async def live(
    street: Street,
    first: date,
    last: date,
    morning: Morning | None = None,
    *skipped: date,
    ticks: int = 2,
) -> None:
    """From one day to another; `morning` is what people do after the last tick of the day."""
    on = first
    while on <= last:
        if on not in skipped:
            await day_of(street, on, ticks)
            if morning is not None:
                await morning(on)
        on += timedelta(days=1)


async def borrower(street: Street, due: date = DUE) -> Neighbour:
    """Known since the beginning of March, with a telephone and an e-mail address."""
    days_ahead = (due - street.now.date()).days
    who = await street.neighbour(days_late=-days_ahead - 1)
    await give_address(street, who)
    return who


async def calendar(street: Street, who: Neighbour) -> list[tuple[str, str]]:
    """What reached people, by its local day."""
    sent = await street.rows(
        "SELECT sent_at AS at, channel || ' ' || split_part(wording, '/', 1) AS what "
        "FROM messages WHERE borrower_id = :id AND sent_at IS NOT NULL",
        id=who.id,
    )
    asked = await street.rows(
        "SELECT created_at AS at, reason AS what FROM tasks WHERE borrower_id = :id "
        "AND reason IN ('call_borrower', 'promise_broken', 'review_case')",
        id=who.id,
    )
    proposed = await street.rows(
        "SELECT proposed_at AS at, 'propose ' || kind AS what FROM approvals"
    )
    rows = sorted([*sent, *asked, *proposed], key=lambda row: (row.at, row.what))
    return [(row.at.astimezone(MADRID).strftime("%d.%m."), row.what) for row in rows]


NOTICES = [
    ("13.03.", "sms pre_due"),
    ("17.03.", "email first_missed"),
    ("19.03.", "sms first_missed"),
    ("24.03.", "email follow_up"),
    ("26.03.", "sms follow_up"),
    ("31.03.", "email escalated"),
    ("02.04.", "sms escalated"),
]


async def test_grace_notices_three_calls_and_a_proposal(street: Street) -> None:
    who = await borrower(street)

    async def nobody_answers(_: date) -> None:
        if "call_borrower" in await street.tasks(who):
            await answer(street, who, TaskOutcome.NO_ANSWER)

    await live(street, date(2026, 3, 4), date(2026, 4, 17), nobody_answers)
    assert await calendar(street, who) == [
        *NOTICES,
        # Thursday, Friday, and after the weekend Monday; the end comes a day later.
        ("09.04.", "call_borrower"),
        ("10.04.", "call_borrower"),
        ("13.04.", "call_borrower"),
        ("14.04.", "propose write_off"),
    ]
    # Proposed is not done: the loan is worked, and everything stands on the books.
    assert await street.value("SELECT state FROM loans") == "active"
    assert await street.due(who) == OWED
    assert await street.value("SELECT state FROM approvals") == "proposed"


async def test_payment_on_any_day_ends_it_at_once(street: Street) -> None:
    who = await borrower(street)
    await live(street, EVE, date(2026, 3, 25), ticks=1)
    await street.repaid(who, "paid")
    await live(street, date(2026, 3, 26), date(2026, 4, 3), ticks=1)
    assert await calendar(street, who) == NOTICES[:4]
    assert await street.value("SELECT close_reason FROM cases") == "paid_elsewhere"


async def test_days_without_anybody_bring_no_burst_and_lose_no_stage(street: Street) -> None:
    who = await borrower(street)
    down = [date(2026, 3, 16) + timedelta(days=n) for n in range(11)]
    await live(street, EVE, date(2026, 4, 9), None, *down, ticks=1)
    assert await calendar(street, who) == [
        NOTICES[0],
        # Eleven days of silence: one message, the newest.
        ("27.03.", "sms follow_up"),
        *NOTICES[5:],
        ("09.04.", "call_borrower"),
    ]


@pytest.mark.long
async def test_a_promise_that_is_kept(street: Street) -> None:
    who = await borrower(street)
    promise_on = date(2026, 4, 17)

    async def he_promises(on: date) -> None:
        if "call_borrower" in await street.tasks(who):
            await answer(
                street, who, TaskOutcome.PROMISE, parts=[Part(promise_on, Money(OWED, "EUR"))]
            )
        if on == promise_on:
            await street.repaid(who, "as promised")

    await live(street, EVE, date(2026, 4, 22), he_promises)
    assert await calendar(street, who) == [
        *NOTICES,
        ("09.04.", "call_borrower"),
        ("16.04.", "sms promise_reminder"),
    ]
    assert await street.value("SELECT state FROM promises") == "kept"
    assert await street.value("SELECT state FROM cases") == "closed"


@pytest.mark.long
async def test_a_promise_that_is_broken_comes_to_the_top_and_the_calls_begin_anew(
    street: Street,
) -> None:
    who = await borrower(street)
    promised: list[date] = []

    async def once_promised(on: date) -> None:
        waiting = await street.tasks(who)
        if "promise_broken" in waiting:
            assert waiting[0] == "promise_broken"
            await answer(street, who, TaskOutcome.REFUSES, reason="promise_broken")
        elif "call_borrower" in waiting and not promised:
            promised.append(on)
            parts = [Part(date(2026, 4, 17), Money(OWED, "EUR"))]
            await answer(street, who, TaskOutcome.PROMISE, parts=parts)
        elif "call_borrower" in waiting:
            await answer(street, who, TaskOutcome.NO_ANSWER)

    await live(street, EVE, date(2026, 4, 24), once_promised)
    assert await calendar(street, who) == [
        *NOTICES,
        ("09.04.", "call_borrower"),
        ("16.04.", "sms promise_reminder"),
        # The day after the deadline, a Saturday: it waits on top for whoever works first.
        ("18.04.", "promise_broken"),
        ("20.04.", "call_borrower"),
        ("21.04.", "call_borrower"),
        ("22.04.", "propose write_off"),
    ]


@pytest.mark.long
async def test_a_missed_shift_is_no_attempt(street: Street) -> None:
    who = await borrower(street)

    async def only_on_two_days(on: date) -> None:
        if on in (date(2026, 4, 9), date(2026, 4, 21)):
            await answer(street, who, TaskOutcome.NO_ANSWER)

    await live(street, EVE, date(2026, 4, 24), only_on_two_days, ticks=1)
    assert (await calendar(street, who))[len(NOTICES) :] == [
        ("09.04.", "call_borrower"),
        ("10.04.", "call_borrower"),
        ("22.04.", "call_borrower"),
    ]


@pytest.mark.long
async def test_the_setting_that_closes_the_case_as_failed(street: Street) -> None:
    who = await borrower(street)
    await street.rows("UPDATE lenders SET closes_failed = true RETURNING 1")

    async def nobody_answers(_: date) -> None:
        if "call_borrower" in await street.tasks(who):
            await answer(street, who, TaskOutcome.NO_ANSWER)

    await live(street, EVE, date(2026, 4, 17), nobody_answers, ticks=1)
    case = (await street.rows("SELECT state, close_reason, closed_at FROM cases"))[0]
    assert (case.state, case.close_reason) == ("closed", "failed")
    assert case.closed_at.date() == date(2026, 4, 14)
    assert await street.due(who) == OWED
    assert await street.value("SELECT count(*) FROM approvals") == 0


@pytest.mark.long
async def test_clocks_that_go_back_give_no_second_call_and_lose_none(street: Street) -> None:
    """The weekend of 25 October, whose Sunday has twenty-five hours, lies between two call days."""
    who = await borrower(street, due=date(2026, 9, 29))
    sunday = date(2026, 10, 25)

    async def nobody_answers(on: date) -> None:
        if on == sunday:
            for _ in range(13):  # to midnight, an hour at a time
                street.hands.go_on(hours=1)
                await plan_steps(street.house, street.now)
                await street.tick()
        if "call_borrower" in await street.tasks(who):
            await answer(street, who, TaskOutcome.NO_ANSWER)

    await live(street, date(2026, 10, 20), date(2026, 10, 29), nobody_answers, ticks=1)
    told = [row for row in await calendar(street, who) if row[1] != "sms escalated"]
    assert told == [
        ("23.10.", "call_borrower"),
        ("26.10.", "call_borrower"),
        ("27.10.", "call_borrower"),
        ("28.10.", "propose write_off"),
    ]
